"""The embedded data set `photos`: crops of photographs that scikit-image and scikit-learn ship in their packages.

A class is a photograph, so this is scene-patch recognition: real pictures and real learning, but easier than telling
kinds of objects apart.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import skimage
import skimage.data
from PIL import Image
from sklearn.datasets import load_sample_image
from sklearn.model_selection import StratifiedShuffleSplit

from semisup.cli import UserError
from semisup.dataset import IMAGES_PER_BLOCK, Split, write_dataset

CROP = 96
SOURCE = "crops of photographs shipped in the scikit-image and scikit-learn packages; class = photograph"

# Class name -> file, in the order of the labels. scikit-learn ships china.jpg and flower.jpg, scikit-image the others.
COLOUR_PICTURES = {
    "astronaut": "astronaut.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "flower": "flower.jpg",
    "galaxies": "hubble_deep_field.jpg",
    "motorcycle": "motorcycle_left.png",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
    "temple": "china.jpg",
    "tissue": "ihc.png",
}
GREY_PICTURES = {
    "brick": "brick.png",
    "camera": "camera.png",
    "coins": "coins.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "moon": "moon.png",
    "page": "page.png",
    "text": "text.png",
}
SCIKIT_LEARN_FILES = ("china.jpg", "flower.jpg")

# The vertical band of a colour picture that each split is cut from, in percent of the width. Bands do not overlap, so
# neither do crops of different splits. In the narrowest picture (451 px) the narrowest band has 99 px.
BANDS = {"train": (0, 31), "unlabeled": (31, 56), "validation": (56, 78), "test": (78, 100)}

# Crops with less spread in every channel (in grey levels) are blank, like the black corners around the retina.
SMALLEST_SPREAD = 2.0


class Counts(NamedTuple):
    """How many crops each split is to have, how many folds there are, and how many labelled crops are in each."""

    train: int
    validation: int
    unlabeled: int
    test: int
    folds: int
    fold_images: int


def load_pictures() -> dict[str, np.ndarray]:
    """Return the pictures by name, colour before grey, each uint8 (3, H, W); a grey one has three equal channels.

    Raises UserError if the installed scikit-image lacks one.
    """
    return {name: read_picture(file) for name, file in (COLOUR_PICTURES | GREY_PICTURES).items()}


def read_picture(file: str) -> np.ndarray:
    """Read one shipped picture, uint8 (3, H, W). Raises UserError if it is not there."""
    if file in SCIKIT_LEARN_FILES:
        return load_sample_image(file).transpose(2, 0, 1)
    # Not through the functions of skimage.data: those would download what is missing.
    path = Path(skimage.data.__file__).parent / file
    if not path.is_file():
        raise UserError(f"scikit-image {skimage.__version__} does not ship {file}: install scikit-image 0.26")
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).transpose(2, 0, 1)


def band_edges(width: int, split: str) -> tuple[int, int]:
    """Return the first column of a split's band and the first column after it."""
    first, last = BANDS[split]
    return width * first // 100, width * last // 100


