"""CIFAR-10 from an archive of the official layout that the test makes."""

import h5py
import numpy as np
import pytest

import prepare_cifar10
from fixtures_cifar10 import NAMES, cifar10_archive, cifar10_content, cifar10_records
from semisup import cifar10
from semisup.cli import UserError


def arguments(path, folder, **options):
    values = {"train_images": 20, "validation_images": 10, "test_images": 10} | options
    words = [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return ["--archive", str(path), *words, "--images", f"{folder}/images.h5", "--test-labels", f"{folder}/labels.h5"]


def test_images_and_labels_are_those_of_the_files(tmp_path):
    prepare_cifar10.main(arguments(cifar10_archive(tmp_path, cifar10_content()), tmp_path, test_images="all"))
    sources = [cifar10_records(number) for number in range(1, 6)]
    images, labels = (np.concatenate([source[part] for source in sources]) for part in (1, 2))
    with h5py.File(tmp_path / "images.h5") as file, h5py.File(tmp_path / "labels.h5") as sealed:
        rows = [file[f"{split}/source_index"][:] for split in ("train", "validation", "unlabeled")]
        assert list(map(len, rows)) == [20, 10, 120]  # the rest is unlabeled
        assert sorted(np.concatenate(rows)) == list(range(150))
        for split, part in zip(("train", "validation", "unlabeled"), rows, strict=True):
            np.testing.assert_array_equal(file[f"{split}/images"], images[part])
        np.testing.assert_array_equal(file["train/labels"], labels[rows[0]])
        assert np.bincount(file["train/labels"]).tolist() == [2] * 10
        np.testing.assert_array_equal(file["test/images"], cifar10_records(0)[1])
        np.testing.assert_array_equal(sealed["labels"], cifar10_records(0)[2])
        assert list(file.attrs["class_names"]) == NAMES
        assert "labels" not in file["unlabeled"]
        assert "labels" not in file["test"]


def test_planes_are_red_green_and_blue():
    image = np.stack([np.full((32, 32), value, np.uint8) for value in (10, 20, 30)])
    image[0, 0, 1] = 99  # the second pixel of the first row
    found = cifar10.decode_records(bytes([7]) + image.tobytes(), "a file")
    np.testing.assert_array_equal(found.images, image[None])
    assert found.labels.tolist() == [7]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("data_batch_3.bin", cifar10_records(3)[0][:-1], r"data_batch_3\.bin has 92189 bytes, not a multiple of 3073"),
        ("data_batch_3.bin", b"", "data_batch_3.bin has 0 bytes"),
        ("test_batch.bin", bytes([10]) + bytes(3072), "test_batch.bin has label 10 at row 0, not 0 to 9"),
        ("batches.meta.txt", b"cat dog", "batches.meta.txt has 2 names, not 10"),
        ("data_batch_3.bin", None, "lacks data_batch_3.bin: download it again"),
        ("batches.meta.txt", b"x" * 1001, "has 1001 bytes, more than 1000: do not use this archive"),
    ],
)
def test_wrong_archive_is_refused_and_nothing_is_left(tmp_path, name, data, message):
    files = cifar10_content() | {name: data}
    path = cifar10_archive(tmp_path, {name: data for name, data in files.items() if data is not None})
    with pytest.raises(UserError, match=message):
        prepare_cifar10.main(arguments(path, tmp_path))
    assert list(tmp_path.iterdir()) == [path]


def test_archive_that_is_cut_short_is_refused(tmp_path):
    path = cifar10_archive(tmp_path, cifar10_content())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="is damaged or cut short"):
        prepare_cifar10.main(arguments(path, tmp_path))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_images": 200}, "there are only 150 labelled images"),
        ({"unlabeled_images": 121}, "asked for 121 unlabeled images, but there are only 120"),
        ({"test_images": 31}, "asked for 31 test images, but there are only 30"),
    ],
)
def test_more_images_than_there_are_is_one_line(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        prepare_cifar10.main(arguments(cifar10_archive(tmp_path, cifar10_content()), tmp_path, **options))
