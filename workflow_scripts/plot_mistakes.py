"""Draw held-out images that pseudo-label rounds would have accepted with a wrong class, the most confident first."""

import argparse
from collections.abc import Sequence

import numpy as np
import pandas as pd

from semisup.cli import positive_int, run_program
from semisup.dataset import read_class_names
from semisup.hdf5 import open_hdf5
from semisup.histories import read_columns
from semisup.plots import (
    TEXT_WIDTH,
    Figure,
    add_figure_options,
    each_figure,
    image_grid,
    letters,
    new_figure,
    save_figure,
    show_image,
)

COLUMNS = 5
HELD_OUT = ("row", "label", "predicted", "confidence")


def worst_mistakes(held_out: pd.DataFrame) -> pd.DataFrame:
    """Return the wrong rows, the highest confidence first, each image once: at its highest confidence."""
    wrong = held_out[held_out["label"] != held_out["predicted"]]
    order = wrong.sort_values(["confidence", "row"], ascending=[False, True], kind="stable")
    return order.drop_duplicates("row").reset_index(drop=True)


def summary(held_out: pd.DataFrame, mistakes: pd.DataFrame, shown: int) -> str:
    """Say in words how many different images were accepted at all, and how many wrongly."""
    accepted = held_out["row"].nunique()
    if not accepted:
        return "No held-out image would have been accepted."
    images = f"{accepted} held-out image{'' if accepted == 1 else 's'} that would have been accepted"
    if mistakes.empty:
        return f"Of {images}, none had a wrong class."
    more = f"\n(shown: the {shown} most confident)" if shown < len(mistakes) else ""
    return f"Of {images}, {len(mistakes)} had a wrong class in some round{more}."


def read_labelled_images(path: str, rows: Sequence[int]) -> np.ndarray:
    """Return images of the labelled set, float (n, C, H, W) in 0..1; rows: of train, followed by validation."""
    with open_hdf5(path) as file:
        train, validation = file["train/images"], file["validation/images"]
        images = [train[row] if row < len(train) else validation[row - len(train)] for row in rows]
    return np.stack(images) / 255


def draw_mistakes(figure: Figure, mistakes: pd.DataFrame, images: np.ndarray, names: list[str]) -> None:
    """Draw each image (n, C, H, W) under its predicted class, its true class and the confidence."""
    grid_rows = -(-len(mistakes) // COLUMNS)
    for number, (mistake, image) in enumerate(zip(mistakes.itertuples(), images, strict=True), start=1):
        percent = np.floor(1000 * mistake.confidence) / 10  # only certainty is 100.0
        title = f"as {letters(names[mistake.predicted])}\nis {letters(names[mistake.label])}\n{percent:.1f} %"
        show_image(figure, (grid_rows, COLUMNS, number), image_grid(image[None], 1), title)


def mistakes_figure(held_out: pd.DataFrame, images: str, most: int) -> Figure:
    """Draw at most so many mistakes of one experiment, or say that there are none; images: path of the data set."""
    mistakes = worst_mistakes(held_out)
    shown = mistakes.head(most)
    words = summary(held_out, mistakes, len(shown))
    if shown.empty:
        figure = new_figure(TEXT_WIDTH, 0.6)
        figure.text(0.5, 0.5, words, ha="center", va="center", fontsize=10)
    else:
        figure = new_figure(TEXT_WIDTH, 0.3 + 1.65 * -(-len(shown) // COLUMNS))
        figure.suptitle(words, fontsize=7.5)
        draw_mistakes(figure, shown, read_labelled_images(images, shown["row"].tolist()), read_class_names(images))
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--held-out", nargs="+", required=True, help="table of held-out images (CSV), of each figure")
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    parser.add_argument("--most", type=positive_int, default=20, help="images shown")
    add_figure_options(parser)
    options = parser.parse_args(arguments)

    for held_out, pdf, png in each_figure(options, "held_out"):
        table = read_columns(held_out, HELD_OUT, "the held-out images of pseudo-label rounds")
        save_figure(mistakes_figure(table, options.images, options.most), pdf, png)


if __name__ == "__main__":
    run_program(main)
