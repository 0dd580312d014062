import errno
import time
from itertools import pairwise
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from semisup import data_options, dataset, hdf5, run_names, splits
from semisup.cli import UserError

COUNTS = {"train": 20, "validation": 10, "unlabeled": 150, "test": 30}
ATTRIBUTES = {"dataset": "toy", "class_names": ["zero", "één"], "source": "made up", "checksums": {"b": "2", "a": "1"}}


def toy_images(split):
    seed = list(COUNTS).index(split)
    return np.random.default_rng(seed).integers(0, 256, (COUNTS[split], 3, 5, 4), dtype=np.uint8)


def toy_splits():
    splits = {}
    for name, count in COUNTS.items():
        rows = np.arange(count)
        labels = None if name == "unlabeled" else rows % 2
        splits[name] = dataset.Split(dataset.row_blocks(toy_images(name), rows), rows + 1000, labels)
    return splits


def write_toy(folder, **changes):
    folder.mkdir(exist_ok=True)
    folds = np.array([[0, 1, 25], [3, 29, 2]])
    paths = folder / "images.h5", folder / "test_labels.h5"
    dataset.write_dataset(*paths, toy_splits() | changes, (folds, None), ATTRIBUTES)
    return paths


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return write_toy(tmp_path_factory.mktemp("toy"))


def test_what_is_written_is_read(toy):
    images_path, test_labels_path = toy
    for split, count in COUNTS.items():
        images = dataset.read_images(images_path, split)
        assert images.dtype == np.uint8
        assert np.array_equal(images, toy_images(split))
        assert dataset.image_count(images_path, split) == count
    assert dataset.image_shape(images_path) == (3, 5, 4)
    assert dataset.read_class_names(images_path) == ["zero", "één"]
    assert dataset.read_class_names(test_labels_path) == ["zero", "één"]
    assert np.array_equal(dataset.read_labels(images_path, "validation"), np.arange(10) % 2)
    assert np.array_equal(dataset.read_labelled(images_path), np.r_[np.arange(20) % 2, np.arange(10) % 2])
    assert np.array_equal(dataset.read_test_labels(test_labels_path), np.arange(30) % 2)
    assert dataset.read_labelled(images_path).dtype == dataset.read_test_labels(test_labels_path).dtype == np.int64


def test_layout_of_the_files(toy):
    images_path, test_labels_path = toy
    with h5py.File(images_path) as file:
        assert sorted(file) == ["folds", "test", "train", "unlabeled", "validation"]
        assert sorted(file["train"]) == sorted(file["validation"]) == ["images", "labels", "source_index"]
        assert sorted(file["unlabeled"]) == ["images", "source_index"]
        assert list(file["test"]) == ["images"]
        assert file["unlabeled/images"].chunks == (64, 3, 5, 4)
        assert file["train/images"].chunks == (20, 3, 5, 4)
        assert file["train/images"].compression is None
        assert dict(file.attrs)["checksums"] == '{"a": "1", "b": "2"}'
        assert (file.attrs["dataset"], file.attrs["source"]) == ("toy", "made up")
    with h5py.File(test_labels_path) as file:
        assert sorted(file) == ["labels", "source_index"]
        assert np.array_equal(file["source_index"][:], np.arange(30) + 1000)


@pytest.mark.parametrize("block", [1, 64, 100, 150, 1000])
def test_image_blocks_are_consecutive(toy, block):
    blocks = list(dataset.image_blocks(toy[0], "unlabeled", block))
    assert all(len(images) == block for images in blocks[:-1])
    assert np.array_equal(np.concatenate(blocks), toy_images("unlabeled"))


def test_rows_of_runs(toy):
    train, validation = dataset.run_rows(toy[0], "seed7")
    assert np.array_equal(train, np.arange(20))
    assert np.array_equal(validation, np.arange(20, 30))
    train, validation = dataset.run_rows(toy[0], "fold1")
    assert train.dtype == validation.dtype == np.int64
    assert train.tolist() == [3, 29, 2]
    assert validation.tolist() == [row for row in range(30) if row not in (2, 3, 29)]


