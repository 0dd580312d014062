"""Images and features that no one expects: all the same, of no number at all, of one class less."""

import logging
import warnings

import h5py
import numpy as np
import pytest

import embed_tsne
import evaluate
import extract_features
import extract_layers
import learn_centroids
import make_surrogates
import plot_centroids
import plot_confusion
import predict
import sample_patches
import train_exemplar
import train_kmeans_rounds
import train_probe
import train_supervised
import train_svm
from fixtures_kmeans import (
    CLASS_NAMES,
    COUNTS,
    command_line,
    striped_images,
    train_striped_run,
    write_striped_dataset,
)
from fixtures_training import ABOUT, RECIPE_OPTIONS, network_options, run_options, write_exemplar_network
from semisup.cli import UserError
from semisup.dataset import Split, image_blocks, image_count, image_shape, read_images, write_dataset
from semisup.models.network import NetworkModel, write_model
from semisup.network import Shape, new_network
from semisup.scores import write_scores

GREY = 77
TABLES = ("metrics", "per_class", "confusion", "comparison", "label_curve", "solver_iterations", "test_sample")
RANGES = {name: [0.7, 1.4] for name in ("scale", "pca_contrast", "color_power", "color_factor")}
SURROGATES = {"seed_patches": 5, "samples_per_class": 4, "surrogate_size": 8, "seed_sampling": "energy"}
SURROGATES |= {"rotation": 20, "translation": 0.1, "color_offset": 0.1, "hue": 0.1, **RANGES}
ALL_KINDS = ["rotation", "translation", "scale", "pca_contrast", "color_contrast", "hue"]
ROUNDS = {"rounds": 2, "candidates": 15, "accept": "top", "accepted": 6, "threshold": 0.5}
ROUNDS |= {"class_balanced": "true", "relabel": "false", "held_out": 0.25}


def write_odd_dataset(folder, missing=None, grey=None):
    """Write a data set of four classes; missing: a class without labelled images; grey: of every pixel."""
    folder.mkdir()
    splits = {}
    for seed, (name, count) in enumerate(COUNTS.items()):
        labels = np.random.default_rng(seed).permutation(np.arange(count) % len(CLASS_NAMES))
        if missing is not None and name in ("train", "validation"):
            labels[labels == missing] = 0
        images = striped_images(labels, 16, 3, seed)
        if grey is not None:
            images[:] = grey
        splits[name] = Split([images], np.arange(count), None if name == "unlabeled" else labels)
    attributes = {"dataset": "odd", "class_names": CLASS_NAMES, "source": "made up", "checksums": {}}
    write_dataset(folder / "images.h5", folder / "test_labels.h5", splits, None, attributes)
    return folder / "images.h5"


@pytest.fixture(scope="module", params=[{"grey": GREY}, {"missing": 3}], ids=["constant images", "class missing"])
def odd(request, tmp_path_factory):
    """An odd data set and a run of the k-means method on it; numbers that are none are errors, and so are warnings."""
    folder = tmp_path_factory.mktemp("odd")
    images = write_odd_dataset(folder / "data", **request.param)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train_striped_run(images, folder / "run")
    return images, folder / "run", request.param


def finite_scores(path):
    with np.load(path) as scores:
        assert np.isfinite(scores["test"]).all()
        assert np.isfinite(scores["validation"]).all()
        return scores["test"]


def test_kmeans_survives(odd):
    _, run, kind = odd
    with h5py.File(run / "whitening.h5") as file:
        assert all(np.isfinite(file[name][:]).all() for name in ("mean", "eigenvalues", "eigenvectors"))
    scores = finite_scores(run / "scores.npz")
    if "missing" in kind:
        assert kind["missing"] not in scores.argmax(axis=1)
        assert len(np.unique(scores.argmax(axis=1))) == len(CLASS_NAMES) - 1
    else:
        assert (scores == scores[0]).all()


