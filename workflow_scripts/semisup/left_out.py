"""Near copies of test images are left out of the unlabeled images when a data set is prepared.

So what learns from unlabeled images cannot see them. The labelled images stay: folds are rows of them, and numbers of
labels are compared with those of others. What they have of copies is counted all the same.
"""

import logging
from pathlib import Path

import h5py
import numpy as np

from semisup.cli import UserError
from semisup.dataset import IMAGES_PER_BLOCK, image_blocks
from semisup.hdf5 import open_hdf5
from semisup.near_copies import near_copies, thumbnails

LEFT_OUT = "left_out"  # int64, in /unlabeled where copies were looked for: the source_index of what is no more there


def split_thumbnails(path: str | Path, split: str) -> np.ndarray:
    """Return the thumbnails of a split; see `near_copies.thumbnails`. Raises UserError if the file lacks the split."""
    return np.concatenate([thumbnails(block) for block in image_blocks(path, split, IMAGES_PER_BLOCK)])


def leave_out_copies(path: str | Path, correlation: float) -> None:
    """Remove unlabeled images that correlate with a test image at least so much from a file of images, in place.

    Done when the file is whole, since an archive may hold the unlabeled images before the test images.
    Raises UserError if no unlabeled image would be left.
    """
    copied = near_copies(split_thumbnails(path, "unlabeled"), split_thumbnails(path, "test"), correlation).copied
    if copied.all():
        raise UserError(
            f"all {len(copied)} unlabeled images correlate with a test image by {correlation} or more, and none would "
            "be left: raise copy_correlation, or set leave_out_copies to false"
        )
    with h5py.File(path, "r+", locking=False) as file:  # nobody else knows its name
        group = file["unlabeled"]
        left_out = group["source_index"][copied]
        keep_rows(group, ~copied)
        group[LEFT_OUT] = left_out
    logging.info("left out %d of %d unlabeled images, near copies of test images", len(left_out), len(copied))


def keep_rows(group: h5py.Group, kept: np.ndarray) -> None:
    """Remove the other rows of all arrays of a split, the images block by block. kept: bool (N,)."""
    images, written = group["images"], 0
    for start in range(0, len(kept), IMAGES_PER_BLOCK):
        block = images[start : start + IMAGES_PER_BLOCK][kept[start : start + IMAGES_PER_BLOCK]]
        images[written : written + len(block)] = block
        written += len(block)
    images.resize(written, axis=0)
    for name in sorted(set(group) - {"images"}):
        values = group[name][:][kept]
        del group[name]
        group[name] = values


def left_out_images(path: str | Path) -> int | None:
    """Return how many unlabeled images were left out of a data set; None where nobody looked for copies."""
    with open_hdf5(path) as file:
        group = file["unlabeled"]
        return len(group[LEFT_OUT]) if LEFT_OUT in group else None
