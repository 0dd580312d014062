"""CIFAR-10: small photographs of ten classes, most of them without their labels."""

from collections.abc import Iterator

from data_sets.declare import Checksums, Copies, CountOrAll, Data, DataSet, Download, Seed, at_most
from declarations.options import Count, Mistake, Options, Values

TRAINING_IMAGES = 50_000  # of the archive


class BinaryArchive(Download):
    """The official archive in its binary form."""

    url = "https://www.cs.toronto.edu/~kriz"
    files: Checksums = {"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"}
    """MD5 of the archive."""


class Cifar10Split(Options):
    """Options of `prepare_cifar10`."""

    train_images: Count = 4000
    """Labelled images to train on."""
    validation_images: Count = 1000
    """Labelled images by which everything is chosen."""
    unlabeled_images: CountOrAll = "all"
    """Training images whose labels are not used; `all` means all that are in neither train nor validation."""
    test_images: CountOrAll = 10000
    """Test images (the first ones)."""
    split_seed: Seed = 0
    """Seed of the split."""


class Cifar10(BinaryArchive, Cifar10Split, Copies, DataSet):
    """CIFAR-10: small photographs of ten classes of animals and vehicles."""

    kind = "cifar10"
    licence = "none stated by its authors"
    size = 32
    channels = 3
    classes = 10

    @classmethod
    def check(cls, name: str, options: Values) -> Iterator[Mistake]:
        """Yield what is more than the archive holds."""
        yield from at_most("train_images", options, TRAINING_IMAGES, "validation_images", "unlabeled_images")

    @classmethod
    def describe(cls, name: str, options: Values) -> Data:
        """Return what a method may ask of the data set, with the number of all unlabelled images."""
        data = super().describe(name, options)
        rest = max(0, TRAINING_IMAGES - data.train_images - data.validation_images)
        if data.unlabeled_images == "all":
            data = data._replace(unlabeled_images=rest, more_unlabeled=f"lower data.{name}.train_images")
        return data
