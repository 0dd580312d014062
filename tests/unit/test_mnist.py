import gzip
import hashlib
import struct

import h5py
import numpy as np
import pytest

import prepare_mnist
import prepare_mnist5k
from semisup import dataset, mnist
from semisup.cli import UserError

OPTIONS = {
    mnist.TRAIN_IMAGES: "--train-images-file",
    mnist.TRAIN_LABELS: "--train-labels-file",
    mnist.TEST_IMAGES: "--test-images-file",
    mnist.TEST_LABELS: "--test-labels-file",
}
SIZES = {"train-images": 20, "validation-images": 30, "unlabeled-images": 50, "test-images": "all"}


def images_idx(images, magic=2051, count=None):
    return struct.pack(">4i", magic, len(images) if count is None else count, *images.shape[1:]) + images.tobytes()


def labels_idx(labels, magic=2049):
    return struct.pack(">2i", magic, len(labels)) + labels.astype(np.uint8).tobytes()


def digits(count, seed):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 10)
    return rng.integers(0, 256, (count, 28, 28), dtype=np.uint8), labels


TRAIN_PIXELS, TRAIN_DIGITS = digits(100, seed=1)
TEST_PIXELS, TEST_DIGITS = digits(20, seed=2)


def contents():
    return {
        mnist.TRAIN_IMAGES: images_idx(TRAIN_PIXELS),
        mnist.TRAIN_LABELS: labels_idx(TRAIN_DIGITS),
        mnist.TEST_IMAGES: images_idx(TEST_PIXELS),
        mnist.TEST_LABELS: labels_idx(TEST_DIGITS),
    }


def prepare(folder, unpacked, packed=None, checksums=None, **sizes):
    """Run the program on files with these contents; `packed` replaces whole .gz files, `checksums` md5s."""
    packed = {name: gzip.compress(data, 1) for name, data in unpacked.items()} | (packed or {})
    checksums = {name: hashlib.md5(data).hexdigest() for name, data in unpacked.items()} | (checksums or {})
    command = ["--images", str(folder / "out/images.h5"), "--test-labels", str(folder / "out/test_labels.h5")]
    for name, data in packed.items():
        (folder / f"{name}.gz").write_bytes(data)
        command += [OPTIONS[name], str(folder / f"{name}.gz"), "--member-md5", f"{name}={checksums[name]}"]
    for name, value in (SIZES | {name.replace("_", "-"): value for name, value in sizes.items()}).items():
        command += [f"--{name}", str(value)]
    prepare_mnist.main(command)
    return folder / "out/images.h5", folder / "out/test_labels.h5"


def assert_refused(folder, match, unpacked, **changes):
    with pytest.raises(UserError, match=match) as caught:
        prepare(folder, unpacked, **changes)
    assert "\n" not in str(caught.value)
    assert list(folder.glob("out/*")) + list(folder.glob("out/.*")) == []


def test_splits_of_the_files(tmp_path):
    images_path, test_labels_path = prepare(tmp_path, contents())
    sources = []
    for split, count in {"train": 20, "validation": 30, "unlabeled": 50}.items():
        with h5py.File(images_path) as file:
            rows = file[f"{split}/source_index"][:]
            assert ("labels" in file[split]) == (split != "unlabeled")
        images = dataset.read_images(images_path, split)
        assert images.shape == (count, 1, 28, 28)
        assert np.array_equal(images[:, 0], TRAIN_PIXELS[rows])
        if split != "unlabeled":
            labels = dataset.read_labels(images_path, split)
            assert np.array_equal(labels, TRAIN_DIGITS[rows])
            assert np.bincount(labels).tolist() == [count // 10] * 10
        sources.extend(rows)
    assert sorted(sources) == list(range(100))
    assert np.array_equal(dataset.read_images(images_path, "test")[:, 0], TEST_PIXELS)
    assert np.array_equal(dataset.read_test_labels(test_labels_path), TEST_DIGITS)
    assert dataset.read_class_names(images_path) == list("0123456789")
    with h5py.File(images_path) as file:
        assert list(file["test"]) == ["images"]


def test_same_bytes_again(tmp_path):
    first = [path.read_bytes() for path in prepare(tmp_path, contents())]
    assert first == [path.read_bytes() for path in prepare(tmp_path, contents())]


def test_first_test_images(tmp_path):
    images_path, test_labels_path = prepare(tmp_path, contents(), test_images=7)
    assert np.array_equal(dataset.read_images(images_path, "test")[:, 0], TEST_PIXELS[:7])
    assert np.array_equal(dataset.read_test_labels(test_labels_path), TEST_DIGITS[:7])


@pytest.mark.parametrize("name", mnist.MEMBERS)
@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.98])
def test_truncated_file(tmp_path, name, share):
    whole = gzip.compress(contents()[name])
    packed = {name: whole[: int(len(whole) * share)]}
    assert_refused(tmp_path, f"{name}.gz (is damaged|unpacks to fewer)", contents(), packed=packed)


