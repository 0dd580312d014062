"""MNIST: handwritten digits, most of them without their labels."""

from data_sets.declare import Checksums, Copies, CountOrAll, DataSet, Download, Seed
from declarations.options import Count, Options


class IdxFiles(Download):
    """The four files in idx format."""

    url = "https://ossci-datasets.s3.amazonaws.com/mnist"
    mirrors = ["https://storage.googleapis.com/cvdf-datasets/mnist"]
    files: Checksums = {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    }
    """MD5 of each file."""
    members: Checksums = {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }
    """MD5 of each file, unpacked."""


class MnistSplit(Options):
    """Options of `prepare_mnist`."""

    train_images: Count = 3000
    """Labelled images to train on."""
    validation_images: Count = 10000
    """Labelled images by which everything is chosen."""
    unlabeled_images: Count = 47000
    """Training images whose labels are not used."""
    test_images: CountOrAll = 10000
    """Test images (the first ones)."""
    split_seed: Seed = 0
    """Seed of the split."""


class Mnist(IdxFiles, MnistSplit, Copies, DataSet):
    """The four idx files of MNIST."""

    kind = "mnist"
    licence = "CC BY-SA 3.0"
    of_source = True
    size = 28
    channels = 1
    classes = 10
    copy_correlation = 0.995  # ones of different hands reach 0.994
