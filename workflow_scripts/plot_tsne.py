"""Draw t-SNE maps of the best layers: every image at its place, in a frame with the colour of its class."""

import argparse
from collections.abc import Sequence

import numpy as np
from PIL import Image

from semisup.cli import run_program
from semisup.dataset import read_class_names
from semisup.hdf5 import open_hdf5, read_rows
from semisup.plots import COLORS, TEXT_WIDTH, Figure, add_figure_options, each_figure, letters, new_figure, save_figure
from semisup.tables import read_table

CANVAS = 1260  # pixels across: those of the PNG, so that nothing is interpolated
COVERED = 0.75  # side of an image, in units of the side it would have if the images tiled the canvas
FRAME_PART = 12  # the frame takes 1 / FRAME_PART of an image's side


def draw_map(images: np.ndarray, places: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Return a canvas, uint8 (height, CANVAS, 3), with the uint8 images (N, C, H, W) at places (N, 2).

    colors: uint8 (N, 3), of the frames. The canvas has the proportions of the map. Later images cover earlier ones.
    """
    span = np.ptp(places, axis=0)
    side = int(COVERED * CANVAS * np.sqrt(min(1, span[1] / span[0]) / len(images)))
    frame = max(1, side // FRAME_PART)
    corners = ((places - places.min(axis=0)) * (CANVAS - side) / span[0]).round().astype(int)
    canvas = np.full((corners[:, 1].max() + side, CANVAS, 3), 255, np.uint8)
    inner = (side - 2 * frame, side - 2 * frame)
    for image, (x, y), color in zip(images, corners, colors, strict=True):
        canvas[y : y + side, x : x + side] = color
        pixels = np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0)
        scaled = Image.fromarray(pixels).resize(inner, Image.Resampling.BILINEAR)
        canvas[y + frame : y + side - frame, x + frame : x + side - frame] = scaled
    return canvas


def map_figure(canvas: np.ndarray, title: str, names: list[str]) -> Figure:
    """Draw a canvas under its title, with a legend of the classes' colours."""
    figure = new_figure(TEXT_WIDTH, TEXT_WIDTH * canvas.shape[0] / CANVAS + 0.4)
    axes = figure.add_subplot()
    axes.imshow(canvas, interpolation="none")
    axes.set_axis_off()
    axes.set_title(title)
    for name, color in zip(names, COLORS, strict=False):
        axes.plot([], [], "s", color=color, label=letters(name))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=5, handletextpad=0.3)
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    parser.add_argument("--embedding", required=True, help="table of embed_tsne (CSV)")
    parser.add_argument("--clustering", required=True, help="table of embed_tsne (CSV), for the best layer")
    parser.add_argument("--representation", nargs="+", required=True, help="of each figure")
    add_figure_options(parser)
    options = parser.parse_args(arguments)

    embedding, clustering = read_table(options.embedding), read_table(options.clustering)
    best = clustering[clustering["best"]].set_index("representation")["layer"]
    layers = clustering["representation"].value_counts()
    palette = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in COLORS], np.uint8)
    names = read_class_names(options.images)
    for name, pdf, png in each_figure(options, "representation"):
        table = embedding[(embedding["representation"] == name) & (embedding["layer"] == best[name])]
        with open_hdf5(options.images) as file:
            images = read_rows(file["test/images"], table["row"].to_numpy())
        colors = palette[table["label"].to_numpy() % len(palette)]
        canvas = draw_map(images, table[["x", "y"]].to_numpy(), colors)
        save_figure(map_figure(canvas, best[name] if layers[name] > 1 else "", names), pdf, png)


if __name__ == "__main__":
    run_program(main)
