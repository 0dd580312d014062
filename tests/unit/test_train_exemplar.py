import signal

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

import extract_layers
import train_exemplar
import train_probe
from fixtures_kmeans import CLASS_NAMES, COUNTS, command_line, write_striped_dataset
from fixtures_training import RECIPE_OPTIONS, assert_same_weights, untimed, write_exemplar_network
from semisup.cli import UserError
from semisup.dataset import read_images, read_labelled, run_rows
from semisup.labelled_loss import LabelledLoss
from semisup.layers import layer_scales, quadrant_max
from semisup.models.probe import image_scores, read_model
from semisup.network import Shape, read_network
from semisup.scaling import scale_all, to_pixels
from semisup.training import EpochRow
from train_exemplar import read_surrogates

CPU = torch.device("cpu")
LAYERS = ["conv1", "conv2", "full"]
CHANNELS = (64, 64, 128)


def write_surrogates(path, classes=6, samples=10, channels=3, noise=20):
    """Write patches of 8 pixels, every class an image of its own under noise."""
    rng = np.random.default_rng(0)
    seeds = rng.integers(0, 256, (classes, channels, 8, 8), dtype=np.uint8)
    patches = seeds.repeat(samples, axis=0) + noise * rng.standard_normal((classes * samples, channels, 8, 8))
    with h5py.File(path, "w") as file:
        file["patches"] = patches.clip(0, 255).astype(np.uint8)
        file["classes"] = np.arange(classes).repeat(samples)
        file["seeds/image"] = np.arange(classes)
    return path


def exemplar_arguments(folder, **changes):
    options = {
        "surrogates": folder / "surrogates.h5",
        "network": "exemplar_small",
        "dropout": 0.2,
        **RECIPE_OPTIONS,
        "epochs": 5,
        "learning_rate": 0.01,
        "batch_size": 9,
        "checkpoint": folder / "checkpoint",
        "seed": 0,
        "network_file": folder / "pretrained_network.h5",
        "history": folder / "pretraining_history.csv",
    }
    return command_line(**(options | changes))


def read(path):
    with h5py.File(path) as file:
        return read_network(file["network"])


# The patches of the surrogate classes


@pytest.mark.parametrize(("samples", "held_out"), [(2, 1), (5, 1), (19, 1), (25, 2)])
def test_held_out_patches(samples, held_out, tmp_path, monkeypatch):
    """Every patch says which it is: its class in one pixel, its number in another."""
    monkeypatch.setattr(train_exemplar, "CLASSES", 4)  # more than one block
    patches = np.zeros((7, samples, 3, 8, 8), np.uint8)
    patches[:, :, 0, 0, 0] = np.arange(7)[:, None]
    patches[:, :, 0, 0, 1] = np.arange(samples)
    with h5py.File(tmp_path / "surrogates.h5", "w") as file:
        file["patches"] = patches.reshape(-1, 3, 8, 8)
        file["seeds/image"] = np.arange(7)
    seen = []
    for (images, classes), count in zip(
        read_surrogates(tmp_path / "surrogates.h5"), (samples - held_out, held_out), strict=True
    ):
        assert (images.dtype, classes.dtype) == (np.uint8, np.int64)
        assert images.shape == (7 * count, 3, 8, 8)
        np.testing.assert_array_equal(images[:, 0, 0, 0], classes)
        assert np.bincount(classes).tolist() == [count] * 7
        seen += [(int(image[0, 0, 0]), int(image[0, 0, 1])) for image in images]
    assert len(seen) == len(set(seen)) == 7 * samples


