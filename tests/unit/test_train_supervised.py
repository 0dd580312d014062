import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

import train_supervised
from fixtures_kmeans import CLASS_NAMES, command_line, write_striped_dataset
from fixtures_training import (
    TIMED,
    assert_close_weights,
    assert_same_weights,
    network_options,
    write_exemplar_network,
)
from semisup import network_run
from semisup.cli import UserError
from semisup.copies import changed_copies
from semisup.dataset import read_images, read_labels, run_rows
from semisup.labelled_loss import accuracy_on
from semisup.models.network import image_scores, read_model
from semisup.network import Shape, first_convolution
from semisup.training import EpochRow

PROGRAM = train_supervised.__file__
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A data set of 40 training images of 8 pixels."""
    return write_striped_dataset(tmp_path_factory.mktemp("data"), size=8)[0]


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    path = tmp_path_factory.mktemp("pretrained") / "network.h5"
    write_exemplar_network(path)
    return path


def arguments(images, folder, /, **changes):
    """Return a command line that writes into `folder`; None leaves an option out."""
    options = network_options(images, folder) | changes
    return command_line(**{name: value for name, value in options.items() if value is not None})


def weights(folder):
    return read_model(folder / "model.h5").network.state_dict()


def history(folder):
    return pd.read_csv(folder / "history.csv").drop(columns=list(TIMED))


def assert_scores_are_the_models(folder, images, run, names=("validation", "test")):
    """Check that the model, read back, gives the scores that the program wrote."""
    labelled = np.concatenate([read_images(images, split) for split in ("train", "validation")])
    parts = {"validation": labelled[run_rows(images, run)[1]], "test": read_images(images, "test")}
    with np.load(folder / "scores.npz") as scores:
        for name in names:
            (expected,) = image_scores(iter([parts[name]]), read_model(folder / "model.h5"), CPU)
            assert scores[name].dtype == np.float32
            assert scores[name].shape == (len(parts[name]), len(CLASS_NAMES))
            np.testing.assert_allclose(scores[name], expected, rtol=1e-4, atol=1e-5)


# What is written


def test_network_from_random_weights(images, tmp_path):
    train_supervised.main(arguments(images, tmp_path, network="resnet", batch_size=20))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint",
        "history.csv",
        "model.h5",
        "scores.npz",
        "selection.csv",
    ]
    model = read_model(tmp_path / "model.h5")
    assert model.network.shape == Shape("resnet", 3, 8, 4, 0.3, 32)
    assert (model.average_flips, model.precision, model.class_names) == (True, "float32", CLASS_NAMES)
    with h5py.File(tmp_path / "model.h5") as file:
        assert file.attrs["kind"] == "network"
    pixels = read_images(images, "train") / 255
    np.testing.assert_allclose(model.network.mean.flatten(), pixels.mean(axis=(0, 2, 3)), rtol=1e-5)
    assert_scores_are_the_models(tmp_path, images, "seed0")
    with np.load(tmp_path / "scores.npz") as scores:
        assert sorted(scores) == ["test", "validation", "validation_rows"]
        np.testing.assert_array_equal(scores["validation_rows"], np.arange(40, 64))

    rows = pd.read_csv(tmp_path / "history.csv")
    assert list(rows) == list(EpochRow._fields[:9]), "nothing of unlabeled images"
    assert list(rows["epoch"]) == [1, 2]
    assert list(rows["images"]) == [40, 40]
    selection = pd.read_csv(tmp_path / "selection.csv")
    assert list(selection) == ["epoch", "train_accuracy", "validation_accuracy", "chosen"]
    assert list(selection["chosen"]) == [False, True]
    np.testing.assert_array_equal(selection["validation_accuracy"], rows["validation_accuracy"])


def test_fold(images, pretrained, tmp_path):
    train_supervised.main(arguments(images, tmp_path, run="fold1", pretrained=pretrained, average_flips="false"))
    with h5py.File(images) as file:
        rows = file["folds"][1]
    assert_scores_are_the_models(tmp_path, images, "fold1")
    with np.load(tmp_path / "scores.npz") as scores:
        np.testing.assert_array_equal(scores["validation_rows"], np.setdiff1d(np.arange(64), rows))
    assert not read_model(tmp_path / "model.h5").average_flips


def test_patience_keeps_the_weights_that_the_table_calls_chosen(images, pretrained, tmp_path):
    options = {"epochs": 8, "patience": 1, "average_flips": "false"}
    train_supervised.main(arguments(images, tmp_path, pretrained=pretrained, **options))
    selection = pd.read_csv(tmp_path / "selection.csv")
    (chosen,) = np.flatnonzero(selection["chosen"])
    assert chosen == selection["validation_accuracy"].argmax()
    assert len(selection) in (chosen + 2, 8)
    with np.load(tmp_path / "scores.npz") as scores, h5py.File(images) as file:
        right = scores["validation"].argmax(axis=1) == file["validation/labels"][:]
    assert right.mean() == pytest.approx(selection["validation_accuracy"][chosen])


def test_images_of_one_channel(tmp_path):
    images = write_striped_dataset(tmp_path, size=8, channels=1)[0]
    train_supervised.main(arguments(images, tmp_path, network="resnet", batch_size=20, epochs=1, color=0, hue=0))
    assert_scores_are_the_models(tmp_path, images, "seed0")


def test_seed_decides(images, pretrained, tmp_path):
    found = []
    for name, seed in (("first", 0), ("same", 0), ("other", 1)):
        train_supervised.main(arguments(images, tmp_path / name, pretrained=pretrained, seed=seed))
        found.append(weights(tmp_path / name))
    assert_same_weights(found[0], found[1])
    assert not torch.equal(found[0]["layers.conv1.0.weight"], found[2]["layers.conv1.0.weight"])


@pytest.mark.parametrize("copies", [1, 4])
def test_copies_are_a_third_of_each_kind(copies, images, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        train_supervised.main(arguments(images, tmp_path, copies=copies))
    assert f"argument --copies: {copies} is not a multiple of 3" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("steps", "expected"), [(0, 40), (3, 30), (7, 70)])
def test_an_epoch_has_as_many_steps_as_asked_for(steps, expected, images, tmp_path):
    """Of ten images each; without a number, those of one pass over the forty images."""
    train_supervised.main(arguments(images, tmp_path, network="digits", steps_per_epoch=steps))
    assert history(tmp_path)["images"].tolist() == [expected, expected]


@pytest.mark.parametrize(
    ("flip", "alternate_flips", "random", "flip_seed"),
    [("true", "false", True, None), ("true", "true", False, 4), ("false", "true", False, None)],
)
def test_options_of_the_loss(flip, alternate_flips, random, flip_seed, images, tmp_path, monkeypatch):
    """Images are mirrored by their augmentation or by the loss, never by both."""
    seen, train = [], network_run.train_network

    def watch(network, losses, *options):
        seen.extend(losses)
        return train(network, losses, *options)

    monkeypatch.setattr(network_run, "train_network", watch)
    options = {"flip": flip, "alternate_flips": alternate_flips, "progressive_resizing": 0.75, "bias_rate": 4}
    train_supervised.main(arguments(images, tmp_path, network="resnet18", epochs=1, seed=4, **options))
    (loss,) = seen
    assert any("Flip" in type(change).__name__ for change in loss.augment) == random
    assert (loss.flip_seed, loss.progressive_resizing, loss.recipe.bias_rate) == (flip_seed, 0.75, 4)


@pytest.mark.parametrize("run", ["seed0", "fold1", "labels20_seed0"])
def test_training_images_are_replaced_by_their_copies(run, images, tmp_path, monkeypatch):
    """Three for each; validation images, and the mean that pixels are normalised by, stay those of the images."""
    seen, train = [], network_run.train_network

    def measure(validation, precision):
        seen.append(validation)
        return accuracy_on(validation, precision)

    def watch(network, losses, *options):
        seen.extend([network.mean.flatten().numpy().copy(), losses[0].examples])
        return train(network, losses, *options)

    monkeypatch.setattr(network_run, "accuracy_on", measure)
    monkeypatch.setattr(network_run, "train_network", watch)
    train_supervised.main(arguments(images, tmp_path, network="digits", copies=3, run=run, epochs=1))
    rows, validation_rows = run_rows(images, run)
    pixels = torch.from_numpy(np.concatenate([read_images(images, split) for split in ("train", "validation")]))
    labels = torch.from_numpy(np.concatenate([read_labels(images, split) for split in ("train", "validation")]))
    expected, expected_labels = changed_copies(pixels[rows], labels[rows], 3, 0)
    validation, mean, examples = seen
    assert torch.equal(examples.images, expected)
    assert torch.equal(examples.labels, expected_labels)
    np.testing.assert_allclose(mean, pixels[rows].float().mean(dim=(0, 2, 3)) / 255, rtol=1e-5)
    assert torch.equal(validation.take(slice(None)).images, pixels[validation_rows])
    assert pd.read_csv(tmp_path / "history.csv")["images"].tolist() == [3 * len(rows)]
    assert_scores_are_the_models(tmp_path, images, run)


# A pretrained network


def test_fine_tuning_starts_from_the_layers_of_the_pretrained_network(tmp_path):
    """For patches of 8 pixels, on images of 16: steps too small to change anything show where it starts."""
    images = write_striped_dataset(tmp_path, size=16)[0]
    source = write_exemplar_network(tmp_path / "network.h5", seed=7)
    options = {"epochs": 1, "learning_rate": 1e-30, "weight_decay": 0, "pretrained": tmp_path / "network.h5"}
    train_supervised.main(arguments(images, tmp_path, **options))
    model = read_model(tmp_path / "model.h5")
    assert model.network.shape == Shape("exemplar_small", 3, 16, 4, 0.3, 8)
    assert_close_weights(model.network.layers.state_dict(), source.layers.state_dict(), rtol=0, atol=1e-25)
    assert torch.equal(model.network.mean, source.mean)
    assert torch.equal(model.network.std, source.std)
    assert model.network.head[-1].weight.shape == (4, 4 * 128)


def test_fine_tuning_changes_the_layers(images, pretrained, tmp_path):
    train_supervised.main(arguments(images, tmp_path, pretrained=pretrained))
    with h5py.File(pretrained) as file:
        before = torch.from_numpy(file["network/layers.conv1.0.weight"][:])
    assert not torch.equal(weights(tmp_path)["layers.conv1.0.weight"], before)


def test_model_of_the_program_serves_as_pretrained_network(images, pretrained, tmp_path):
    train_supervised.main(arguments(images, tmp_path / "first", pretrained=pretrained))
    options = {"epochs": 1, "learning_rate": 1e-30, "weight_decay": 0, "pretrained": tmp_path / "first/model.h5"}
    train_supervised.main(arguments(images, tmp_path / "second", **options))
    first, second = (read_model(tmp_path / name / "model.h5").network.layers for name in ("first", "second"))
    assert_close_weights(second.state_dict(), first.state_dict(), rtol=0, atol=1e-25)


# Faults


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"network": "exemplar_large"},
            r"network\.h5 holds a network exemplar_small for 3 channels, not a exemplar_large for 3: "
            "give --network exemplar_small, or another file",
        ),
        ({"network": "resnet"}, r"network\.h5 holds a network exemplar_small for 3 channels, not a resnet for 3"),
        ({"pretrained": "absent.h5"}, r"absent\.h5: No such file or directory: check the path"),
        ({"pretrained": __file__}, r"test_train_supervised\.py is damaged or not an HDF5 file"),
        ({"batch_size": 41}, "batch_size 41 is above the 40 training images: lower it"),
        ({"run": "fold0", "batch_size": 21}, "batch_size 21 is above the 20 training images: lower it"),
        ({"run": "fold2"}, "has 2 folds, so there is no run fold2"),
        ({"images": "absent.h5"}, r"absent\.h5: No such file or directory: check the path"),
        ({"learning_rate": 1e20}, "the loss is (nan|inf) in epoch 1, batch .: lower learning_rate"),
    ],
)
def test_faults(changes, message, images, pretrained, tmp_path):
    with pytest.raises(UserError, match=message) as caught:
        train_supervised.main(arguments(images, tmp_path, **{"pretrained": pretrained, **changes}))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model.h5").exists()


def test_pretrained_file_that_holds_no_network(images, tmp_path):
    with pytest.raises(UserError, match="lacks what is needed"):
        train_supervised.main(arguments(images, tmp_path, pretrained=images))


def test_pretrained_network_for_images_of_one_channel(images, tmp_path):
    write_exemplar_network(tmp_path / "grey.h5", channels=1)
    with pytest.raises(UserError, match=r"holds a network exemplar_small for 1 channels, not a exemplar_small for 3"):
        train_supervised.main(arguments(images, tmp_path, pretrained=tmp_path / "grey.h5"))


@pytest.mark.parametrize("changes", [{"dropout": 1.5}, {"dropout": -0.1}, {"epochs": 0}, {"hue": "nan"}, {"shift": -1}])
def test_options_out_of_range(changes, images, pretrained, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        train_supervised.main(arguments(images, tmp_path, pretrained=pretrained, **changes))
    assert caught.value.code == 2
    assert f"error: argument --{next(iter(changes))}" in capsys.readouterr().err


# Ends that come too early

LONG = {"epochs": 10, "ema_decay": 0.9, "checkpoint_seconds": 0}  # 40 steps, and a checkpoint after each


@pytest.fixture(scope="module")
def uninterrupted(images, pretrained, tmp_path_factory):
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    train_supervised.main(arguments(images, folder, pretrained=pretrained, **LONG | {"checkpoint_seconds": 60}))
    return folder


def start(options):
    return subprocess.Popen([sys.executable, PROGRAM, *options], stderr=subprocess.PIPE, text=True)


def wait_for(path, process):
    """Wait until the process has made the file; it must still be at work then."""
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_killed_program_goes_on_to_the_same_result(number, code, images, pretrained, uninterrupted, tmp_path, caplog):
    options = arguments(images, tmp_path, pretrained=pretrained, **LONG)
    with start(options) as process:
        wait_for(tmp_path / "checkpoint/checkpoint.pt", process)
        process.send_signal(number)
        _, log = process.communicate()
    assert process.returncode == code
    assert (f"stopped by signal {int(number)}; the same command goes on from here" in log) == (code > 0)
    assert "Traceback" not in log
    assert not (tmp_path / "model.h5").exists()

    caplog.set_level("INFO")
    train_supervised.main(options)
    assert "resumed after" in caplog.text
    assert_same_weights(weights(tmp_path), weights(uninterrupted))
    pd.testing.assert_frame_equal(history(tmp_path), history(uninterrupted), check_exact=True)
    with np.load(tmp_path / "scores.npz") as found, np.load(uninterrupted / "scores.npz") as expected:
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name])


def kill_at_step(step, monkeypatch):
    """Let the program's augmentation send SIGTERM to its own process at this step."""
    new = network_run.augment_function

    def augment_function(*options):
        steps, augment = iter(range(1, 1000)), new(*options)

        def change(batch):
            if next(steps) == step:
                signal.raise_signal(signal.SIGTERM)
            return augment(batch)

        return change

    monkeypatch.setattr(network_run, "augment_function", augment_function)


