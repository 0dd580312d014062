"""Small archives in the official layout of STL-10, whose pixels tell where they stand."""

import hashlib
import io
import tarfile

import numpy as np

CLASS_NAMES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
FOLDS = 10


def stl10_images(count, labels, seed):
    """Return uint8 (count, 3, 96, 96): channel 0 tells the column, 1 the row, 2 is noise on a level of the class."""
    rng = np.random.default_rng(seed)
    images = np.empty((count, 3, 96, 96), np.uint8)
    images[:, 0] = np.arange(96)[None, :]
    images[:, 1] = 100 + np.arange(96)[:, None]
    images[:, 2] = 20 * np.asarray(labels)[:, None, None] + rng.integers(0, 40, (count, 96, 96))
    return images


def image_bytes(images):
    """Return the bytes of a .bin file: each channel column by column."""
    return images.transpose(0, 1, 3, 2).tobytes()


def stl10_members(train=50, test=20, unlabeled=30, seed=0):
    """Return {member: bytes} of an archive, in the order of the official one. Classes are balanced."""
    rng = np.random.default_rng(seed)
    train_labels = rng.permutation(np.arange(train) % 10)
    test_labels = rng.permutation(np.arange(test) % 10)
    unlabeled_labels = rng.integers(0, 10, unlabeled)
    folds = [rng.permutation(train)[: train // 5] for _ in range(FOLDS)]
    return {
        "test_X.bin": image_bytes(stl10_images(test, test_labels, [seed, 1])),
        "test_y.bin": (test_labels + 1).astype(np.uint8).tobytes(),
        "train_X.bin": image_bytes(stl10_images(train, train_labels, [seed, 2])),
        "train_y.bin": (train_labels + 1).astype(np.uint8).tobytes(),
        "unlabeled_X.bin": image_bytes(stl10_images(unlabeled, unlabeled_labels, [seed, 3])),
        "class_names.txt": "\n".join(CLASS_NAMES).encode() + b"\n",
        "fold_indices.txt": "".join(" ".join(map(str, fold)) + " \n" for fold in folds).encode(),
    }


def pack(archive, members, extra=()):
    """Write {member: bytes} as a tar.gz, then the `extra` TarInfo objects. Return {member: md5}."""
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        folder = tarfile.TarInfo("stl10_binary")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in members.items():
            member = tarfile.TarInfo(f"stl10_binary/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for member in extra:
            tar.addfile(member, io.BytesIO(b"\0" * member.size))
    return {name: hashlib.md5(data).hexdigest() for name, data in members.items()}


def make_stl10_archive(folder, train=50, test=20, unlabeled=30, seed=0):
    """Write `folder`/stl10_binary.tar.gz; return (archive path, {member: md5})."""
    archive = folder / "stl10_binary.tar.gz"
    return archive, pack(archive, stl10_members(train, test, unlabeled, seed))
