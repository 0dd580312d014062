"""STL-10: photographs of ten classes of animals and vehicles, few of them labelled and many not."""

from collections.abc import Iterator

from data_sets.declare import (
    Checksums,
    Copies,
    CountOrAll,
    DataSet,
    Download,
    FoldValidation,
    Seed,
    at_most,
    fold_validation_fits,
)
from declarations.options import Count, Mistake, Options, Values

LABELLED_IMAGES = 5000  # of the archive


class Archive(Download):
    """The official archive."""

    url = "http://ai.stanford.edu/~acoates/stl10"
    files: Checksums = {"stl10_binary.tar.gz": "91f7769df0f17e558f3565bffb0c7dfb"}
    """MD5 of the archive."""
    members: Checksums = {
        "train_X.bin": "918c2871b30a85fa023e0c44e0bee87f",
        "train_y.bin": "5a34089d4802c674881badbb80307741",
        "test_X.bin": "7f263ba9f9e0b06b93213547f721ac82",
        "test_y.bin": "36f9794fa4beb8a2c72628de14fa638e",
        "unlabeled_X.bin": "5242ba1fed5e4be9e1e742405eb56ca4",
        "fold_indices.txt": "4bbf8cd098ab9f87fe03fbcb37c06b28",
        "class_names.txt": "6de44d022411c4d5cda4673b7f147c3f",
    }
    """MD5 of each file in the archive."""


class Stl10Split(Options):
    """Options of `prepare_stl10`."""

    train_images: Count = 4000
    """Labelled images to train on, classes balanced; train and validation together are at most 5,000."""
    validation_images: Count = 1000
    """Labelled images by which everything is chosen."""
    unlabeled_images: CountOrAll = 100000
    """Unlabelled images (the first ones)."""
    test_images: CountOrAll = 8000
    """Test images (the first ones)."""
    split_seed: Seed = 0
    """Seed of the train/validation split."""


class Stl10(Archive, Stl10Split, FoldValidation, Copies, DataSet):
    """Official archive of STL-10."""

    kind = "stl10"
    licence = "none stated; the images come from ImageNet, whose terms allow non-commercial research and education only"
    of_source = True
    size = 96
    channels = 3
    classes = 10
    number_of_folds = 10
    images_of_fold = 1000

    @classmethod
    def check(cls, name: str, options: Values) -> Iterator[Mistake]:
        """Yield what is more than the archive holds."""
        yield from at_most("train_images", options, LABELLED_IMAGES, "validation_images")
        if options["train_images"] + options["validation_images"] == LABELLED_IMAGES:
            yield from fold_validation_fits(options, cls.images_of_fold, cls.classes)
        elif options["fold_validation_images"] != "all":
            yield (
                "fold_validation_images",
                f"{options['fold_validation_images']} has no meaning where not all {LABELLED_IMAGES} labelled images "
                "are used, as there are no folds; set it to all",
            )