def stop_early(options, monkeypatch):
    with monkeypatch.context() as context:
        kill_at_step(6, context)
        with pytest.raises(SystemExit) as caught:
            train_supervised.main(options)
    assert caught.value.code == 143


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"learning_rate": 0.02}, "learning_rate: 0.01, now 0.02"),
        ({"hue": 0.0}, "hue: 0.05, now 0.0"),
        ({"dropout": 0.4}, "dropout: 0.3, now 0.4"),
        ({"seed": 1}, "seed: 0, now 1"),
        ({"code": "another"}, "code: , now another"),
        ({"copies": 3}, "copies: 0, now 3"),
        ({"run": "fold0"}, "run: seed0, now fold0, data: "),
    ],
)
def test_checkpoint_of_another_run_is_set_aside(changes, reason, images, pretrained, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    stop_early(arguments(images, tmp_path, pretrained=pretrained), monkeypatch)
    changed = {"pretrained": pretrained, **changes}
    train_supervised.main(arguments(images, tmp_path, **changed))
    assert f"the checkpoint is not resumed, for it was made by a different run ({reason}" in caplog.text
    assert "resumed after" not in caplog.text
    assert sorted(path.name for path in (tmp_path / "checkpoint").iterdir()) == [
        "checkpoint.pt",
        "history.csv",
        "lock",
        "set-aside-1.pt",
    ]
    train_supervised.main(arguments(images, tmp_path / "fresh", **changed))
    assert_same_weights(weights(tmp_path), weights(tmp_path / "fresh"))


# A first layer of centroids


@pytest.mark.parametrize("changes", [{"optimizer": "adamw"}, {"ema_decay": 0.9, "weight_decay": 0.1}])
def test_a_first_layer_of_centroids_stays_as_it_is(changes, images, tmp_path):
    train_supervised.main(arguments(images, tmp_path, network="resnet", first_layer="centroids", **changes))
    trained = read_model(tmp_path / "model.h5").network
    fresh = network_run.random_network(trained.shape, network_run.read_run(images, "seed0", None), seed=0)
    assert trained.shape.first_layer == "centroids"
    fixed = first_convolution(fresh).weight
    assert torch.equal(first_convolution(trained).weight, fixed)
    for before, after in zip(fresh.parameters(), trained.parameters(), strict=True):
        assert before is fixed or not torch.equal(before, after)


def test_another_rounding_of_the_centroids_leaves_the_checkpoint(images, tmp_path, monkeypatch, caplog):
    """As on another number of threads, where it would otherwise begin anew."""
    caplog.set_level("INFO")
    options = {"network": "resnet", "first_layer": "centroids"}
    train_supervised.main(arguments(images, tmp_path / "whole", **options))
    stop_early(arguments(images, tmp_path, **options), monkeypatch)
    learn = network_run.learn_first_layer

    def learn_otherwise(network, *others):
        learn(network, *others)
        with torch.no_grad():
            first_convolution(network).weight.mul_(1 + 1e-6)

    monkeypatch.setattr(network_run, "learn_first_layer", learn_otherwise)
    train_supervised.main(arguments(images, tmp_path, **options))
    assert "resumed after" in caplog.text
    assert_same_weights(weights(tmp_path), weights(tmp_path / "whole"))


def test_a_first_layer_of_centroids_beside_a_base(images, pretrained, tmp_path):
    with pytest.raises(
        UserError, match=r"^the first layer of .*network\.h5 is trained, not centroids: give --first-lay"
    ):
        train_supervised.main(arguments(images, tmp_path, pretrained=pretrained, first_layer="centroids"))


def test_other_pretrained_weights_set_the_checkpoint_aside(images, pretrained, tmp_path, monkeypatch, caplog):
    stop_early(arguments(images, tmp_path, pretrained=pretrained), monkeypatch)
    write_exemplar_network(tmp_path / "other.h5", seed=1)
    train_supervised.main(arguments(images, tmp_path, pretrained=tmp_path / "other.h5"))
    assert "for it was made by a different run (data: " in caplog.text


@pytest.mark.parametrize("changes", [{"checkpoint_seconds": 0}, {"average_flips": "false"}, {"model": "elsewhere.h5"}])
def test_what_training_does_not_depend_on_leaves_the_checkpoint(
    changes, images, pretrained, tmp_path, monkeypatch, caplog
):
    caplog.set_level("INFO")
    monkeypatch.chdir(tmp_path)
    stop_early(arguments(images, tmp_path, pretrained=pretrained), monkeypatch)
    train_supervised.main(arguments(images, tmp_path, pretrained=pretrained, **changes))
    assert "resumed after 1 epochs and 2 steps" in caplog.text


def test_lost_outputs_come_back_from_a_finished_checkpoint(images, pretrained, tmp_path, monkeypatch, caplog):
    """As when Snakemake deletes the outputs of a job that failed at its very end."""
    caplog.set_level("INFO")
    options = arguments(images, tmp_path, pretrained=pretrained)
    train_supervised.main(options)
    outputs = ("history.csv", "selection.csv", "scores.npz", "model.h5")
    before = {name: (tmp_path / name).read_bytes() for name in outputs}
    for name in outputs:
        (tmp_path / name).unlink()
    kill_at_step(1, monkeypatch)
    train_supervised.main(options)
    assert "this training has ended before" in caplog.text
    assert {name: Path(tmp_path / name).read_bytes() for name in outputs} == before
