"""What the tests of training share: tiny images of two classes, a recipe, a small network, and comparisons."""

import h5py
import numpy as np
import torch

from semisup.labelled_loss import Examples
from semisup.model_format import About
from semisup.network import Shape, new_network, set_normalization, write_network
from semisup.training import Recipe

RECIPE = Recipe(
    epochs=3,
    steps_per_epoch=0,
    batch_size=8,
    optimizer="sgd",
    learning_rate=0.05,
    bias_rate=1.0,
    momentum=0.9,
    weight_decay=5e-4,
    schedule="one_cycle",
    label_smoothing=0.05,
    ema_decay=0.0,
    patience=0,
    precision="float32",
)
ABOUT = About("stripes", "seed0", 40, 24, 0.5, 1.0, 128.0)  # of a model that was never trained
RECIPE_OPTIONS = RECIPE._asdict()  # as options of a program
AUGMENTATION = {"shift": 2, "flip": "true", "color": 0.2, "hue": 0.05, "cutout": 3}
OUTPUTS = {"model": "model.h5", "scores": "scores.npz", "history": "history.csv", "selection": "selection.csv"}
TIMED = ("seconds", "images_per_second", "peak_memory_gib")  # columns of the history that no two runs share


def two_classes(count, size=8, seed=0):
    """Return examples of noise that is brighter on the left half (class 0) or on the right half (class 1)."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 2)
    images = rng.integers(0, 150, (count, 3, size, size))
    for image, label in zip(images, labels, strict=True):
        half = slice(size // 2) if label == 0 else slice(size // 2, None)
        image[..., half] += 100
    return Examples(torch.from_numpy(images.astype(np.uint8)), torch.from_numpy(labels))


def exemplar_network(seed=0, size=8, classes=2, dropout=0.0, channels=3):
    """Return a small exemplar network for patches of 8 pixels: about 140 thousand weights, no batch normalisation."""
    return new_network(Shape("exemplar_small", channels, size, classes, dropout, field=8), seed)


def write_exemplar_network(path, seed=0, channels=3):
    """Write an exemplar network as train_exemplar does, and return it."""
    network = exemplar_network(seed, classes=5, channels=channels)
    noise = np.random.default_rng(seed).integers(0, 256, (20, channels, 8, 8), dtype=np.uint8)
    set_normalization(network, noise)
    with h5py.File(path, "w") as file:
        write_network(file.create_group("network"), network)
    return network


def copied_weights(network):
    """Return a copy of all parameters and buffers."""
    return {name: value.clone() for name, value in network.state_dict().items()}


def assert_same_weights(first, second):
    """Check that two sets of parameters and buffers are equal, tensor for tensor."""
    assert list(first) == list(second)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def assert_close_weights(first, second, **tolerances):
    """Check that two sets of parameters and buffers are nearly equal."""
    assert list(first) == list(second)
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], msg=lambda text, name=name: f"{name}: {text}", **tolerances)


def untimed(history):
    """Return the history without what depends on the time and the machine."""
    return [{name: value for name, value in row._asdict().items() if name not in TIMED} for row in history]


def run_options(images, folder):
    """Return data, run, seed and files of a program that trains, all outputs in `folder`."""
    outputs = {name: folder / file for name, file in OUTPUTS.items()}
    return {"images": images, "run": "seed0", "seed": 0, "checkpoint": folder / "checkpoint", **outputs}


def network_options(images, folder):
    """Return the options of a short training of a network from labels: two epochs of batches of ten."""
    return {
        **run_options(images, folder),
        "network": "exemplar_small",
        "dropout": 0.3,
        "average_flips": "true",
        "copies": 0,
        **RECIPE_OPTIONS,
        "epochs": 2,
        "batch_size": 10,
        "learning_rate": 0.01,
        **AUGMENTATION,
    }