def draw_crops(picture: np.ndarray, left: int, right: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the corners (y, x) of `count` crops between columns `left` and `right`, int64 (count, 2).

    picture: uint8 (3, H, W). No two crops have the same pixels, and none is blank.
    Raises UserError if there are not that many.
    """
    rows = max(picture.shape[1] - CROP + 1, 0)
    columns = max(right - left - CROP + 1, 0)
    seen = set()
    corners = []
    for position in rng.permutation(rows * columns):
        if len(corners) == count:
            break
        y, x = divmod(int(position), columns)
        crop = crop_at(picture, y, left + x)
        pixels = crop.tobytes()
        if pixels not in seen and crop.std(axis=(1, 2)).max() >= SMALLEST_SPREAD:
            seen.add(pixels)
            corners.append((y, left + x))
    if len(corners) < count:
        raise UserError(f"asked for {count} crops of a picture that has {len(corners)}: ask for fewer images")
    return np.array(corners, np.int64).reshape(-1, 2)


def crop_at(picture: np.ndarray, y: int, x: int) -> np.ndarray:
    """Return the crop with its upper left corner at (y, x), a view, uint8 (3, 96, 96)."""
    return picture[:, y : y + CROP, x : x + CROP]


def even_shares(total: int, parts: int) -> list[int]:
    """Divide `total` into `parts` whole numbers that differ by at most one."""
    return [total // parts + (part < total % parts) for part in range(parts)]


def draw_split(pictures: dict[str, np.ndarray], split: str, count: int, seed: int) -> np.ndarray:
    """Draw the crops of a split as rows (picture, y, x) in random order, int64 (count, 3).

    Labelled splits have equally many of each colour picture. Half of the unlabeled crops come from the grey pictures,
    which, having no other use, are drawn from all over. What is drawn depends on no other split.
    """
    rng = np.random.default_rng([seed, list(BANDS).index(split)])
    colour, grey = even_shares(count, 2) if split == "unlabeled" else (count, 0)
    shares = even_shares(colour, len(COLOUR_PICTURES)) + even_shares(grey, len(GREY_PICTURES))
    crops = []
    for number, (name, share) in enumerate(zip(pictures, shares, strict=True)):
        width = pictures[name].shape[2]
        left, right = band_edges(width, split) if name in COLOUR_PICTURES else (0, width)
        try:
            corners = draw_crops(pictures[name], left, right, share, rng)
        except UserError as error:
            raise UserError(f"{split}, picture {name}: {error}") from error
        crops.append(np.column_stack([np.full(share, number), corners]))
    return rng.permutation(np.concatenate(crops))


def crop_blocks(pictures: dict[str, np.ndarray], crops: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the pixels of the crops (picture, y, x) in blocks, uint8 (n, 3, 96, 96)."""
    by_number = list(pictures.values())
    for start in range(0, len(crops), IMAGES_PER_BLOCK):
        block = crops[start : start + IMAGES_PER_BLOCK]
        yield np.stack([crop_at(by_number[number], y, x) for number, y, x in block])


def draw_folds(labels: np.ndarray, folds: int, fold_images: int, seed: int) -> np.ndarray:
    """Draw class-balanced subsets of the labelled set, int64 (folds, fold_images); like STL-10's, they overlap.

    Raises UserError if there are too few labelled images.
    """
    splitter = StratifiedShuffleSplit(folds, train_size=fold_images, random_state=seed)
    try:
        return np.stack([rows for rows, _ in splitter.split(labels, labels)])
    except ValueError as error:
        raise UserError(
            f"cannot draw folds of {fold_images} from {len(labels)} labelled images: {error}; ask for other sizes"
        ) from error


def write_photos(counts: Counts, seed: int, images_path: str | Path, test_labels_path: str | Path) -> None:
    """Write the data set. Where each crop was cut lies in `crop`, int64 (N, 3), as picture, y and x.

    The numbers of the pictures are the labels, then those of the grey pictures. So the `crop` of the test split lies
    with the test labels. Raises UserError if a picture cannot supply as many crops as asked.
    """
    pictures = load_pictures()
    splits = {}
    labels = {}
    for name in BANDS:
        crops = draw_split(pictures, name, getattr(counts, name), seed)
        labels[name] = None if name == "unlabeled" else crops[:, 0]
        splits[name] = Split(crop_blocks(pictures, crops), np.arange(len(crops)), labels[name], {"crop": crops})

    folds = draw_folds(np.concatenate([labels["train"], labels["validation"]]), counts.folds, counts.fold_images, seed)
    attributes = {
        "dataset": "photos",
        "class_names": list(COLOUR_PICTURES),
        "source": SOURCE,
        "checksums": {
            name: hashlib.md5(picture.tobytes(), usedforsecurity=False).hexdigest()
            for name, picture in pictures.items()
        },
        "pictures": list(pictures),
    }
    write_dataset(images_path, test_labels_path, splits, folds, attributes)
