"""A small data set of stripes, and a run of the k-means method on it, made by the programs themselves."""

import numpy as np

import extract_features
import fit_whitening
import learn_centroids
import sample_patches
import train_svm
from semisup import splits as splits_module
from semisup.dataset import Split, write_dataset

CLASS_NAMES = ["lying", "standing", "rising", "falling"]
DIRECTIONS = ((1, 0), (0, 1), (1, 1), (1, -1))  # (y, x): across the stripes of each class
COUNTS = {"train": 40, "validation": 24, "unlabeled": 60, "test": 36}
FOLDS = 2
NOISE = 80  # grey levels


def command_line(**options):
    """Return the options as arguments; a list becomes several arguments."""
    arguments = []
    for name, value in options.items():
        values = value if isinstance(value, list) else [value]
        arguments += [f"--{name.replace('_', '-')}", *map(str, values)]
    return arguments


def striped_images(labels, size, channels, seed):
    """Return uint8 (N, channels, size, size): stripes whose direction is the class, under noise."""
    rng = np.random.default_rng(seed)
    place = np.arange(size) * (14.4 / size)
    images = np.empty((len(labels), channels, size, size))
    for image, label in zip(images, labels, strict=True):
        down, right = DIRECTIONS[label]
        wave = np.sin(down * place[:, None] + right * place[None, :] + rng.uniform(0, 2 * np.pi))
        image[:] = 128 + 16 * wave + NOISE * rng.normal(size=image.shape)
    return images.clip(0, 255).astype(np.uint8)


def write_striped_dataset(folder, size=16, channels=3, unlabeled=COUNTS["unlabeled"], fold_validation=None):
    """Write images.h5 and test_labels.h5 with four classes and two folds; return their paths and the test labels."""
    splits, labels = {}, {}
    for seed, (name, count) in enumerate((COUNTS | {"unlabeled": unlabeled}).items()):
        labels[name] = np.random.default_rng(seed).permutation(np.arange(count) % len(CLASS_NAMES))
        images = striped_images(labels[name], size, channels, seed)
        splits[name] = Split([images], np.arange(count), None if name == "unlabeled" else labels[name])
    labelled = COUNTS["train"] + COUNTS["validation"]
    folds = np.stack([np.random.default_rng(fold).permutation(labelled)[:20] for fold in range(FOLDS)])
    attributes = {"dataset": "stripes", "class_names": CLASS_NAMES, "source": "made up", "checksums": {}}
    paths = folder / "images.h5", folder / "test_labels.h5"
    known = np.concatenate([labels["train"], labels["validation"]])
    chosen = splits_module.fold_validation(known, folds, fold_validation, seed=0)
    write_dataset(*paths, splits, (folds, chosen), attributes)
    return *paths, labels["test"]


def train_striped_run(images, folder, run="seed0", image_size="native"):
    """Run the programs from patches to the support vector machine, each output under its usual name in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    sample_patches.main(
        command_line(
            images=images,
            patches=folder / "patches.h5",
            image_size=image_size,
            patch_size=6,
            patch_images=60,
            patches_per_image=10,
            seed=0,
        )
    )
    fit_whitening.main(
        command_line(patches=folder / "patches.h5", whitening=folder / "whitening.h5", contrast_constant=10)
    )
    for epsilon in (0.1, 1.0):
        learn_centroids.main(
            command_line(
                patches=folder / "patches.h5",
                whitening=folder / "whitening.h5",
                centroids_file=folder / f"centroids{epsilon}.h5",
                history=folder / "centroids.csv",
                checkpoint=folder / f"checkpoint{epsilon}",
                epsilon=epsilon,
                centroids=16,
                initialization="gaussian",
                iterations=5,
                tolerance=0,
                precision="float32",
                seed=0,
            )
        )
        extract_features.main(
            command_line(
                images=images,
                centroids_file=folder / f"centroids{epsilon}.h5",
                features=folder / f"features{epsilon}.h5",
                stride=2,
            )
        )
    train_svm.main(
        command_line(
            images=images,
            features=[folder / f"features{epsilon}.h5" for epsilon in (0.1, 1.0)],
            centroids_files=[folder / f"centroids{epsilon}.h5" for epsilon in (0.1, 1.0)],
            stride=2,
            run=run,
            svm_c=[0.01, 0.1],
            model=folder / "model.h5",
            scores=folder / "scores.npz",
            chosen_features=folder / "features.h5",
            selection=folder / "selection.csv",
            history=folder / "history.csv",
        )
    )
