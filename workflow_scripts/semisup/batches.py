"""What is to be classified, in batches: pictures in files and folders, data sets, files of STL-10."""

import logging
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from semisup.cli import UserError, in_one_line
from semisup.dataset import image_blocks
from semisup.hdf5 import open_hdf5
from semisup.listing import is_passed_over, pictures_below
from semisup.pictures import PictureError, read_picture
from semisup.scaling import scale_all
from semisup.stl10 import bin_blocks


class Batch(NamedTuple):
    """Some images.

    numbers: of each among all that are to be classified, from 1; names: of their files
    labels: the class whose name a folder of the picture has, or None; images: uint8 (n, C, H, W)
    """

    numbers: list[int]
    names: list[str]
    labels: list[int | None]
    images: np.ndarray


class Reading(NamedTuple):
    """How pictures are read.

    channels, size: of the model; fit: see `read_picture`; block: images in a batch; split: of data sets
    strict: whether a picture that cannot be read is an error
    """

    channels: int
    size: int
    fit: str
    block: int
    split: str
    strict: bool


class Listed(NamedTuple):
    """What there is to be classified: pictures, each with its label or None; data sets and .bin files; how many passed.

    passed_over: files in the folders that are meant to be no pictures
    """

    pictures: list[tuple[Path, int | None]]
    sets: list[Path]
    passed_over: int


def class_key(name: str) -> str:
    """Return what equal names of classes have in common, as file systems differ in accents and case."""
    return unicodedata.normalize("NFC", name).casefold()


def listed(paths: Sequence[Path], classes: Mapping[str, int]) -> Listed:
    """List pictures, folders of them, data sets and .bin files; classes: label of each class by `class_key`.

    Raises UserError if one of the paths is not there or no file, or if there is nothing in them, or no right to look.
    """
    try:
        return _listed(paths, classes)
    except PermissionError as error:
        name = in_one_line(error.filename)
        raise UserError(f"{name} cannot be looked into: change its permissions, or move it elsewhere") from error


def _listed(paths: Sequence[Path], classes: Mapping[str, int]) -> Listed:
    pictures: list[tuple[Path, int | None]] = []
    sets, passed_over = [], 0
    for path in paths:
        if not path.exists():
            name = in_one_line(path)
            raise UserError(f"{name} does not exist: give pictures, folders of them, a data set (.h5) or a .bin file")
        if path.is_dir():
            found, passed = pictures_below(path)
            passed_over += passed
            pictures += [(picture, _label(picture, path, classes)) for picture in found]
        elif not path.is_file():
            raise UserError(f"{in_one_line(path)} is a pipe or a device: save what comes from it as a file")
        elif path.suffix == ".bin" or _is_hdf5(path):
            sets.append(path)
        elif is_passed_over(path.name.lstrip(".")):  # who names a hidden file means it
            passed_over += 1
        else:
            pictures.append((path, _label(path, path.parent, classes)))
    if not pictures and not sets:
        raise UserError(f"{', '.join(map(in_one_line, paths))} holds no pictures: give image files, or folders of them")
    return Listed(pictures, sets, passed_over)


def _is_hdf5(path: Path) -> bool:
    """Tell whether a file is HDF5; not if it cannot be opened, which whoever reads it as a picture will say."""
    try:
        return h5py.is_hdf5(path)
    except OSError:
        return False


def _label(picture: Path, folder: Path, classes: Mapping[str, int]) -> int | None:
    """Return the class that the picture's folder is named after, or one above it, as far as the one that was given."""
    names = [*picture.relative_to(folder).parent.parts[::-1], folder.name]
    return next((classes[key] for key in map(class_key, names) if key in classes), None)


def batches(what: Listed, reading: Reading, skipped: Callable[[], None]) -> Iterator[Batch]:
    """Yield all that is listed, first the pictures, scaled to the model's size.

    skipped: called for each picture that cannot be read. Raises PictureError for it instead if reading is strict.
    """
    yield from _picture_batches(what.pictures, reading, skipped)
    before = len(what.pictures)
    for path in what.sets:
        own = 0
        for images in _set_blocks(path, reading):
            if images.shape[1] != reading.channels:
                raise UserError(
                    f"{path} has images of {images.shape[1]} channels, and the model takes {reading.channels}: "
                    "give others"
                )
            places = range(own + 1, own + len(images) + 1)
            own += len(images)
            numbers, names = [before + place for place in places], [f"{path}#{place}" for place in places]
            yield Batch(numbers, names, [None] * len(images), images)
        before += own


def _picture_batches(
    pictures: Sequence[tuple[Path, int | None]], reading: Reading, skipped: Callable[[], None]
) -> Iterator[Batch]:
    for start in range(0, len(pictures), reading.block):
        batch = Batch([], [], [], np.zeros((0, reading.channels, reading.size, reading.size), np.uint8))
        images = []
        for number, (path, label) in enumerate(pictures[start : start + reading.block], start + 1):
            try:
                images.append(scale_all(read_picture(path, reading.channels, fit=reading.fit)[None], reading.size))
            except PictureError as error:
                if reading.strict:
                    raise
                logging.warning("skipped: %s", error)
                skipped()
                continue
            batch.numbers.append(number)
            batch.names.append(str(path))
            batch.labels.append(label)
        if images:
            yield batch._replace(images=np.concatenate(images))


def _set_blocks(path: Path, reading: Reading) -> Iterator[np.ndarray]:
    """Yield uint8 (n, C, H, W) blocks of a .bin file or of a data set. Raises UserError if it lacks the split."""
    if path.suffix == ".bin":
        yield from bin_blocks(path, reading.block)
        return
    with open_hdf5(path) as file:
        if reading.split not in file:
            raise UserError(f"{path} has no split {reading.split}: choose one of {', '.join(file)}")
    yield from image_blocks(path, reading.split, reading.block)