# Training on them


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a network that was trained on surrogate classes."""
    folder = tmp_path_factory.mktemp("exemplar")
    write_surrogates(folder / "surrogates.h5")
    train_exemplar.main(exemplar_arguments(folder))
    return folder


def test_network_of_surrogate_classes(trained):
    network = read(trained / "pretrained_network.h5")
    assert network.shape == Shape("exemplar_small", 3, 8, 6, 0.2, 8)
    (images, _), _ = read_surrogates(trained / "surrogates.h5")
    np.testing.assert_allclose(network.mean.flatten(), (images / 255).mean(axis=(0, 2, 3)), rtol=1e-5)
    history = pd.read_csv(trained / "pretraining_history.csv")
    assert list(history) == list(EpochRow._fields)[: EpochRow._fields.index("peak_memory_gib") + 1]
    assert list(history["epoch"]) == [1, 2, 3, 4, 5]
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0] / 2
    assert history["validation_accuracy"].iloc[-1] > 0.8


def test_stopped_program_goes_on_to_the_same_network(trained, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    write_surrogates(tmp_path / "surrogates.h5")
    steps = iter(range(1, 1000))

    def stop(images):
        if next(steps) == 9:
            signal.raise_signal(signal.SIGTERM)
        return images

    with monkeypatch.context() as context:
        context.setattr(
            train_exemplar, "LabelledLoss", lambda examples, _, recipe: LabelledLoss(examples, stop, recipe)
        )
        with pytest.raises(SystemExit) as caught:
            train_exemplar.main(exemplar_arguments(tmp_path))
    assert caught.value.code == 143
    assert not (tmp_path / "pretrained_network.h5").exists()
    train_exemplar.main(exemplar_arguments(tmp_path))
    assert "resumed after 1 epochs and 3 steps" in caplog.text
    found, expected = (read(folder / "pretrained_network.h5").state_dict() for folder in (tmp_path, trained))
    assert_same_weights(found, expected)
    histories = [pd.read_csv(folder / "pretraining_history.csv") for folder in (tmp_path, trained)]
    found, expected = (untimed([EpochRow(*row) for row in table.itertuples(index=False)]) for table in histories)
    assert found == expected


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"learning_rate": 0.02}, "learning_rate: 0.01, now 0.02"), ({"surrogates": "other.h5"}, "data: ")],
)
def test_checkpoint_of_another_run_is_set_aside(changes, reason, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    write_surrogates(tmp_path / "surrogates.h5")
    write_surrogates(tmp_path / "other.h5", noise=21)
    train_exemplar.main(exemplar_arguments(tmp_path, epochs=1))
    train_exemplar.main(exemplar_arguments(tmp_path, epochs=1, **changes))
    assert f"for it was made by a different run ({reason}" in caplog.text
    assert (tmp_path / "checkpoint/set-aside-1.pt").exists()


def test_more_patches_in_a_batch_than_there_are(tmp_path):
    write_surrogates(tmp_path / "surrogates.h5")
    with pytest.raises(UserError, match="batch_size 55 is above the 54 training images: lower it"):
        train_exemplar.main(exemplar_arguments(tmp_path, batch_size=55))


@pytest.mark.parametrize(("steps", "expected"), [(0, 54), (2, 18), (8, 72)])
def test_an_epoch_has_as_many_steps_as_asked_for(steps, expected, tmp_path):
    """Of nine patches each; without a number, those of one pass over the 54 patches."""
    write_surrogates(tmp_path / "surrogates.h5")
    train_exemplar.main(exemplar_arguments(tmp_path, steps_per_epoch=steps, epochs=1))
    assert pd.read_csv(tmp_path / "pretraining_history.csv")["images"].tolist() == [expected]


def test_surrogates_that_are_not_there(tmp_path):
    with pytest.raises(UserError, match=r"surrogates\.h5: No such file or directory: check the path"):
        train_exemplar.main(exemplar_arguments(tmp_path))


# Features of the layers


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_striped_dataset(tmp_path_factory.mktemp("data"))[0]


def layer_arguments(images, network_file, folder, **changes):
    options = {
        "images": images,
        "network_file": network_file,
        "layers": folder / "layers.h5",
        "precision": "float32",
    }
    return command_line(**(options | changes))


def test_layers_of_every_split(images, tmp_path, monkeypatch):
    monkeypatch.setattr(extract_layers, "BLOCK", 16)  # more than one, the last incomplete
    network = write_exemplar_network(tmp_path / "network.h5")
    extract_layers.main(layer_arguments(images, tmp_path / "network.h5", tmp_path))
    with h5py.File(tmp_path / "layers.h5") as file:
        assert list(file.attrs["layers"]) == LAYERS
        assert sorted(file) == sorted(LAYERS)
        for split in ("train", "validation", "test"):
            pixels = to_pixels(torch.from_numpy(read_images(images, split)))
            with torch.inference_mode():
                for (name, value), channels in zip(network.activations(pixels), CHANNELS, strict=True):
                    features = file[f"{name}/{split}"]
                    assert (features.shape, features.dtype) == ((COUNTS[split], 4 * channels), np.float32)
                    np.testing.assert_allclose(features[:], quadrant_max(value), rtol=1e-4, atol=1e-5)


def test_layers_of_scaled_images(images, tmp_path):
    network = write_exemplar_network(tmp_path / "network.h5")
    extract_layers.main(layer_arguments(images, tmp_path / "network.h5", tmp_path, image_size=12))
    scaled = to_pixels(torch.from_numpy(scale_all(read_images(images, "test"), 12)))
    assert scaled.shape[2:] == (12, 12)
    with h5py.File(tmp_path / "layers.h5") as file, torch.inference_mode():
        assert file.attrs["image_size"] == 12
        for name, value in network.activations(scaled):
            np.testing.assert_allclose(file[f"{name}/test"][:], quadrant_max(value), rtol=1e-4, atol=1e-5)


def test_layers_of_images_with_another_number_of_channels(images, tmp_path):
    write_exemplar_network(tmp_path / "grey.h5", channels=1)
    message = r"grey\.h5 takes images of 1 channels, and .*images\.h5 holds 3: give a network that was trained on"
    with pytest.raises(UserError, match=message):
        extract_layers.main(layer_arguments(images, tmp_path / "grey.h5", tmp_path))
    assert not (tmp_path / "layers.h5").exists()


def test_layers_without_a_network(images, tmp_path):
    with pytest.raises(UserError, match="lacks what is needed"):
        extract_layers.main(layer_arguments(images, images, tmp_path))
    assert not (tmp_path / "layers.h5").exists()


# The probe


@pytest.fixture(scope="module")
def layers(images, trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("layers")
    extract_layers.main(layer_arguments(images, trained / "pretrained_network.h5", folder))
    return folder / "layers.h5"


def probe_arguments(images, layers, network_file, folder, **changes):
    options = {
        "images": images,
        "layers": layers,
        "network_file": network_file,
        "run": "seed0",
        "svm_c": [0.1, 0.001, 0.01],
        "precision": "float32",
        "model": folder / "model.h5",
        "scores": folder / "scores.npz",
        "selection": folder / "selection.csv",
        "history": folder / "history.csv",
    }
    return command_line(**(options | changes))


@pytest.mark.parametrize("run", ["seed0", "fold1", "labels20_seed0"])
def test_probe(run, images, layers, trained, tmp_path):
    train_probe.main(probe_arguments(images, layers, trained / "pretrained_network.h5", tmp_path, run=run))
    model = read_model(tmp_path / "model.h5")
    assert (model.precision, model.class_names) == ("float32", CLASS_NAMES)
    assert_same_weights(model.network.state_dict(), read(trained / "pretrained_network.h5").state_dict())
    with h5py.File(tmp_path / "model.h5") as file:
        assert file.attrs["kind"] == "probe"

    rows, validation_rows = run_rows(images, run)
    with h5py.File(layers) as file:
        features = {
            name: np.concatenate([file[f"{name}/{part}"] for part in ("train", "validation")]) for name in LAYERS
        }
    np.testing.assert_array_equal(model.scale, layer_scales({name: features[name][rows] for name in LAYERS}))

    labelled = np.concatenate([read_images(images, split) for split in ("train", "validation")])
    labels = read_labelled(images)
    with np.load(tmp_path / "scores.npz") as scores:
        assert sorted(scores) == ["test", "validation", "validation_rows"]
        np.testing.assert_array_equal(scores["validation_rows"], validation_rows)
        for name, part in (("validation", labelled[validation_rows]), ("test", read_images(images, "test"))):
            expected = np.concatenate(list(image_scores(iter([part[:7], part[7:]]), model, CPU)))
            assert (scores[name].dtype, scores[name].shape) == (np.float32, (len(part), 4))
            np.testing.assert_allclose(scores[name], expected, rtol=1e-3, atol=1e-4)
        accuracy = np.mean(scores["validation"].argmax(axis=1) == labels[validation_rows])

    selection = pd.read_csv(tmp_path / "selection.csv")
    assert list(selection) == ["c", "train_accuracy", "validation_accuracy", "solver_iterations", "chosen"]
    assert list(selection["c"]) == [0.001, 0.01, 0.1]
    assert list(selection["chosen"]) == [index == selection["validation_accuracy"].argmax() for index in range(3)]
    chosen = selection[selection["chosen"]].iloc[0]
    assert chosen["validation_accuracy"] == pytest.approx(accuracy)
    history = pd.read_csv(tmp_path / "history.csv")
    assert list(history) == ["iteration", "objective"]
    assert len(history) == chosen["solver_iterations"]


def test_candidate_at_the_edge_is_told(images, layers, trained, tmp_path, caplog):
    options = probe_arguments(images, layers, trained / "pretrained_network.h5", tmp_path, svm_c=[1e-9, 1e-8])
    train_probe.main(options)
    assert "was chosen at the edge of its candidates; widen them in the configuration" in caplog.text
    caplog.clear()
    train_probe.main(probe_arguments(images, layers, trained / "pretrained_network.h5", tmp_path, svm_c=[0.01]))
    assert caplog.text == ""
