"""Draw training images and results of their augmentation, one image per row."""

import argparse
from collections.abc import Sequence

import torch

from declarations.command_line import add_options
from methods.shared import Augmentation as AugmentationOptions
from methods.shared import ImageSize
from semisup.augmentation import Augmentation, augment_function
from semisup.cli import positive_int, run_program, seed_number
from semisup.hdf5 import open_hdf5
from semisup.plots import TEXT_WIDTH, add_figure_options, each_figure, example_grid, new_figure, save_figure, show_image
from semisup.scaling import scale_images, to_pixels

DRAWN = ("shift", "flip", "color", "hue", "cutout")  # strengths that differ between figures


def draw_samples(pixels: torch.Tensor, augmentation: Augmentation, samples: int, seed: int) -> torch.Tensor:
    """Return `samples` draws (N, samples, C, H, W) of the augmentation of each image (N, C, H, W), floats in 0..1."""
    torch.manual_seed(seed)
    augment = augment_function(augmentation, pixels.shape[3])
    return augment(pixels.repeat_interleave(samples, dim=0)).clamp(0, 1).unflatten(0, (len(pixels), samples))


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    add_options(parser, ImageSize, AugmentationOptions, many=True)
    parser.add_argument("--rows", type=positive_int, default=8, help="training images shown, the first ones")
    parser.add_argument("--samples", type=positive_int, default=10, help="draws shown beside each image")
    parser.add_argument("--seed", type=seed_number, required=True)
    add_figure_options(parser)
    options = parser.parse_args(arguments)

    with open_hdf5(options.images) as file:
        images = torch.from_numpy(file["train/images"][: options.rows])
    for size, *strengths, pdf, png in each_figure(options, "image_size", *DRAWN):
        pixels = to_pixels(images if size is None else scale_images(images, size))
        samples = draw_samples(pixels, Augmentation(*strengths), options.samples, options.seed)
        image = example_grid(pixels.numpy(), samples.numpy())
        figure = new_figure(TEXT_WIDTH, TEXT_WIDTH * image.shape[0] / image.shape[1])
        show_image(figure, (1, 1, 1), image)
        save_figure(figure, pdf, png)


if __name__ == "__main__":
    run_program(main)
