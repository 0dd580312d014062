"""Pictures of one's own: a folder for each class, perhaps one of unlabelled pictures, perhaps one for the test."""

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Annotated, Any, Literal

from data_sets.declare import Copies, Data, DataSet, Seed
from declarations.options import Count, InnerPart, Mistake, Options, Values
from semisup.listing import pictures_in, pictures_of_classes, split_counts
from semisup.titles import title_mistake

FolderPath = Annotated[str, ("minLength", 1)]
CountOrPart = Count | InnerPart
# What a table would read as an empty cell.
NO_NAMES = ("NA", "N/A", "NaN", "nan", "null", "NULL", "None", "n/a", "-nan", "-NaN", "#N/A", "<NA>")
NO_NAMES += ("#NA", "#N/A N/A", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN")
SMALLEST_CLASS = 3  # pictures: one each for training, validation and test


class FolderSplit(Options):
    """Options of `prepare_folder`."""

    pictures: FolderPath
    """Folder that holds one folder of pictures for each class; the folder's name is the name of the class."""
    unlabeled: str = ""
    """Folder of pictures without labels. If empty, all of `pictures` that are in neither validation nor test."""
    test: str = ""
    """Folder like `pictures` for the test. If empty, a part of `pictures` is sealed."""
    image_size: Annotated[int, ("minimum", 8)] = 96
    """Side in pixels of the images. The middle square of each picture is scaled to it."""
    channels: Literal[1, 3] = 3
    """3 for colours, 1 for grey."""
    sealed: CountOrPart = 0.2
    """Pictures that are sealed as the test set if there is no folder `test`: a number, or a part of all."""
    validation_images: CountOrPart = 0.2
    """Labelled pictures by which everything is chosen: a number, or a part of all."""
    train_images: Count | InnerPart | Literal["all"] = "all"
    """Labelled pictures to train on: a number, a part of all, or `all` that are left over."""
    split_seed: Seed = 0
    """Seed of the split."""


class Folder(FolderSplit, Copies, DataSet):
    """Pictures of one's own in class folders, of any format that Pillow reads. They are counted while planning."""

    kind = "folder"
    licence = "that of the pictures, which are the user's own"

    @classmethod
    def check(cls, name: str, options: Values) -> Iterator[Mistake]:
        """Yield what is wrong with the folders."""
        missing = [key for key in ("pictures", "unlabeled", "test") if options[key] and not Path(options[key]).is_dir()]
        for key in missing:
            yield key, f"there is no folder {options[key]}; give one, or put it there"
        if missing:
            return
        places = {key: Path(options[key]).resolve() for key in ("pictures", "unlabeled", "test") if options[key]}
        for one, other in permutations(places, 2):
            if places[one].is_relative_to(places[other]):
                yield one, f"{options[one]} is, or lies in, the folder of `{other}`; keep them apart"
                return
        found: dict[str, Any] = {"unlabeled": ["none asked for"], "test": {}}
        for key in places:
            try:
                found[key] = (pictures_in if key == "unlabeled" else pictures_of_classes)(options[key])
            except OSError as error:
                yield key, f"{error.filename} cannot be looked into: {error.strerror}; change its permissions"
                return
            except ValueError as error:
                yield key, f"{options[key]}: {error}"
                return
        classes, sealed, unlabeled = found["pictures"], found["test"], found["unlabeled"]
        if len(classes) < 2:  # noqa: PLR2004
            yield "pictures", f"{options['pictures']} has {len(classes)} class folders; give it at least 2"
        for label in classes:
            if reason := "a table would read it as an empty cell" if label in NO_NAMES else title_mistake(label):
                yield "pictures", f"a class cannot be called {label!r}: {reason}; rename its folder"
        needed = SMALLEST_CLASS - bool(options["test"])
        for label, pictures in classes.items():
            if len(pictures) < needed:
                remedy = "put them into the folder itself" if _has_folders(options, label) else "add some"
                yield (
                    "pictures",
                    f"the class {label!r} has {len(pictures)} pictures in its folder, and each class needs {needed}, "
                    f"one for every split; {remedy}, or remove its folder",
                )
        if options["test"] and list(sealed) != list(classes):
            only = min(set(classes) ^ set(sealed))
            yield (
                "test",
                f"only one of {options['test']} and {options['pictures']} has the class {only!r}; give it to both",
            )
        if not all(sealed.values()):
            yield (
                "test",
                f"{options['test']} has a class without pictures; add some, or remove the class in both folders",
            )
        if not unlabeled:
            yield "unlabeled", f"{options['unlabeled']} holds no pictures; give another folder, or none"
        yield from _parts_fit(options, list(map(len, classes.values())))

    @classmethod
    def describe(cls, name: str, options: Values) -> Data:
        """Return what a method may ask of the data set; the pictures are counted."""
        classes = pictures_of_classes(options["pictures"])
        labelled = sum(map(len, classes.values()))
        counts = split_counts(options, labelled)
        unlabeled = labelled - counts["validation"] - counts.get("test", 0)
        if options["unlabeled"]:
            unlabeled = len(pictures_in(options["unlabeled"]))
        sealed = sum(map(len, pictures_of_classes(options["test"]).values())) if options["test"] else counts["test"]
        sizes = options["image_size"], options["channels"], len(classes)
        data = Data(name, *sizes, 0, 0, counts["train"], counts["validation"], unlabeled, sealed)
        return data._replace(more_unlabeled="add pictures")


def _has_folders(options: Values, label: str) -> bool:
    """Tell whether the folder of a class holds folders, in which nobody looks for pictures."""
    folder = Path(options["pictures"], label)
    return folder.is_dir() and any(entry.is_dir() for entry in folder.iterdir())


def _parts_fit(options: Values, pictures: list[int]) -> Iterator[Mistake]:
    """Check that every split can have one picture of each class; pictures: how many each class has."""
    counts = split_counts(options, sum(pictures))
    left, splits = sum(pictures), list(counts)  # in the order in which they are drawn
    for position, split in enumerate(splits):
        most = left - len(pictures) * (len(splits) - position - 1)  # each later one needs one of each class
        if not len(pictures) <= counts[split] <= most:
            key = "sealed" if split == "test" else f"{split}_images"
            yield (
                key,
                f"{counts[split]} of {sum(pictures)} pictures for {split}, and it can have {len(pictures)} to {most}, "
                "as every split needs one of each class; change the parts, or add pictures",
            )
            return
        left -= counts[split]
