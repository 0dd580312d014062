"""An archive of the layout of CIFAR-10, made up."""

import io
import tarfile

import numpy as np

PER_FILE = 30
NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def cifar10_records(seed, count=PER_FILE):
    """Return bytes of random records with three of each class, and their images and labels."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
    labels = rng.permutation(np.arange(count) % 10).astype(np.uint8)
    data = b"".join(bytes([label]) + image.tobytes() for label, image in zip(labels, images, strict=True))
    return data, images, labels


def cifar10_content():
    files = {f"data_batch_{number}.bin": cifar10_records(number)[0] for number in range(1, 6)}
    return files | {
        "test_batch.bin": cifar10_records(0)[0],
        "batches.meta.txt": "\n".join([*NAMES, ""]).encode(),
        "readme.html": b"<html></html>",
    }


def cifar10_archive(folder, files):
    path = folder / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path