@pytest.mark.parametrize("initialization", ["gaussian", "patches", "k-means++"])
def test_every_start_of_kmeans_survives(odd, tmp_path, initialization):
    _, run, kind = odd
    outputs = {"centroids_file": tmp_path / "centroids.h5", "history": tmp_path / "history.csv"}
    outputs["checkpoint"] = tmp_path / "checkpoint"
    options = {"epsilon": 0.1, "centroids": 16, "iterations": 5, "tolerance": 0, "precision": "float32", "seed": 0}
    options |= {"patches": run / "patches.h5", "whitening": run / "whitening.h5", "initialization": initialization}
    learn_centroids.main(command_line(**options, **outputs))
    with h5py.File(tmp_path / "centroids.h5") as file:
        assert np.isfinite(file["centroids"][:]).all()
        usage = file["usage"][:]
    assert usage.sum() == 600
    assert (np.count_nonzero(usage) == 1) == ("grey" in kind)  # patches without any contrast are one point


def test_rounds_survive(odd, tmp_path):
    images, run, _ = odd
    base = {"features": run / "features.h5", "base_model": run / "model.h5", "base_selection": run / "selection.csv"}
    tables = {"accepted_table": tmp_path / "accepted.csv", "held_out_table": tmp_path / "held_out.csv"}
    train_kmeans_rounds.main(command_line(**run_options(images, tmp_path), **ROUNDS, **base, **tables))
    finite_scores(tmp_path / "scores.npz")


@pytest.mark.parametrize("network", ["digits", "resnet"])
def test_networks_survive(odd, tmp_path, network):
    images, _, _ = odd
    train_supervised.main(command_line(**network_options(images, tmp_path) | {"network": network, "epochs": 1}))
    finite_scores(tmp_path / "scores.npz")


def test_surrogate_classes_survive(odd, tmp_path):
    """Grey patches have no hue, equal ones no principal components, and no place of theirs more energy than others."""
    images, _, kind = odd
    surrogates, network, layers = (tmp_path / f"{name}.h5" for name in ("surrogates", "network", "layers"))
    options = SURROGATES | {"transformations": ALL_KINDS, "seed": 0}
    make_surrogates.main(command_line(images=images, surrogates=surrogates, **options))
    with h5py.File(surrogates) as file:
        assert len(file["patches"]) == 20
        if "grey" in kind:
            assert (file["seeds/patches"][:] == kind["grey"]).all()
    recipe = RECIPE_OPTIONS | {"epochs": 1, "learning_rate": 0.01, "batch_size": 9}
    outputs = {"checkpoint": tmp_path / "c", "network_file": network, "history": tmp_path / "history.csv"}
    made_of = {"surrogates": surrogates, "network": "exemplar_small", "dropout": 0.2, "seed": 0}
    train_exemplar.main(command_line(**made_of, **recipe, **outputs))
    extract_layers.main(command_line(images=images, network_file=network, layers=layers))
    files = {"model": "model.h5", "scores": "scores.npz", "selection": "selection.csv", "history": "history.csv"}
    files = {name: tmp_path / file for name, file in files.items()}
    options = {"images": images, "layers": layers, "network_file": network, "run": "seed0", "svm_c": [0.01]}
    train_probe.main(command_line(**options, precision="float32", **files))
    finite_scores(files["scores"])


