import gzip
import subprocess
import sys
import tarfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import prepare_stl10
from fixtures_stl10 import CLASS_NAMES, FOLDS, image_bytes, make_stl10_archive, pack, stl10_images, stl10_members
from semisup import dataset, stl10
from semisup.cli import UserError

PROGRAM = Path(prepare_stl10.__file__)
SIZES = {"train-images": 40, "validation-images": 10, "unlabeled-images": "all", "test-images": "all"}


def arguments(archive, checksums, folder, **sizes):
    options = SIZES | {name.replace("_", "-"): value for name, value in sizes.items()}
    return [
        *("--archive", str(archive)),
        *("--member-md5", *(f"{name}={md5}" for name, md5 in checksums.items())),
        *(text for name, value in options.items() for text in (f"--{name}", str(value))),
        *("--images", str(folder / "images.h5"), "--test-labels", str(folder / "test_labels.h5")),
    ]


def prepare(archive, checksums, folder, **sizes):
    prepare_stl10.main(arguments(archive, checksums, folder, **sizes))
    return folder / "images.h5", folder / "test_labels.h5"


def assert_refused(archive, checksums, folder, match, **sizes):
    with pytest.raises(UserError, match=match) as caught:
        prepare(archive, checksums, folder / "out", **sizes)
    assert "\n" not in str(caught.value)
    assert list(folder.glob("out/*")) == []
    assert list(folder.glob("out/.*")) == []


@pytest.fixture(scope="module")
def members():
    return stl10_members()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return make_stl10_archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def prepared(archive, tmp_path_factory):
    return prepare(*archive, tmp_path_factory.mktemp("prepared"))


