"""Draw seed patches from the unlabelled images of a data set, and transform them into surrogate classes."""

import argparse
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import torch

from declarations.command_line import add_options
from declarations.options import option_names
from methods.exemplar import Surrogates
from semisup.cli import (
    UserError,
    natural_int,
    peak_memory_gib,
    progress,
    run_program,
    seed_number,
)
from semisup.dataset import image_count, image_shape
from semisup.device import leased_device
from semisup.hdf5 import new_hdf5, open_hdf5, read_rows, require_space
from semisup.scaling import scale_images
from semisup.surrogates import (
    Parameters,
    PrincipalColors,
    Ranges,
    Seeds,
    check_channels,
    cut_patches,
    draw_corners,
    draw_parameters,
    principal_colors,
    select_parameters,
    transform_patches,
)

SEED_BLOCK = 500  # images that seed patches are drawn from at once
PATCH_BLOCK = 1000  # patches made at once: their pixels as float32 stay in the cache


def check_options(options: argparse.Namespace) -> None:
    """Raise UserError if the ranges or the images do not allow what is asked for."""
    for name in ("scale", "pca_contrast", "color_power", "color_factor"):
        low, high = getattr(options, name)
        if low > high:
            raise UserError(f"{name} from {low:g} to {high:g} is empty: give the lower limit first")
    channels, *sides = image_shape(options.images)
    sides = [options.image_size or side for side in sides]
    check_channels(options.transformations, channels)
    if options.surrogate_size > min(sides):
        raise UserError(
            f"patches of {options.surrogate_size} pixels do not fit in images of {min(sides)}: lower surrogate_size"
        )
    available = image_count(options.images, "unlabeled")
    if options.seed_patches > available:
        raise UserError(
            f"{options.seed_patches} seed patches need as many unlabeled images, and {options.images} holds "
            f"{available}: lower seed_patches"
        )


def read_images(images: h5py.Dataset, rows: np.ndarray, size: int | None) -> torch.Tensor:
    """Return these images, uint8 (n, C, H, W), scaled to a side of `size` pixels unless that is None."""
    block = torch.from_numpy(read_rows(images, rows))
    return block if size is None else scale_images(block, size)


def draw_seeds(images: h5py.Dataset, options: argparse.Namespace, rng: np.random.Generator) -> tuple[Seeds, np.ndarray]:
    """Draw different images, in the order of their rows, and a patch of each; return both, the latter (S, C, s, s)."""
    rows = np.sort(rng.choice(len(images), options.seed_patches, replace=False))
    uniforms = rng.random(len(rows))
    top, left = np.empty_like(rows), np.empty_like(rows)
    patches = np.empty((len(rows), images.shape[1], options.surrogate_size, options.surrogate_size), np.uint8)
    for start in range(0, len(rows), SEED_BLOCK):
        part = slice(start, start + SEED_BLOCK)
        block = read_images(images, rows[part], options.image_size)
        top[part], left[part] = draw_corners(block, options.surrogate_size, options.seed_sampling, uniforms[part])
        patches[part] = cut_patches(block, top[part], left[part], options.surrogate_size).numpy()
    return Seeds(rows, top, left), patches


def write_recipe(
    file: h5py.File, seeds: Seeds, seed_patches: np.ndarray, parameters: Parameters, colors: PrincipalColors | None
) -> None:
    """Write the classes, the seed patches and all that their transformations depend on."""
    per_class = len(parameters.rotation) // len(seed_patches)
    file["classes"] = np.repeat(np.arange(len(seed_patches)), per_class)
    file["seeds/patches"] = seed_patches
    groups = {"seeds": seeds, "parameters": parameters, "principal_colors": colors}
    for group, columns in groups.items():
        for name, values in columns._asdict().items() if columns else ():
            file[f"{group}/{name}"] = np.asarray(values)


def write_patches(
    patches: h5py.Dataset,
    images: h5py.Dataset,
    image_size: int | None,
    seeds: Seeds,
    parameters: Parameters,
    transformations: Sequence[str],
    colors: PrincipalColors | None,
    device: torch.device,
) -> None:
    """Transform the seed patches and write the result, uint8 (S * T, C, s, s), in blocks of whole classes."""
    classes = len(seeds.image)
    per_class = len(patches) // classes
    step = max(1, PATCH_BLOCK // per_class)
    blocks = range(0, classes, step)
    for start in progress(blocks, len(blocks), "blocks", "surrogates"):
        part = slice(start, min(start + step, classes))
        made = slice(part.start * per_class, part.stop * per_class)
        patches[made] = transform_patches(
            read_images(images, seeds.image[part], image_size).to(device),
            seeds.top[part],
            seeds.left[part],
            patches.shape[-1],
            select_parameters(parameters, made),
            transformations,
            colors,
        ).cpu()


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the seed patches, the transformations' parameters and the patches they give."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    parser.add_argument("--surrogates", required=True, help="file to write (HDF5)")
    add_options(parser, Surrogates)
    parser.add_argument("--seed", type=seed_number, required=True)
    parser.add_argument("--gpu", type=natural_int, default=0, help="0: compute on the CPU")
    options = parser.parse_args(arguments)

    check_options(options)
    start = time.perf_counter()
    rng = np.random.default_rng(options.seed)
    count = options.seed_patches * options.samples_per_class
    with (
        leased_device(options.gpu) as device,
        open_hdf5(options.images) as source,
        new_hdf5(options.surrogates) as file,
    ):
        images = source["unlabeled/images"]
        seeds, seed_patches = draw_seeds(images, options, rng)
        ranges = Ranges(*(getattr(options, name) for name in Ranges._fields))
        parameters = draw_parameters(count, options.transformations, ranges, rng)
        colors = principal_colors(seed_patches) if "pca_contrast" in options.transformations else None
        size = (count + len(seed_patches)) * seed_patches[0].nbytes + sum(values.nbytes for values in parameters)
        require_space(Path(options.surrogates).parent, size + count * np.int64().nbytes)
        recipe = {name: getattr(options, name) for name in option_names(Surrogates)}
        file.attrs["options"] = json.dumps(recipe, sort_keys=True)
        file.attrs["seed"] = options.seed
        write_recipe(file, seeds, seed_patches, parameters, colors)
        patches = file.create_dataset("patches", (count, *seed_patches.shape[1:]), np.uint8)
        write_patches(patches, images, options.image_size, seeds, parameters, options.transformations, colors, device)
    seconds = time.perf_counter() - start
    logging.info(
        "%d patches of %d classes, %.0f patches/s, peak memory %.2f GiB",
        count,
        options.seed_patches,
        count / seconds,
        peak_memory_gib(),
    )


if __name__ == "__main__":
    run_program(main)
