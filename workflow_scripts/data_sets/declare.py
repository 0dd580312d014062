"""What the workflow asks of a kind of data set, and groups of options that several kinds share."""

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal, NamedTuple

from declarations.options import Count, InnerPart, Mistake, Options, Values

Url = Annotated[str, ("$ref", "#/$defs/url")]
Checksums = dict[str, Annotated[str, ("$ref", "#/$defs/md5")]]
Seed = Annotated[int, ("minimum", 0), ("maximum", 2**32 - 1)]
CountOrAll = Count | Literal["all"]
LABELLED = ("train_images", "validation_images")


class Data(NamedTuple):
    """What a method may ask of a data set.

    size: side of its square images in pixels. folds: their number; fold_images: labelled images that one trains on;
    fold_validation_images: those that it validates on, `all` others or fewer.
    more_unlabeled: how it gets more unlabeled images, if not by the option of that name.
    """

    name: str
    size: int
    channels: int
    classes: int
    folds: int
    fold_images: int
    train_images: int
    validation_images: int
    unlabeled_images: int | Literal["all"]
    test_images: int | Literal["all"]
    fold_validation_images: CountOrAll = "all"
    more_unlabeled: str | None = None

    def remedy(self) -> str:
        """Return how the data set gets more unlabeled images."""
        return self.more_unlabeled or f"raise data.{self.name}.unlabeled_images"

    def image_size(self, options: Values) -> int:
        """Return the side in pixels of the images that an experiment works on."""
        size = options.get("image_size", "native")
        return self.size if size == "native" else size

    def fewer_labels(self, label_counts: Iterable[int]) -> list[int]:
        """Return the numbers of labels that take runs of their own: those of less than all training images."""
        return [count for count in label_counts if count < self.train_images]

    def smallest_training_set(self, folds: bool, label_counts: Iterable[int] = ()) -> tuple[str, int]:
        """Return the fewest labelled images that a run trains on, and what has them."""
        sets = [(self.train_images, self.name)] + ([(self.fold_images, f"a fold of {self.name}")] if folds else [])
        sets += [(count, f"a run with {count} labels of {self.name}") for count in self.fewer_labels(label_counts)]
        images, source = min(sets)
        return source, images

    def validation_sets(self, folds: bool) -> dict[str, int]:
        """Return how many images the runs validate on."""
        of_fold = self._outside_fold() if self.fold_validation_images == "all" else self.fold_validation_images
        return {self.name: self.validation_images} | ({f"a fold of {self.name}": of_fold} if folds else {})

    def hidden_images(self) -> int:
        """Return how many labelled images a fold neither trains nor validates on."""
        validation = self.fold_validation_images
        return 0 if validation == "all" else max(0, self._outside_fold() - validation)

    def _outside_fold(self) -> int:
        return max(0, self.train_images + self.validation_images - self.fold_images)


class Download(Options):
    """Where files come from. Their content does not depend on it."""

    url: Url = ""
    """Folder of the files; http://, https:// or file://."""
    mirrors: list[Url] = []
    """Folders that are tried in turn if the first fails."""


class CopyCorrelation(Options):
    """Option of `find_copies`."""

    copy_correlation: InnerPart = 0.85
    """Least correlation of the thumbnails of two near copies. The mirror image of one of them counts too."""


class Copies(CopyCorrelation):
    """Near copies of test images."""

    leave_out_copies: bool = False
    """Leave out unlabelled images that are near copies of test images; labelled images stay."""


class FoldValidation(Options):
    """What the folds of a data set validate on."""

    fold_validation_images: CountOrAll = "all"
    """Labelled images outside a fold that it validates on, with classes in proportion. The others may be used without
    labels (see `unlabeled_pool`)."""


def at_most(key: str, options: Values, images: int, *others: str) -> Iterator[Mistake]:
    """Check that counts are together at most so many images; an option that is `all` counts nothing."""
    counts = {name: options[name] for name in (key, *others) if options[name] != "all"}
    if sum(counts.values()) > images:
        yield key, f"{' + '.join(counts)} are {sum(counts.values())}, and there are {images} images; lower one of them"


def fold_validation_fits(options: Values, fold_images: int, classes: int) -> Iterator[Mistake]:
    """Check that there are as many labelled images outside a fold as it is to validate on, and one of each class."""
    asked, outside = options["fold_validation_images"], sum(options[key] for key in LABELLED) - fold_images
    if asked != "all" and asked > outside:
        yield (
            "fold_validation_images",
            f"{asked} is more than the {outside} labelled images outside a fold; choose at most that, or all",
        )
    if asked != "all" and asked < classes:
        yield (
            "fold_validation_images",
            f"{asked} cannot have one of each of {classes} classes; choose at least {classes}",
        )


class DataSet:
    """What the workflow asks of a kind of data set. A kind is a class of this and of the groups of its options."""

    kind: ClassVar[str]
    """In the configuration."""
    embedded: ClassVar[bool] = False
    """It is made from files of the installed packages; nothing is downloaded."""
    of_source: ClassVar[bool] = False
    """The source documents of the study measured on it, so that their tables are printed next to ours."""
    licence: ClassVar[str] = "not stated"
    """Terms of use of its images, for the cards of the models that learn from them."""
    size: ClassVar[int]
    """Side of its square images in pixels."""
    channels: ClassVar[int]
    classes: ClassVar[int]
    number_of_folds: ClassVar[int] = 0
    images_of_fold: ClassVar[int] = 0

    @classmethod
    def check(cls, name: str, options: Values) -> Iterator[Mistake]:
        """Yield what a schema cannot say, before anything else is asked."""
        yield from ()

    @classmethod
    def describe(cls, name: str, options: Values) -> Data:
        """Return what a method may ask of the data set of that name and these options."""
        counts = {key: options[key] for key in ("train_images", "validation_images", "unlabeled_images", "test_images")}
        folds = options.get("folds", cls.number_of_folds)
        fold_images = options.get("fold_images", cls.images_of_fold)
        counts["fold_validation_images"] = options.get("fold_validation_images", "all")
        return Data(name, cls.size, cls.channels, cls.classes, folds, fold_images, **counts)
