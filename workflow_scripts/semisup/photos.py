"""The embedded data set `photos`: crops of photographs that scikit-image and scikit-learn ship in their packages.

A class is a photograph, so this is scene-patch recognition: real pictures and real learning, but easier than telling
kinds of objects apart.
"""

import hashlib
from collections.abc import Iterator, Mapping
from itertools import islice, pairwise, zip_longest
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
from semisup.splits import fold_validation

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

# Least side of a tile in pixels: a crop fits into it at some places, and every split has tiles in the smallest picture.
TILE = 100
# The splits in the order that their tiles lie in: training tiles are neighbours of as many validation as test tiles.
TILED_SPLITS = ("train", "validation", "unlabeled", "test")

# Crops with less spread in every channel (in grey levels) are blank, like the black corners around the retina.
SMALLEST_SPREAD = 2.0


class Tile(NamedTuple):
    """A rectangle of a picture whose crops all belong to one split; it ends before row `bottom` and column `right`."""

    picture: str
    split: str
    top: int
    bottom: int
    left: int
    right: int


class Counts(NamedTuple):
    """How many crops each split is to have, how many folds there are, and how many labelled crops are in each.

    fold_validation: how many of the other labelled crops a fold validates on, None for all.
    """

    train: int
    validation: int
    unlabeled: int
    test: int
    folds: int
    fold_images: int
    fold_validation: int | None = None


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


def cut_tiles(pictures: Mapping[str, np.ndarray]) -> list[Tile]:
    """Cut the pictures into tiles that do not overlap; a tile's place in the list is its number.

    The tiles of a colour picture, at least `TILE` pixels high and wide, go to the splits along diagonals: each row and
    column of four tiles has one of every split. A grey picture, having no other use, is one unlabeled tile.
    """
    tiles = []
    for name, picture in pictures.items():
        height, width = picture.shape[1:]
        if name in GREY_PICTURES:
            tiles.append(Tile(name, "unlabeled", 0, height, 0, width))
            continue
        for row, (top, bottom) in enumerate(even_spans(height, height // TILE)):
            for column, (left, right) in enumerate(even_spans(width, width // TILE)):
                split = TILED_SPLITS[(row + column) % len(TILED_SPLITS)]
                tiles.append(Tile(name, split, top, bottom, left, right))
    return tiles


def even_spans(length: int, parts: int) -> list[tuple[int, int]]:
    """Divide `length` pixels into spans (first, first after it) that differ by at most one pixel."""
    return list(pairwise(length * part // parts for part in range(parts + 1)))


def draw_crops(
    picture: np.ndarray, tiles: Mapping[int, Tile], count: int, rng: np.random.Generator
) -> list[tuple[int, int, int]]:
    """Draw `count` crops from the tiles of a picture, uint8 (3, H, W), in turn; return (tile number, y, x) of each.

    No two crops have the same pixels, and none is blank. A tile that has no more is passed over.
    Raises UserError if all tiles together have fewer.
    """
    seen: set[bytes] = set()
    supplies = [distinct_crops(picture, number, tiles[number], seen, rng) for number in rng.permutation(list(tiles))]
    turns = zip_longest(*supplies)
    crops = list(islice((crop for turn in turns for crop in turn if crop is not None), count))
    if len(crops) < count:
        raise UserError(f"asked for {count} crops of tiles that have {len(crops)}: ask for fewer images")
    return crops


def distinct_crops(
    picture: np.ndarray, number: int, tile: Tile, seen: set[bytes], rng: np.random.Generator
) -> Iterator[tuple[int, int, int]]:
    """Yield the crops of a tile in random order as (number, y, x), without blank crops and pixels that were seen."""
    rows = max(tile.bottom - tile.top - CROP + 1, 0)
    columns = max(tile.right - tile.left - CROP + 1, 0)
    for position in rng.permutation(rows * columns):
        y, x = tile.top + int(position) // columns, tile.left + int(position) % columns
        crop = crop_at(picture, y, x)
        pixels = crop.tobytes()
        if pixels not in seen and crop.std(axis=(1, 2)).max() >= SMALLEST_SPREAD:
            seen.add(pixels)
            yield number, y, x


def crop_at(picture: np.ndarray, y: int, x: int) -> np.ndarray:
    """Return the crop with its upper left corner at (y, x), a view, uint8 (3, 96, 96)."""
    return picture[:, y : y + CROP, x : x + CROP]


def even_shares(total: int, parts: int) -> list[int]:
    """Divide `total` into `parts` whole numbers that differ by at most one."""
    return [total // parts + (part < total % parts) for part in range(parts)]


def draw_split(pictures: Mapping[str, np.ndarray], tiles: list[Tile], split: str, count: int, seed: int) -> np.ndarray:
    """Draw the crops of a split as rows (picture, tile, y, x) in random order, int64 (count, 4).

    Labelled splits have equally many of each colour picture, and of each of its tiles, as far as these have so many.
    Half of the unlabeled crops come from the grey pictures. What is drawn depends on no other split.
    """
    rng = np.random.default_rng([seed, TILED_SPLITS.index(split)])
    colour, grey = even_shares(count, 2) if split == "unlabeled" else (count, 0)
    shares = even_shares(colour, len(COLOUR_PICTURES)) + even_shares(grey, len(GREY_PICTURES))
    crops = []
    for number, (name, share) in enumerate(zip(pictures, shares, strict=True)):
        own = {place: tile for place, tile in enumerate(tiles) if (tile.picture, tile.split) == (name, split)}
        try:
            drawn = draw_crops(pictures[name], own, share, rng)
        except UserError as error:
            raise UserError(f"{split}, picture {name}: {error}") from error
        crops += [(number, *crop) for crop in drawn]
    return rng.permutation(np.array(crops, np.int64))


def crop_blocks(pictures: Mapping[str, np.ndarray], crops: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the pixels of the crops (picture, tile, y, x) in blocks, uint8 (n, 3, 96, 96)."""
    by_number = list(pictures.values())
    for start in range(0, len(crops), IMAGES_PER_BLOCK):
        block = crops[start : start + IMAGES_PER_BLOCK]
        yield np.stack([crop_at(by_number[number], y, x) for number, _, y, x in block])


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
    """Write the data set. `crop`, int64 (N, 3), has the picture, y and x of each crop; `group`, int64 (N,), its tile.

    The numbers of the pictures are the labels, then those of the grey pictures. So for the test split both lie with
    the labels. Raises UserError if a picture cannot supply as many crops as asked.
    """
    pictures = load_pictures()
    tiles = cut_tiles(pictures)
    splits = {}
    labels = {}
    for name in TILED_SPLITS:
        crops = draw_split(pictures, tiles, name, getattr(counts, name), seed)
        labels[name] = None if name == "unlabeled" else crops[:, 0]
        places = {"crop": crops[:, [0, 2, 3]], "group": crops[:, 1]}
        splits[name] = Split(crop_blocks(pictures, crops), np.arange(len(crops)), labels[name], places)

    labelled = np.concatenate([labels["train"], labels["validation"]])
    folds = draw_folds(labelled, counts.folds, counts.fold_images, seed)
    validation = fold_validation(labelled, folds, counts.fold_validation, seed)
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
    write_dataset(images_path, test_labels_path, splits, (folds, validation), attributes)
