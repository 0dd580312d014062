"""Which image goes into which split: rows are drawn at random, a seed decides."""

import numpy as np

from semisup.cli import UserError


def stratified_split(
    labels: np.ndarray, train_images: int, validation_images: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the train and the validation rows, int64 in random order, with the class proportions of `labels`.

    The rows are those of scikit-learn's train_test_split(..., stratify=labels, random_state=seed), whose import takes
    longer than what many of our programs do.

    Raises UserError if there are fewer images than asked for, or too few for every class to be in both parts.
    """
    asked = f"{train_images} training and {validation_images} validation images"
    if train_images + validation_images > len(labels):
        raise UserError(f"asked for {asked}, but there are only {len(labels)} labelled images: ask for fewer")
    classes, counts = np.unique(labels, return_counts=True)
    if min(train_images, validation_images) < len(classes):
        raise UserError(f"cannot draw {asked} of every class: there are {len(classes)} classes: ask for more images")
    if counts.min(initial=2) < 2:  # noqa: PLR2004 - one for each part
        alone = classes[counts.argmin()]
        raise UserError(f"cannot draw {asked} of every class: class {alone} has only one image: give it more")
    rng = np.random.RandomState(seed)
    train_counts = class_shares(counts, train_images, rng)
    validation_counts = class_shares(counts - train_counts, validation_images, rng)
    train, validation = [], []
    for label, first, second in zip(classes, train_counts, validation_counts, strict=True):
        rows = rng.permutation(np.flatnonzero(labels == label))
        train.append(rows[:first])
        validation.append(rows[first : first + second])
    return rng.permutation(np.concatenate(train)), rng.permutation(np.concatenate(validation))


def class_shares(counts: np.ndarray, images: int, rng: np.random.RandomState) -> np.ndarray:
    """Return how many images of each class make a part, int64 (classes,), in proportion to the classes' counts.

    Shares are rounded down, and those with the largest remainders up, until the part is full; ties are drawn.
    """
    shares = counts / counts.sum() * images
    whole = np.floor(shares)
    missing = int(images - whole.sum())
    for remainder in np.unique(shares - whole)[::-1]:
        if not missing:
            break
        tied = np.flatnonzero(shares - whole == remainder)
        chosen = rng.choice(tied, min(len(tied), missing), replace=False)
        whole[chosen] += 1
        missing -= len(chosen)
    return whole.astype(np.int64)


def draw_of_each_class(labels: np.ndarray, images: int, reserve: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows with at least one of each class, and otherwise in proportion; return them and all others, both int64.

    reserve: how many of each class must be left. Raises UserError if that cannot be.
    """
    classes, counts = np.unique(labels, return_counts=True)
    most = counts - reserve
    if images < len(classes) or most.min() < 1 or images > most.sum():
        raise UserError(f"cannot draw {images} of {len(labels)} images with one of each class: change the parts")
    shares = counts / counts.sum() * images
    numbers = np.clip(np.floor(shares).astype(np.int64), 1, most)
    while numbers.sum() != images:  # one at a time, where it changes the proportions least
        step = 1 if numbers.sum() < images else -1
        possible = numbers < most if step > 0 else numbers > 1
        numbers[np.argmax(np.where(possible, step * (shares - numbers), -np.inf))] += step
    rng = np.random.default_rng(seed)
    drawn = [
        rng.permutation(np.flatnonzero(labels == label))[:count] for label, count in zip(classes, numbers, strict=True)
    ]
    rows = rng.permutation(np.concatenate(drawn))
    return rows, rng.permutation(np.setdiff1d(np.arange(len(labels)), rows))


def balanced_rows(labels: np.ndarray, images: int, seed: int) -> np.ndarray:
    """Draw rows with as equal numbers of each class as can be; return them in increasing order, int64 (images,).

    The classes give a row each in turn, each class its rows in a random order, as long as they last. So numbers differ
    by one at most but where a class has no more rows, and the rows of a smaller number are among those of a larger one.
    Raises UserError if there are fewer rows, or if not every class can have one.
    """
    classes = np.unique(labels)
    if not len(classes) <= images <= len(labels):
        raise UserError(
            f"cannot draw {images} of {len(labels)} labelled images with one of each of {len(classes)} classes: ask "
            f"for {len(classes)} to {len(labels)}"
        )
    rng = np.random.default_rng(seed)
    turns = np.empty(len(labels), np.int64)  # in which turn of its class a row is drawn
    for label in classes:
        rows = np.flatnonzero(labels == label)
        turns[rows] = rng.permutation(len(rows))
    lots = rng.permutation(len(labels))  # within a turn: which classes come first
    return np.sort(np.lexsort((lots, turns))[:images])


def fold_validation(labels: np.ndarray, folds: np.ndarray, images: int | None, seed: int) -> np.ndarray | None:
    """Draw the rows that each fold validates on, int64 (F, images), increasing; None if it is to be all others.

    labels: int64 (N,), of the labelled set; folds: int64 (F, n), rows of it. Classes are in proportion.
    Raises UserError if there are fewer, or not one of each class.
    """
    if images is None:
        return None
    others = [np.setdiff1d(np.arange(len(labels)), fold) for fold in folds]
    return np.stack([np.sort(rows[draw_of_each_class(labels[rows], images, 0, seed)[0]]) for rows in others])


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