def test_set_chooses_what_a_fold_validates_on(tmp_path):
    paths, folds = (tmp_path / "images.h5", tmp_path / "test_labels.h5"), np.array([[3, 29, 2], [0, 1, 4]])
    validation = np.array([[5, 7], [8, 20]])
    dataset.write_dataset(*paths, toy_splits(), (folds, validation), ATTRIBUTES)
    for number in (0, 1):
        for rows, expected in zip(dataset.run_rows(paths[0], f"fold{number}"), (folds, validation), strict=True):
            assert rows.dtype == np.int64
            assert np.array_equal(rows, expected[number])


def test_rows_of_runs_with_fewer_labels(toy):
    """Of the twenty training images, ten of each class; all are validated on the same images."""
    for labels in (2, 5, 20):
        train, validation = dataset.run_rows(toy[0], f"labels{labels}_seed3")
        assert train.dtype == validation.dtype == np.int64
        assert np.array_equal(train, splits.balanced_rows(np.arange(20) % 2, labels, seed=3))
        assert np.array_equal(validation, np.arange(20, 30))


@pytest.mark.parametrize("labels", [1, 21])
def test_more_labels_than_there_are_or_fewer_than_classes(toy, labels):
    with pytest.raises(UserError, match=f"cannot draw {labels} of 20 labelled images .*: ask for 2 to 20"):
        dataset.run_rows(toy[0], f"labels{labels}_seed0")


@pytest.mark.parametrize(
    ("run", "name", "seed"),
    [
        ("seed12", ("seeds", 12, None), "seed12"),
        ("fold3", ("folds", 3, None), None),
        ("labels250_seed1", ("labels", 1, 250), "seed1"),
    ],
)
def test_names_of_runs(run, name, seed):
    assert run_names.parsed_run(run) == name
    assert run_names.seed_run(run) == seed
    assert name[2] is None or run_names.labels_run(name[2], name[1]) == run


NO_RUNS = ["seed", "seed-1", "fold0x", "best", "", "labels5", "labels5_fold0", "labels0_seed0", "labels_seed0"]


@pytest.mark.parametrize("run", ["fold2", "fold99", *NO_RUNS])
def test_unknown_run(toy, run):
    assert (run_names.parsed_run(run) is None) == (run in NO_RUNS)
    with pytest.raises(UserError, match=f"run {run}: "):
        dataset.run_rows(toy[0], run)


def test_no_folds_in_the_set(tmp_path):
    paths = tmp_path / "images.h5", tmp_path / "test_labels.h5"
    dataset.write_dataset(*paths, toy_splits(), None, ATTRIBUTES)
    with pytest.raises(UserError, match="has 0 folds"):
        dataset.run_rows(paths[0], "fold0")


def test_test_groups(toy, tmp_path):
    groups = np.arange(30) // 7
    blocks = dataset.row_blocks(toy_images("test"), np.arange(30))
    paths = write_toy(tmp_path, test=dataset.Split(blocks, np.arange(30), np.arange(30) % 2, {"group": groups}))
    assert np.array_equal(dataset.read_test_groups(paths[1]), groups)
    with h5py.File(paths[0]) as file:
        assert list(file["test"]) == ["images"]
    assert np.array_equal(dataset.read_test_groups(toy[1]), np.arange(30)), "each image its own group"


def test_test_labels_are_not_to_be_had_from_the_images(toy):
    with pytest.raises(UserError, match=r"lacks what is needed.*give the right file"):
        dataset.read_labels(toy[0], "test")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.99])
def test_truncated_file(toy, tmp_path, share):
    whole = toy[0].read_bytes()
    path = tmp_path / "cut.h5"
    path.write_bytes(whole[: int(len(whole) * share)])
    readers = [
        lambda: dataset.read_images(path, "train"),
        lambda: next(dataset.image_blocks(path, "train", 8)),
        lambda: dataset.run_rows(path, "seed0"),
        lambda: dataset.read_class_names(path),
    ]
    for reader in readers:
        with pytest.raises(UserError, match="delete it and run again") as caught:
            reader()
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path):
    text = tmp_path / "text.h5"
    text.write_text("not HDF5" * 500)
    with pytest.raises(UserError, match="not an HDF5 file"):
        dataset.read_images(text, "train")
    with pytest.raises(UserError, match="No such file"):
        dataset.read_images(tmp_path / "absent.h5", "train")
    with pytest.raises(UserError, match="Is a directory"):
        dataset.read_images(tmp_path, "train")
    foreign = tmp_path / "foreign.h5"
    with h5py.File(foreign, "w") as file:
        file["something"] = 1
    readers = (dataset.image_shape, dataset.read_class_names, dataset.read_test_labels, dataset.read_test_groups)
    for reader in readers:
        with pytest.raises(UserError, match=r"lacks what is needed.*give the right file"):
            reader(foreign)


