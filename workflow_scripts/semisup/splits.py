"""Which image goes into which split: rows are drawn at random, a seed decides."""

import numpy as np
from sklearn.model_selection import train_test_split

from semisup.cli import UserError


def stratified_split(
    labels: np.ndarray, train_images: int, validation_images: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the train and the validation rows, int64 in random order, with the class proportions of `labels`.

    Raises UserError if there are fewer images than asked for, or too few for every class to be in both parts.
    """
    asked = f"{train_images} training and {validation_images} validation images"
    if train_images + validation_images > len(labels):
        raise UserError(f"asked for {asked}, but there are only {len(labels)} labelled images: ask for fewer")
    try:
        train, validation = train_test_split(
            np.arange(len(labels)),
            train_size=train_images,
            test_size=validation_images,
            stratify=labels,
            random_state=seed,
        )
    except ValueError as error:
        raise UserError(f"cannot draw {asked} of every class: {error}") from error
    return train, validation


def unlabeled_rows(total: int, used: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Draw `count` of the rows 0..total-1 that are not in `used`, int64 in random order, blind to their labels.

    Raises UserError if there are fewer.
    """
    rest = np.setdiff1d(np.arange(total), used)
    if count > len(rest):
        raise UserError(f"asked for {count} unlabeled images, but only {len(rest)} are left: ask for fewer")
    return np.random.default_rng(seed).permutation(rest)[:count]


def checked_count(asked: int | None, available: int, what: str) -> int:
    """Return `asked`, or all that are available if it is None. Raises UserError if there are fewer than asked."""
    if asked is None:
        return available
    if asked > available:
        raise UserError(f"asked for {asked} {what} images, but there are only {available}: ask for fewer, or for 'all'")
    return asked