@pytest.mark.parametrize("name", mnist.MEMBERS)
def test_wrong_checksum(tmp_path, name):
    assert_refused(tmp_path, f"{name}.gz unpacks.*not 0000", contents(), checksums={name: "0" * 32})


def test_not_gzip(tmp_path):
    assert_refused(tmp_path, "damaged", contents(), packed={mnist.TEST_LABELS: b"<html>404</html>" * 9})


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        (mnist.TRAIN_IMAGES, images_idx(TRAIN_PIXELS, magic=2049), "starts with the number 2049, not 2051"),
        (mnist.TRAIN_LABELS, labels_idx(TRAIN_DIGITS, magic=2051), "starts with the number 2051, not 2049"),
        (mnist.TRAIN_IMAGES, images_idx(TRAIN_PIXELS, count=101), "names 101 items, but has 78400 bytes"),
        (mnist.TRAIN_IMAGES, images_idx(TRAIN_PIXELS, count=-1), "names -1 items"),
        (mnist.TEST_IMAGES, images_idx(TEST_PIXELS)[:-1], "names 20 items, but has 15679 bytes"),
        (mnist.TRAIN_LABELS, labels_idx(TRAIN_DIGITS)[:-1], "names 100 items, but has 99 bytes"),
        (mnist.TRAIN_LABELS, labels_idx(TRAIN_DIGITS[:-1]), "has 99 labels for 100 images"),
        (mnist.TEST_LABELS, labels_idx(TEST_DIGITS + 1), "has label 10, not 0 to 9"),
        (mnist.TEST_IMAGES, images_idx(TEST_PIXELS[:, :, :27]), r"shape \(28, 27\)"),
        (mnist.TEST_LABELS, b"\0\0\x08\x01", "fewer than 8"),
        (mnist.TEST_LABELS, labels_idx(np.zeros(60_001)), "more than 60008"),
    ],
)
def test_wrong_contents(tmp_path, name, data, match):
    assert_refused(tmp_path, match, contents() | {name: data})


@pytest.mark.parametrize(
    ("sizes", "match"),
    [
        ({"train_images": 71}, "71 training and 30 validation.*only 100"),
        ({"unlabeled_images": 51}, "51 unlabeled.*only 50"),
        ({"test_images": 21}, "21 test.*only 20"),
    ],
)
def test_fewer_images_than_asked(tmp_path, sizes, match):
    assert_refused(tmp_path, match, contents(), **sizes)


def test_embedded_digits(tmp_path, monkeypatch):
    """With pixels that tell their row, since the real file takes seconds to parse."""
    pixels = np.zeros((200, 784))
    pixels[:, 300] = np.arange(200)
    digits = np.arange(200) // 20
    monkeypatch.setattr(prepare_mnist5k, "mnist_data", lambda: (pixels, digits))
    sizes = {"train": 30, "validation": 40, "unlabeled": 80, "test": 50}
    paths = tmp_path / "images.h5", tmp_path / "test_labels.h5"
    prepare_mnist5k.main(
        [
            *(text for split, count in sizes.items() for text in (f"--{split}-images", str(count))),
            *("--images", str(paths[0]), "--test-labels", str(paths[1])),
        ]
    )
    rows = {split: dataset.read_images(paths[0], split).reshape(-1, 784)[:, 300] for split in sizes}
    assert len(np.unique(np.concatenate(list(rows.values())))) == 200
    labels = {split: dataset.read_labels(paths[0], split) for split in ("train", "validation")}
    labels["test"] = dataset.read_test_labels(paths[1])
    for split, values in labels.items():
        assert np.array_equal(values, digits[rows[split]])
        assert np.bincount(values).tolist() == [sizes[split] // 10] * 10
    with pytest.raises(UserError, match="only"):
        prepare_mnist5k.main(["--test-images", "190", "--images", str(paths[0]), "--test-labels", str(paths[1])])