def test_nothing_is_left_after_an_error(tmp_path):
    def failing_blocks():
        yield toy_images("test")[:16]
        raise UserError("the source broke off")

    split = dataset.Split(failing_blocks(), np.arange(30), np.zeros(30))
    with pytest.raises(UserError, match="broke off"):
        write_toy(tmp_path / "failed", test=split)
    assert list((tmp_path / "failed").iterdir()) == []


@pytest.mark.parametrize("free", [1_000_000, hdf5.SPARE_BYTES + 20 * 60 - 1])
def test_disk_too_small(tmp_path, monkeypatch, free):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=free))
    with pytest.raises(UserError, match=f"failed has {free // 1_000_000} MB free, but 16 MB are needed"):
        write_toy(tmp_path / "failed")
    assert list((tmp_path / "failed").iterdir()) == []


def test_disk_fills_up(tmp_path):
    def blocks():
        yield toy_images("test")[:16]
        raise OSError(errno.EDQUOT, "a message of HDF5\non two lines")

    with pytest.raises(UserError, match=r"failed: Disk quota exceeded: make room") as caught:
        write_toy(tmp_path / "failed", test=dataset.Split(blocks(), np.arange(30), np.zeros(30)))
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "failed").iterdir()) == []


@pytest.mark.parametrize("wrong", ["images", "labels"])
def test_rows_must_agree(tmp_path, wrong):
    images = toy_images("train")[: 19 if wrong == "images" else 20]
    labels = np.zeros(19 if wrong == "labels" else 20)
    split = dataset.Split(iter([images]), np.arange(20), labels)
    with pytest.raises(ValueError, match="split train"):
        write_toy(tmp_path / "failed", train=split)
    assert list((tmp_path / "failed").iterdir()) == []


def test_blocks_are_taken_one_by_one(tmp_path):
    """Each block is on disk before the next is asked for: the writer holds none back."""
    images = toy_images("unlabeled")
    with dataset.new_dataset(tmp_path / "images.h5", tmp_path / "test_labels.h5") as files:

        def blocks():
            for start in range(0, 150, 50):
                if start:
                    written = files.images["unlabeled/images"][start - 50 : start]
                    assert np.array_equal(written, images[start - 50 : start])
                yield images[start : start + 50]

        dataset.write_split(files, "unlabeled", dataset.Split(blocks(), np.arange(150)))


def test_same_bytes_later(toy, tmp_path):
    time.sleep(1.1)  # HDF5 keeps times in whole seconds
    again = write_toy(tmp_path / "again")
    for first, second in zip(toy, again, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_stratified_split():
    labels = np.repeat(np.arange(10), 30)
    train, validation = splits.stratified_split(labels, 100, 50, seed=3)
    assert np.bincount(labels[train]).tolist() == [10] * 10
    assert np.bincount(labels[validation]).tolist() == [5] * 10
    assert len(np.union1d(train, validation)) == 150
    again = splits.stratified_split(labels, 100, 50, seed=3)
    assert np.array_equal(train, again[0])
    assert np.array_equal(validation, again[1])
    assert not np.array_equal(train, splits.stratified_split(labels, 100, 50, seed=4)[0])


@pytest.mark.parametrize("seed", range(20))
def test_stratified_split_is_that_of_scikit_learn(seed):
    """Also with shares that are no whole numbers, ties between their remainders, and labels of any whole numbers."""
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 12))
    labels = rng.permutation(np.repeat(3 * np.arange(classes, dtype=np.uint8), rng.integers(4, 60, classes)))
    train = int(rng.integers(classes, len(labels) - classes))
    validation = int(rng.integers(classes, len(labels) - train + 1))
    expected = train_test_split(
        np.arange(len(labels)), train_size=train, test_size=validation, stratify=labels, random_state=seed
    )
    for part, rows in zip(splits.stratified_split(labels, train, validation, seed), expected, strict=True):
        np.testing.assert_array_equal(part, rows)
        assert part.dtype == rows.dtype == np.int64


