"""Draw the t-SNE map of the best layer: every image at its place, framed in the colour of its class."""

import argparse
from collections.abc import Sequence

import numpy as np
import torch

from semisup.cli import run_program
from semisup.dataset import read_class_names
from semisup.hdf5 import open_hdf5, read_rows
from semisup.patches import scale_images
from semisup.plots import COLORS, TEXT_WIDTH, new_figure, save_figure
from semisup.tables import read_table

CANVAS = 2000  # pixels across
COVERED = 0.75  # side of an image, in units of the side it would have if the images tiled the canvas
FRAME_PART = 12  # the frame takes 1 / FRAME_PART of an image's side


def draw_map(images: np.ndarray, places: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Return a canvas (height, CANVAS, 3) in 0..1 with the uint8 images (N, C, H, W) at places (N, 2).

    colors: (N, 3) of the frames. The canvas has the proportions of the map. Later images cover earlier ones.
    """
    span = np.ptp(places, axis=0)
    side = int(COVERED * CANVAS * np.sqrt(min(1, span[1] / span[0]) / len(images)))
    frame = max(1, side // FRAME_PART)
    corners = ((places - places.min(axis=0)) * (CANVAS - side) / span[0]).round().astype(int)
    canvas = np.ones((corners[:, 1].max() + side, CANVAS, 3))
    inner = scale_images(torch.from_numpy(images), side - 2 * frame).numpy() / 255
    for tile, (x, y), color in zip(inner, corners, colors, strict=True):
        canvas[y : y + side, x : x + side] = color
        pixels = np.broadcast_to(tile, (3, *tile.shape[1:])) if len(tile) == 1 else tile
        canvas[y + frame : y + side - frame, x + frame : x + side - frame] = pixels.transpose(1, 2, 0)
    return canvas


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    parser.add_argument("--embedding", required=True, help="table of embed_tsne (CSV)")
    parser.add_argument("--clustering", required=True, help="table of embed_tsne (CSV), for the best layer")
    parser.add_argument("--pdf", required=True)
    parser.add_argument("--png", required=True)
    options = parser.parse_args(arguments)

    embedding, clustering = read_table(options.embedding), read_table(options.clustering)
    layer = clustering.loc[clustering["best"], "layer"].item()
    table = embedding[embedding["layer"] == layer]
    with open_hdf5(options.images) as file:
        images = read_rows(file["test/images"], table["row"].to_numpy())
    palette = np.array([tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)) for color in COLORS])
    canvas = draw_map(images, table[["x", "y"]].to_numpy(), palette[table["label"].to_numpy() % len(palette)])

    figure = new_figure(TEXT_WIDTH, TEXT_WIDTH * canvas.shape[0] / CANVAS + 0.4)
    axes = figure.add_subplot()
    axes.imshow(canvas)
    axes.set_axis_off()
    if len(clustering) > 1:
        axes.set_title(layer)
    for name, color in zip(read_class_names(options.images), COLORS, strict=False):
        axes.plot([], [], "s", color=color, label=name)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=5, handletextpad=0.3)
    save_figure(figure, options.pdf, options.png)


if __name__ == "__main__":
    run_program(main)
