"""Pictures of one's own: a folder for each class, perhaps one of unlabeled ones, perhaps one for the test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from data_sets.declare import Data, DataSet, Seed
from declarations.options import Count, InnerPart, Mistake, Options, Values
from semisup.listing import pictures_in, pictures_of_classes, split_counts

FolderPath = Annotated[str, ("minLength", 1)]
CountOrPart = Count | InnerPart
SMALLEST_CLASS = 3  # pictures: one each for training, validation and test


class FolderSplit(Options):
    """Options of `prepare_folder`."""

    pictures: FolderPath
    """Folder with one folder of pictures for each class, which is called as the class."""
    unlabeled: str = ""
    """Folder of pictures without labels; empty, those of `pictures` that are in neither validation nor test."""
    test: str = ""
    """Folder like `pictures` for the test; empty, a part of `pictures` is sealed."""
    image_size: Annotated[int, ("minimum", 8)] = 96
    """Side in pixels of the images: of each picture the middle square, scaled."""
    channels: Literal[1, 3] = 3
    """3 for colours, 1 for grey."""
    sealed: CountOrPart = 0.2
    """Pictures that are sealed as the test set where there is no folder `test`: a number, or a part of all."""
    validation_images: CountOrPart = 0.2
    """Labelled pictures kept for every choice: a number, or a part of all."""
    train_images: Count | InnerPart | Literal["all"] = "all"
    """Labelled pictures to train on: a number, a part of all, or `all` that are left."""
    split_seed: Seed = 0
    """Seed of the split."""


class Folder(FolderSplit, DataSet):
    """Pictures of one's own in class folders, of any format that Pillow reads; they are counted while planning."""

    kind = "folder"

    @classmethod
    def check(cls, name: str, options: Values) -> Iterator[Mistake]:
        """Yield what is wrong with the folders."""
        missing = [key for key in ("pictures", "unlabeled", "test") if options[key] and not Path(options[key]).is_dir()]
        for key in missing:
            yield key, f"there is no folder {options[key]}; give one, or put it there"
        if missing:
            return
        try:
            classes = pictures_of_classes(options["pictures"])
            sealed = pictures_of_classes(options["test"]) if options["test"] else {}
        except (OSError, ValueError) as error:
            yield "pictures", str(error)
            return
        if len(classes) < 2:  # noqa: PLR2004
            yield "pictures", f"{options['pictures']} has {len(classes)} class folders; give it at least 2"
        needed = SMALLEST_CLASS - bool(options["test"])
        for label, pictures in classes.items():
            if len(pictures) < needed:
                yield (
                    "pictures",
                    f"the class {label!r} has {len(pictures)} pictures, and each class needs {needed}, one for every "
                    "split; add some, or remove its folder",
                )
        if options["test"] and list(sealed) != list(classes):
            only = min(set(classes) ^ set(sealed))
            yield (
                "test",
                f"only one of {options['test']} and {options['pictures']} has the class {only!r}; give it to both",
            )
        if options["unlabeled"] and not pictures_in(options["unlabeled"]):
            yield "unlabeled", f"{options['unlabeled']} holds no pictures; give another folder, or none"
        labelled = sum(map(len, classes.values()))
        counts = split_counts(options, labelled)
        least = min(counts, key=lambda split: counts[split])
        if counts[least] < len(classes):
            yield (
                "sealed" if least == "test" else f"{least}_images",
                f"{labelled} pictures leave {counts[least]} for {least}, and each of the {len(classes)} classes needs "
                "one; add pictures, or change the parts",
            )

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
        return Data(name, *sizes, 0, 0, counts["train"], counts["validation"], unlabeled, sealed)