def test_a_class_of_one_image_cannot_be_in_both_parts():
    with pytest.raises(UserError, match=r"cannot draw 4 training and 4 validation .*class 7 has only one image"):
        splits.stratified_split(np.array([1, 7, *[1] * 5, *[2] * 5]), 4, 4, seed=0)


@pytest.mark.parametrize(("train", "validation", "named"), [(280, 21, "280.*21.*300"), (5, 10, "5 training")])
def test_too_few_to_split(train, validation, named):
    with pytest.raises(UserError, match=named) as caught:
        splits.stratified_split(np.repeat(np.arange(10), 30), train, validation, seed=0)
    assert "\n" not in str(caught.value)


LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(4), [25, 10, 40, 3]))  # classes of unequal size


@pytest.mark.parametrize("seed", range(5))
def test_balanced_rows(seed):
    """No class has two rows more than another one that has some left."""
    sizes = np.bincount(LABELS)
    for images in range(4, len(LABELS) + 1):
        rows = splits.balanced_rows(LABELS, images, seed)
        assert rows.dtype == np.int64
        assert np.array_equal(rows, np.unique(rows)), "in increasing order, none twice"
        counts = np.bincount(LABELS[rows], minlength=4)
        assert counts.sum() == images
        assert counts.max() - counts[counts < sizes].min(initial=counts.max()) <= 1
        assert np.array_equal(rows, splits.balanced_rows(LABELS, images, seed)), "the same again"


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_fewer_images_are_among_those_of_more(seed):
    drawn = [set(splits.balanced_rows(LABELS, images, seed)) for images in range(4, len(LABELS) + 1)]
    assert all(fewer < more for fewer, more in pairwise(drawn))
    assert drawn[-1] == set(range(len(LABELS)))


def test_seeds_draw_other_rows():
    """Each row as often as any other of its class, and the odd one out of any class."""
    labels = np.arange(12) % 3
    drawn = [splits.balanced_rows(labels, 4, seed) for seed in range(600)]
    often = np.bincount(np.concatenate(drawn), minlength=12)
    assert np.abs(often - 200).max() < 5 * (600 * 1 / 3 * 2 / 3) ** 0.5
    odd = np.bincount([np.bincount(labels[rows]).argmax() for rows in drawn], minlength=3)
    assert np.abs(odd - 200).max() < 5 * (600 * 1 / 3 * 2 / 3) ** 0.5


@pytest.mark.parametrize("images", [3, 79])
def test_balanced_rows_that_there_are_not(images):
    with pytest.raises(UserError, match=f"cannot draw {images} of 78 .* one of each of 4 classes: ask for 4 to 78"):
        splits.balanced_rows(LABELS, images, seed=0)


def test_unlabeled_rows_are_those_left():
    rows = splits.unlabeled_rows(10, np.array([1, 3, 5]), 7, seed=0)
    assert sorted(rows) == [0, 2, 4, 6, 7, 8, 9]
    assert len(set(splits.unlabeled_rows(10, np.array([1, 3, 5]), 4, seed=0))) == 4
    with pytest.raises(UserError, match=r"8 unlabeled.*only 7"):
        splits.unlabeled_rows(10, np.array([1, 3, 5]), 8, seed=0)


def test_named_checksums():
    md5 = "0123456789abcdef" * 2
    assert data_options.named_checksums([f"a={md5}", f"b={md5.upper()}"], ["a", "b"]) == {"a": md5, "b": md5}
    for pairs, named in [([f"a={md5}"], "lacks b"), ([f"c={md5}"], "names c"), (["a=12"], "a=12"), ([md5], md5)]:
        with pytest.raises(UserError, match=named):
            data_options.named_checksums(pairs, ["a", "b"])