def test_evaluation_and_figures_survive(odd, tmp_path):
    images, run, kind = odd
    scores = tmp_path / "kmeans/seed0/scores.npz"
    scores.parent.mkdir(parents=True)
    scores.write_bytes((run / "scores.npz").read_bytes())
    options = {"scores": [scores], "images": images, "test_labels": images.with_name("test_labels.h5"), "top_k": 3}
    options |= {"baselines": ["kmeans=kmeans"], "bootstrap_samples": 100, "confidence": 0.9, "sample_images": 20}
    evaluate.main(command_line(**options, **{name: tmp_path / f"{name}.csv" for name in TABLES}))
    figure = {"pdf": tmp_path / "figure.pdf", "png": tmp_path / "figure.png"}
    plot_confusion.main(command_line(confusion=tmp_path / "confusion.csv", experiment="kmeans", **figure))
    learned = [run / f"epsilon{epsilon}" / "centroids.h5" for epsilon in (0.1, 1.0)]
    for path, epsilon in zip(learned, (0.1, 1.0), strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((run / f"centroids{epsilon}.h5").read_bytes())
    options = {"model": run / "model.h5", "whitening": run / "whitening.h5", "centroids_files": learned}
    plot_centroids.main(command_line(**options, centroids=9, **figure))

    maps = {"embedding": tmp_path / "embedding.csv", "clustering": tmp_path / "clustering.csv"}
    options = {"test_sample": tmp_path / "test_sample.csv", "images": images, "perplexity": 3, "neighbors": 2}
    for source in ({}, {"features": f"kmeans={run / 'features.h5'}"}):
        if "grey" in kind:  # scikit-learn would crash
            with pytest.raises(UserError, match=r"h5: the same for all 20 test images, nothing to map: check the ima"):
                embed_tsne.main(command_line(**options, **source, **maps))
            assert not maps["embedding"].exists()
        else:
            embed_tsne.main(command_line(**options, **source, **maps))


# Numbers that are none


@pytest.fixture(scope="module")
def striped(tmp_path_factory):
    """A sound data set, and a run of the k-means method on it."""
    folder = tmp_path_factory.mktemp("striped")
    images = write_striped_dataset(folder)[0]
    train_striped_run(images, folder / "run")
    return images, folder / "run"


def with_nan(path, copy, name, row=-1):
    """Copy an HDF5 file and put a NaN into one of its arrays."""
    copy.write_bytes(path.read_bytes())
    with h5py.File(copy, "a") as file:
        values = file[name][:].astype(np.float32)
        values[row, ..., 0] = np.nan
        del file[name]
        file[name] = values
    return copy


@pytest.mark.parametrize("split", ["train", "unlabeled", "test"])
def test_images_of_no_number(striped, tmp_path, split):
    """Images are whole numbers from 0 to 255, and a file of others is not a data set."""
    path = with_nan(striped[0], tmp_path / "images.h5", f"{split}/images")
    readers = [lambda: read_images(path, split), lambda: image_count(path, split)]
    readers += [lambda: next(image_blocks(path, split, 8))]
    readers += [lambda: image_shape(path)] if split == "train" else []
    for read in readers:
        with pytest.raises(
            UserError, match=f"images.h5 has {split} images of type float32, not uint8: give a data set"
        ):
            read()


def test_programs_refuse_images_of_no_number(striped, tmp_path):
    images = with_nan(striped[0], tmp_path / "images.h5", "unlabeled/images")
    options = {"patch_size": 6, "patch_images": 60, "patches_per_image": 10, "seed": 0}
    with pytest.raises(UserError, match="unlabeled images of type float32"):
        sample_patches.main(command_line(images=images, patches=tmp_path / "patches.h5", **options))
    options = SURROGATES | {"transformations": ALL_KINDS, "seed": 0}
    with pytest.raises(UserError, match="unlabeled images of type float32"):
        make_surrogates.main(command_line(images=images, surrogates=tmp_path / "surrogates.h5", **options))
    assert [path.name for path in tmp_path.iterdir()] == ["images.h5"]


def train_svm_on(images, run, features, folder):
    outputs = {"model": "model.h5", "scores": "scores.npz", "chosen_features": "chosen.h5"}
    outputs |= {"selection": "selection.csv", "history": "history.csv"}
    made_of = {"images": images, "features": [features], "centroids_files": [run / "centroids0.1.h5"]}
    outputs = {name: folder / file for name, file in outputs.items()}
    train_svm.main(command_line(**made_of, stride=2, run="seed0", svm_c=[0.01], **outputs))


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_features_of_no_number(striped, tmp_path, split):
    images, run = striped
    features = with_nan(run / "features0.1.h5", tmp_path / "features.h5", split)
    with pytest.raises(UserError, match=r"(features\.h5 has features|: test scores) that are not finite: delete"):
        train_svm_on(images, run, features, tmp_path / "out")
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_centroids_of_no_number(striped, tmp_path):
    """They make features that are none, and those are refused."""
    images, run = striped
    centroids = with_nan(run / "centroids0.1.h5", tmp_path / "centroids.h5", "centroids")
    options = {"images": images, "centroids_file": centroids, "features": tmp_path / "features.h5", "stride": 2}
    extract_features.main(command_line(**options))
    with pytest.raises(UserError, match=r"features\.h5 has features that are not finite: delete it and what it was"):
        train_svm_on(images, run, tmp_path / "features.h5", tmp_path / "out")


def test_layers_of_no_number(striped, tmp_path):
    images, _ = striped
    write_exemplar_network(tmp_path / "network.h5")
    made_of = {"images": images, "network_file": tmp_path / "network.h5"}
    layers = tmp_path / "layers.h5"
    extract_layers.main(command_line(**made_of, layers=layers))
    with_nan(layers, tmp_path / "damaged.h5", "conv2/validation")
    files = {"model": "model.h5", "scores": "scores.npz", "selection": "selection.csv", "history": "history.csv"}
    files = {name: tmp_path / file for name, file in files.items()}
    options = {"layers": tmp_path / "damaged.h5", "run": "seed0", "svm_c": [0.01], "precision": "float32"}
    with pytest.raises(UserError, match=r"damaged\.h5 has features of conv2 that are not finite"):
        train_probe.main(command_line(**made_of, **options, **files))
    assert not (tmp_path / "scores.npz").exists()


def test_map_of_no_number(striped, tmp_path):
    images, run = striped
    features = with_nan(run / "features0.1.h5", tmp_path / "features.h5", "test")
    (tmp_path / "sample.csv").write_text("row,label\n" + "".join(f"{row},{row % 4}\n" for row in range(36)))
    maps = {"embedding": tmp_path / "embedding.csv", "clustering": tmp_path / "clustering.csv"}
    options = {"test_sample": tmp_path / "sample.csv", "images": images, "perplexity": 3, "neighbors": 2}
    with pytest.raises(UserError, match=r"features of .*features\.h5: not finite for some test images"):
        embed_tsne.main(command_line(**options, features=f"kmeans={features}", **maps))
    assert not maps["embedding"].exists()


@pytest.mark.parametrize("split", ["validation", "test"])
def test_scores_of_no_number_are_not_written(tmp_path, split):
    scores = {"validation": np.zeros((3, 2)), "test": np.zeros((4, 2))}
    scores[split][1, 1] = np.inf
    with pytest.raises(UserError, match=f"scores.npz: {split} scores that are not finite"):
        write_scores(tmp_path / "scores.npz", scores["validation"], np.arange(3), scores["test"])
    assert list(tmp_path.iterdir()) == []


def test_model_of_no_number_predicts_nothing(striped, tmp_path, caplog):
    """The largest of numbers that are none would be the first class, for every image."""
    caplog.set_level(logging.INFO)
    network = new_network(Shape("digits", 3, 16, 4, 0.0, 16), 0)
    next(network.parameters()).data[0] = np.nan
    write_model(tmp_path / "model.h5", NetworkModel(network, False, "float32", CLASS_NAMES), ABOUT, "{}")
    options = {"model": tmp_path / "model.h5", "images": striped[0], "predictions": tmp_path / "out.csv"}
    with pytest.raises(UserError, match=r"model\.h5 has scores that are not finite"):
        predict.main(command_line(**options))
    assert not (tmp_path / "out.csv").exists()