def naive_images(data):
    """Read a .bin file byte by byte, as its documentation has it: channel, then column, then row."""
    images = np.empty((len(data) // 27648, 3, 96, 96), np.uint8)
    position = 0
    for image in images:
        for channel in range(3):
            for column in range(96):
                for row in range(96):
                    image[channel, row, column] = data[position]
                    position += 1
    return images


def test_pixels_stand_upright(members):
    data = members["test_X.bin"][: 3 * 27648]
    images = stl10.decode_images(data)
    assert np.array_equal(images, naive_images(data))
    assert images[1, 0, 10, 70] == 70
    assert images[1, 1, 10, 70] == 110


def test_splits_of_the_archive(prepared, members):
    images_path, test_labels_path = prepared
    official = stl10.decode_images(members["train_X.bin"])
    official_labels = np.frombuffer(members["train_y.bin"], np.uint8).astype(int) - 1
    sources = []
    for split, count in {"train": 40, "validation": 10}.items():
        with h5py.File(images_path) as file:
            rows = file[f"{split}/source_index"][:]
        labels = dataset.read_labels(images_path, split)
        assert np.array_equal(dataset.read_images(images_path, split), official[rows])
        assert np.array_equal(labels, official_labels[rows])
        assert np.bincount(labels).tolist() == [count // 10] * 10
        sources.extend(rows)
    assert sorted(sources) == list(range(50))

    for split in ("unlabeled", "test"):
        expected = stl10.decode_images(members[f"{split}_X.bin"])
        assert np.array_equal(dataset.read_images(images_path, split), expected)
    test_labels = np.frombuffer(members["test_y.bin"], np.uint8).astype(int) - 1
    assert np.array_equal(dataset.read_test_labels(test_labels_path), test_labels)
    assert dataset.read_class_names(images_path) == list(CLASS_NAMES)


def test_no_test_labels_beside_the_images(prepared):
    with h5py.File(prepared[0]) as file:
        assert list(file["test"]) == ["images"]


def test_folds_are_the_official_images(prepared, members):
    images_path, _ = prepared
    official = stl10.decode_images(members["train_X.bin"])
    labelled = np.concatenate([dataset.read_images(images_path, split) for split in ("train", "validation")])
    lines = members["fold_indices.txt"].decode().splitlines()
    assert len(lines) == FOLDS
    for fold, line in enumerate(lines):
        train, validation = dataset.run_rows(images_path, f"fold{fold}")
        assert np.array_equal(labelled[train], official[[int(word) for word in line.split()]])
        assert sorted(np.r_[train, validation]) == list(range(50))


def test_folds_need_all_training_images(archive, tmp_path):
    images_path, _ = prepare(*archive, tmp_path, train_images=30)
    with pytest.raises(UserError, match="has 0 folds"):
        dataset.run_rows(images_path, "fold0")


def test_first_images_and_any_order_of_members(tmp_path, members):
    shuffled = {name: members[name] for name in sorted(members, reverse=True)}
    checksums = pack(tmp_path / "a.tar.gz", shuffled)
    images_path, test_labels_path = prepare(
        tmp_path / "a.tar.gz", checksums, tmp_path, unlabeled_images=7, test_images=5
    )
    for split, count in {"unlabeled": 7, "test": 5}.items():
        expected = stl10.decode_images(members[f"{split}_X.bin"])[:count]
        assert np.array_equal(dataset.read_images(images_path, split), expected)
    assert len(dataset.read_test_labels(test_labels_path)) == 5


def test_more_than_one_block(tmp_path, members, monkeypatch):
    """Blocks that end inside, at and after the last image asked for."""
    monkeypatch.setattr(stl10, "BLOCK_BYTES", 10 * stl10.IMAGE_BYTES)
    archive = tmp_path / "a.tar.gz"
    checksums = pack(archive, members)
    expected = stl10.decode_images(members["unlabeled_X.bin"])
    for count in (9, 10, 11, 30):
        images_path, _ = prepare(archive, checksums, tmp_path, unlabeled_images=count)
        assert np.array_equal(dataset.read_images(images_path, "unlabeled"), expected[:count])


def test_same_bytes_again(prepared, archive, tmp_path):
    for first, second in zip(prepared, prepare(*archive, tmp_path), strict=True):
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.0001, 0.1, 0.4, 0.7, 0.95, 0.999])
def test_truncated_archive(archive, tmp_path, share):
    whole = archive[0].read_bytes()
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(whole[: int(len(whole) * share)])
    assert_refused(cut, archive[1], tmp_path, "cut.tar.gz is damaged or cut short.*download it again")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_flipped_bytes(archive, tmp_path, share):
    data = bytearray(archive[0].read_bytes())
    position = int(len(data) * share)
    data[position : position + 20] = bytes(255 - byte for byte in data[position : position + 20])
    (tmp_path / "flipped.tar.gz").write_bytes(data)
    assert_refused(tmp_path / "flipped.tar.gz", archive[1], tmp_path, "damaged|md5|lacks|bytes")


@pytest.mark.parametrize(
    "data",
    [
        b"<html>404 Not Found</html>" * 50,
        gzip.compress(b"<html>404 Not Found</html>" * 50),
        gzip.compress(b"")[:10] + b"\xff" * 1000,
    ],
    ids=["page", "zipped page", "no deflate stream"],
)
def test_not_an_archive(archive, tmp_path, data):
    (tmp_path / "page.tar.gz").write_bytes(data)
    assert_refused(tmp_path / "page.tar.gz", archive[1], tmp_path, "damaged")


def member(name, kind=tarfile.REGTYPE, size=0):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, "stl10_binary/train_y.bin", size
    return info


@pytest.mark.parametrize(
    ("extra", "match"),
    [
        (member("../evil"), r"unsafe name \.\./evil"),
        (member("stl10_binary/../../evil"), "unsafe name"),
        (member("/etc/evil"), "unsafe name /etc/evil"),
        (member("stl10_binary/link", tarfile.SYMTYPE), "link or a device"),
        (member("stl10_binary/link", tarfile.LNKTYPE), "link or a device"),
        (member("stl10_binary/null", tarfile.CHRTYPE), "link or a device"),
        (member("stl10_binary/pipe", tarfile.FIFOTYPE), "link or a device"),
        (member("again/train_y.bin", size=50), "train_y.bin twice"),
    ],
)
def test_hostile_member(tmp_path, members, extra, match):
    archive = tmp_path / "a.tar.gz"
    assert_refused(archive, pack(archive, members, [extra]), tmp_path, match)


def test_harmless_member_is_passed_over(tmp_path, members):
    archive = tmp_path / "a.tar.gz"
    prepare(archive, pack(archive, members, [member("stl10_binary/README", size=1000)]), tmp_path)


def test_member_too_large(tmp_path, members):
    archive = tmp_path / "a.tar.gz"
    checksums = pack(archive, members | {"class_names.txt": b"a" * 1001})
    assert_refused(archive, checksums, tmp_path, "class_names.txt has 1001 bytes, more than 1000")


@pytest.mark.parametrize("name", list(stl10.MEMBER_LIMITS))
def test_wrong_checksum_or_missing_member(archive, tmp_path, members, name):
    wrong = archive[1] | {name: "0" * 32}
    assert_refused(archive[0], wrong, tmp_path, f"{name} has md5 {archive[1][name]}, not 00000")
    short = tmp_path / "short.tar.gz"
    pack(short, {other: data for other, data in members.items() if other != name})
    assert_refused(short, archive[1], tmp_path, f"lacks {name}")


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("train_y.bin", lambda data: data[:-1] + b"\x0b", "train_y.bin has label 11 at row 49"),
        ("train_y.bin", lambda data: b"\x00" + data[1:], "train_y.bin has label 0 at row 0"),
        ("test_y.bin", lambda data: data[:-1] + b"\xff", "test_y.bin has label 255 at row 19"),
        ("train_y.bin", lambda data: data[:-1], "train_y.bin has 49 labels for 50 images"),
        ("test_y.bin", lambda data: data + b"\x01", "test_y.bin has 21 labels for 20 images"),
        ("train_X.bin", lambda data: data[:-1], "train_X.bin has 1382399 bytes, not a multiple of 27648"),
        ("test_X.bin", lambda data: data + b"x", "test_X.bin has 552961 bytes, not a multiple"),
        ("unlabeled_X.bin", lambda data: b"", "unlabeled_X.bin has 0 bytes"),
        ("fold_indices.txt", lambda data: data.replace(b" ", b" 50 ", 1), "not a table"),
        ("fold_indices.txt", lambda data: b"0 50\n1 2\n", r"outside 0\.\.49"),
        ("fold_indices.txt", lambda data: b"0 -1\n1 2\n", r"outside 0\.\.49"),
        ("fold_indices.txt", lambda data: b"zero one\n", "not a table"),
        ("fold_indices.txt", lambda data: b"", r"outside 0\.\.49"),
        ("class_names.txt", lambda data: b"cat\ndog\n", "class_names.txt has 2 names, not 10"),
    ],
)
def test_wrong_contents(tmp_path, members, name, change, match):
    archive = tmp_path / "a.tar.gz"
    checksums = pack(archive, members | {name: change(members[name])})
    assert_refused(archive, checksums, tmp_path, match)


