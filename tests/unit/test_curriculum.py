import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

import train_curriculum
from fixtures_kmeans import command_line, write_striped_dataset
from fixtures_programs import assert_scores_are_the_models
from fixtures_training import network_options
from semisup.curriculum import surest_of_each_class
from semisup.labelled_loss import LabelledLoss


@pytest.mark.parametrize("part", [0.1, 0.25, 0.5, 1.0])
def test_surest_of_each_class(part):
    """Against a loop over images sorted by their probability."""
    scores = np.random.default_rng(0).normal(size=(203, 4)).astype(np.float32)
    scores[:, 1] += 0.5
    rows, classes = surest_of_each_class(scores, part)
    probabilities = softmax(scores.astype(np.float64), axis=1)
    quota = -int(-part * 203 // 4)
    expected = []
    for label in range(4):
        of_class = [row for row in range(203) if probabilities[row].argmax() == label]
        expected += sorted(of_class, key=lambda row: -probabilities[row].max())[:quota]
    assert rows.tolist() == sorted(expected)
    assert classes.tolist() == probabilities[rows].argmax(axis=1).tolist()
    if part == 1:
        assert len(rows) < 203, "a class that is predicted too often does not get all of them"


def test_order_among_what_is_rounded_to_one():
    scores = np.array([[90, 0], [200, 0], [80, 0], [0, 1]], np.float32)
    assert surest_of_each_class(scores, 0.5)[0].tolist() == [1, 3]
    assert surest_of_each_class(scores, 0.75)[0].tolist() == [0, 1, 3]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_striped_dataset(tmp_path_factory.mktemp("data"), size=8)[0]


def arguments(images, folder, **changes):
    options = network_options(images, folder) | {"network": "digits", "cycles": 2, "cutout": 0}
    return command_line(**options | changes)


def test_program(images, tmp_path):
    train_curriculum.main(arguments(images, tmp_path))
    assert_scores_are_the_models(tmp_path, images, np.arange(40, 64))
    rows = pd.read_csv(tmp_path / "history.csv")
    assert rows["cycle"].tolist() == [0, 0, 1, 1, 2, 2]
    assert rows["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert rows["images"].iloc[0] == 40
    assert 40 <= rows["images"].iloc[2] <= 40 + 32
    assert rows["images"].iloc[2] <= rows["images"].iloc[4] <= 100
    selection = pd.read_csv(tmp_path / "selection.csv")
    assert selection["chosen"].tolist() == [False] * 5 + [True]


def stop_after(cycle, command, monkeypatch):
    """Run the program until it begins the training after that of a cycle, counted from 0."""
    train, trained = train_curriculum.train_network, []

    def watch(network, losses, measure, recipe, seed, checkpoint):
        if len(trained) > cycle:
            raise KeyboardInterrupt
        trained.append(seed)
        return train(network, losses, measure, recipe, seed, checkpoint)

    with monkeypatch.context() as patched:
        patched.setattr(train_curriculum, "train_network", watch)
        with pytest.raises(KeyboardInterrupt):
            train_curriculum.main(command)


@pytest.mark.parametrize("stopped_after", [0, 1])
def test_stopped_between_two_cycles(stopped_after, images, tmp_path, monkeypatch):
    """The cycles that ended are taken from their checkpoints, and the result is the same."""
    train_curriculum.main(arguments(images, tmp_path / "whole"))
    stop_after(stopped_after, arguments(images, tmp_path / "stopped"), monkeypatch)
    train_curriculum.main(arguments(images, tmp_path / "stopped"))
    whole, stopped = (np.load(tmp_path / name / "scores.npz") for name in ("whole", "stopped"))
    assert np.array_equal(whole["test"], stopped["test"])


@pytest.mark.parametrize("stopped_after", [0, 1])
def test_other_images_set_a_cycle_aside(stopped_after, images, tmp_path, monkeypatch):
    """Even where rows and labels are the same: a training that has ended on other images is not taken up."""
    other = write_striped_dataset(tmp_path, size=8)[0]
    with h5py.File(other, "r+") as file:
        file["train/images"][...] = 255 - file["train/images"][...]
    stop_after(stopped_after, arguments(images, tmp_path / "run"), monkeypatch)
    for folder in ("run", "fresh"):
        train_curriculum.main(arguments(other, tmp_path / folder))
    taken, fresh = (np.load(tmp_path / name / "scores.npz") for name in ("run", "fresh"))
    assert np.array_equal(taken["test"], fresh["test"])


def test_images_grow_with_the_epochs(images, tmp_path, monkeypatch):
    losses = []
    monkeypatch.setattr(
        train_curriculum, "LabelledLoss", lambda *given: losses.append(given[3]) or LabelledLoss(*given)
    )
    train_curriculum.main(arguments(images, tmp_path, cycles=1, progressive_resizing=0.9))
    assert losses == [0.9, 0.9]
