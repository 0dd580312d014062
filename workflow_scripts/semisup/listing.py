"""Folders of pictures, listed while planning and by programs. Standard library only."""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LEFT_BY_SYSTEMS = ("thumbs.db", "desktop.ini")
TEXTS = (".txt", ".md", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".html", ".htm", ".log")


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sort key that puts 2.png before 10.png: numbers by value, all else as text."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def is_passed_over(name: str) -> bool:
    """Tell whether a file of this name is meant to be no picture: hidden, left there by a system, or a text."""
    lower = name.lower()
    return lower.startswith(".") or lower in LEFT_BY_SYSTEMS or lower.endswith(TEXTS)


def pictures_in(folder: str | Path) -> list[Path]:
    """Return the files of a folder, sorted by name, without those that are passed over.

    A link that leads nowhere is among them, so that it is not missed.
    """
    kept = [entry for entry in os.scandir(folder) if _is_file(entry) and not is_passed_over(entry.name)]
    return [Path(entry.path) for entry in sorted(kept, key=lambda entry: (natural_key(entry.name), entry.name))]


def _is_file(entry: os.DirEntry) -> bool:
    return _leads_nowhere(entry) or entry.is_file()


def _is_folder(entry: os.DirEntry) -> bool:
    return not _leads_nowhere(entry) and entry.is_dir()


def _leads_nowhere(entry: os.DirEntry) -> bool:
    """Tell whether an entry is a link to nothing, to itself, or to where one may not look."""
    try:
        return entry.is_symlink() and not Path(entry.path).exists()
    except PermissionError:
        return True


def pictures_below(folder: str | Path) -> tuple[list[Path], int]:
    """Return the pictures of a folder and of all folders below it, and how many files were passed over.

    A folder that a link leads back to is looked into once; hidden folders are left out.
    """
    found: list[Path] = []
    passed, seen, waiting = 0, set(), [Path(folder)]
    while waiting:
        place = waiting.pop()
        if (real := place.resolve()) in seen:
            continue
        seen.add(real)
        entries = list(os.scandir(place))
        passed += sum(_is_file(entry) and is_passed_over(entry.name) for entry in entries)
        found += pictures_in(place)
        folders = [entry.name for entry in entries if _is_folder(entry) and not entry.name.startswith(".")]
        waiting += [place / name for name in sorted(folders, key=lambda name: (natural_key(name), name), reverse=True)]
    return found, passed


def pictures_of_classes(folder: str | Path) -> dict[str, list[Path]]:
    """Return the pictures of each class of a folder that has one folder for each class, sorted by its name.

    Names are in Unicode's composed form, as file systems differ in it. Raises ValueError if two are equal then, but for
    the case of their letters: predict.py finds the class of a folder in any case.
    """
    classes: dict[str, list[Path]] = {}
    alike: dict[str, str] = {}
    for entry in os.scandir(folder):
        if _is_folder(entry) and not entry.name.startswith("."):
            name = unicodedata.normalize("NFC", entry.name)
            other = alike.setdefault(name.casefold(), name)
            if other != name or name in classes:
                raise ValueError(f"two folders are both called {name!r}, in any case of the letters: rename one")
            classes[name] = pictures_in(entry.path)
    return dict(sorted(classes.items(), key=lambda pair: (natural_key(pair[0]), pair[0])))


def listing_digest(folders: Iterable[str | Path]) -> str:
    """Return a digest of the paths, sizes and times of the pictures in these folders and in folders in them."""
    digest = hashlib.sha256()
    for folder in folders:
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
        inside = sorted(entry.path for entry in entries if _is_folder(entry))
        for path in [path for place in (folder, *inside) for path in pictures_in(place)]:
            status = path.stat() if path.exists() else path.lstat()
            words = (str(path.relative_to(folder)), status.st_size, status.st_mtime_ns)
            digest.update(repr(words).encode(errors="surrogateescape"))
        digest.update(b"|")
    return digest.hexdigest()[:16]


def split_counts(options: dict[str, Any], labelled: int) -> dict[str, int]:
    """Return how many of the labelled pictures go into train, validation and, without a folder for it, test.

    options: `validation_images` and `sealed`, a number or a part of all; `train_images`, also None or 'all'; `test`.
    """

    def number(asked: float) -> int:
        return asked if isinstance(asked, int) else round(asked * labelled)

    counts = {} if options["test"] else {"test": number(options["sealed"])}
    counts["validation"] = number(options["validation_images"])
    left = labelled - sum(counts.values())
    asked = options["train_images"]
    counts["train"] = left if asked in (None, "all") else number(asked)
    if isinstance(asked, float) and 0 < counts["train"] - left <= len(counts):  # parts of 1 in all, each rounded
        counts["train"] = left
    return counts