@pytest.mark.parametrize(
    ("sizes", "match"),
    [
        ({"train_images": 41}, "41 training and 10 validation.*only 50"),
        ({"test_images": 21}, "21 test.*only 20"),
        ({"unlabeled_images": 31}, "31 unlabeled.*only 30"),
    ],
)
def test_fewer_images_than_asked(archive, tmp_path, sizes, match):
    assert_refused(*archive, tmp_path, match, **sizes)


def test_program_says_it_in_one_line(archive, tmp_path):
    wrong = archive[1] | {"train_y.bin": "0" * 32}
    command = [sys.executable, PROGRAM, *arguments(archive[0], wrong, tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("error: train_y.bin has md5")
    assert "Traceback" not in result.stderr


def test_bin_file_is_read_in_blocks(tmp_path):
    images = stl10_images(5, [1, 2, 3, 4, 5], seed=0)
    (tmp_path / "a.bin").write_bytes(image_bytes(images))
    blocks = list(stl10.bin_blocks(tmp_path / "a.bin", 2))
    assert [len(block) for block in blocks] == [2, 2, 1]
    assert np.array_equal(np.concatenate(blocks), images)
    (tmp_path / "b.bin").write_bytes(image_bytes(images) + b"x")
    with pytest.raises(UserError, match=r"b\.bin has 138241 bytes"):
        next(stl10.bin_blocks(tmp_path / "b.bin", 2))
