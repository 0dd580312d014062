import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

import train_kmeans_rounds
import train_pseudo_label_rounds
import train_supervised
from fixtures_kmeans import CLASS_NAMES, command_line, train_striped_run, write_striped_dataset
from fixtures_programs import assert_scores_are_the_models, start, wait_for
from fixtures_training import (
    ABOUT,
    AUGMENTATION,
    RECIPE_OPTIONS,
    assert_same_weights,
    copied_weights,
    network_options,
    run_options,
)
from semisup.calibration import fit_temperature
from semisup.checkpoints import locked_checkpoint
from semisup.cli import UserError
from semisup.dataset import Split, read_images, read_labelled, write_dataset
from semisup.features import feature_blocks, on_device
from semisup.first_layer import learn_first_layer
from semisup.labelled_loss import accuracy_on
from semisup.models import kmeans as kmeans_model
from semisup.models import network as network_model
from semisup.network import Shape, network_scores, new_network, set_normalization
from semisup.network_run import read_run
from semisup.pseudo_labels import Accepted, HeldOut, RoundRow, Rule, predict
from semisup.rounds import RoundFit, Setting, run_rounds
from semisup.svm import fit_svm, standardize

CLASSES = 3
NEVER = 1e9  # seconds
TIMED = ["seconds", "peak_memory_gib", "images_per_second"]  # columns of the history that no two runs share
CPU = torch.device("cpu")


# The loop, with a classifier that looks its scores up in a table


class Table:
    """A classifier whose scores after fit k are row k of tables: labelled and unlabeled, float32 (fits, n, classes)."""

    def __init__(self, rounds=4, labelled=40, unlabeled=60, seed=0):
        rng = np.random.default_rng(seed)
        self.labelled = rng.normal(0, 2, (rounds + 1, labelled, CLASSES)).astype(np.float32)
        self.unlabeled = rng.normal(0, 2, (rounds + 1, unlabeled, CLASSES)).astype(np.float32)
        self.number = 0
        self.fits = []
        self.looked_at = []
        self.saved = 0
        self.at_fit = {}  # what happens in the fit of a round

    def fit(self, number, images, labels):
        self.number = number
        self.fits.append((number, images.tolist(), labels.tolist()))
        self.at_fit.get(number, lambda: None)()
        return RoundFit(train_loss=1 / number)

    def labelled_scores(self, rows):
        self.looked_at.append(rows.tolist())
        return self.labelled[self.number][rows]

    def unlabeled_scores(self, rows):
        return self.unlabeled[self.number][rows]

    def accepted_scores(self, images):
        assert images.tolist() == self.fits[-1][1][: len(images)], "images of the last fit"
        return self.unlabeled[self.number][images]

    def peak_memory_gib(self):
        return 1.234

    def checkpointed(self):
        self.saved += 1

    def state_dict(self):
        return {"number": self.number}

    def load_state_dict(self, state):
        self.number = state["number"]


TOP = Rule("top", 5, 0.9, False)
LABELS = np.random.default_rng(7).integers(0, CLASSES, 40)
CANDIDATES = np.random.default_rng(8).permutation(60)[:48].reshape(4, 12)


def setting(rule=TOP, relabel=False, calibrate=False):
    """Return a setting of 20 training images (rows 0 to 19), 12 for validation and 8 held out."""
    return Setting(rule, relabel, calibrate, CANDIDATES, np.arange(20, 32), np.arange(32, 40), LABELS, 20, CLASSES)


def run(folder, classifier, wanted, seconds=NEVER):
    with locked_checkpoint(folder, {"run": "a test"}, seconds) as checkpoint:
        return run_rounds(classifier, wanted, checkpoint)


def best(scores, count):
    """Return positions, classes and confidences of the most confident rows of scores, by torch."""
    confidence, classes = torch.from_numpy(scores).double().softmax(dim=1).max(dim=1)
    order = confidence.argsort(descending=True, stable=True)[:count]
    return order.tolist(), classes[order].tolist(), confidence[order].tolist()


@pytest.mark.parametrize("relabel", [False, True])
def test_rounds_are_those_of_a_plain_loop(relabel, tmp_path):
    classifier = Table()
    rounds = run(tmp_path, classifier, setting(relabel=relabel))
    images, labels, fits, accepted, held_out = [], [], [], [], []
    for number in range(5):
        before = list(labels)
        if number:
            if relabel:  # but for those accepted at the end of the round before: its network labelled them just now
                known = len(images) - 5
                labels[:known] = classifier.unlabeled[number - 1][images[:known]].argmax(axis=1).tolist()
                assert known == 0 or labels != before, "some change"
            fits.append((number, list(images), list(labels)))
        row = rounds.rows[number]
        scores = classifier.labelled[number]
        assert row.round == number
        assert row.training_images == 20 + len(images)
        assert row.validation_accuracy == np.mean(scores[20:32].argmax(axis=1) == LABELS[20:32])
        positions, classes, confidence = best(scores[32:40], round(8 * 5 / 12))
        rows = [32 + position for position in positions]
        held_out += [HeldOut(number, r, LABELS[r], c, p) for r, c, p in zip(rows, classes, confidence, strict=True)]
        assert row.held_out_images == 3
        assert row.held_out_precision == pytest.approx(np.mean(LABELS[rows] == classes))
        assert row.train_loss == (1 / number if number else None)
        if number == 4:
            assert (row.accepted, row.mean_confidence, row.lowest_confidence) == (0, None, None)
            break
        positions, classes, confidence = best(classifier.unlabeled[number][CANDIDATES[number]], 5)
        new = CANDIDATES[number][positions].tolist()
        accepted += [Accepted(number, i, c, p) for i, c, p in zip(new, classes, confidence, strict=True)]
        images, labels = images + new, labels + classes
        assert (row.accepted, row.mean_confidence, row.lowest_confidence) == pytest.approx(
            (5, np.mean(confidence), min(confidence))
        )
    assert classifier.fits == fits
    for found, expected in ((rounds.accepted, accepted), (rounds.held_out, held_out)):
        assert [row[:-1] for row in found] == [row[:-1] for row in expected]
        assert [row[-1] for row in found] == pytest.approx([row[-1] for row in expected])
    assert len(rounds.rows) == 5


def test_held_out_images_serve_for_nothing_else(tmp_path):
    """Validation images and held-out ones are looked at apart, and no other labelled image is."""
    classifier = Table()
    rounds = run(tmp_path, classifier, setting())
    assert classifier.looked_at == [list(range(20, 32)), list(range(32, 40))] * 5
    assert {row.row for row in rounds.held_out} <= set(range(32, 40))


def test_round_that_accepts_nothing(tmp_path, caplog):
    """It is written down as empty, and the rounds go on."""
    caplog.set_level("INFO")
    classifier = Table()
    classifier.unlabeled[1] = 0.0
    classifier.labelled[1] = 0.0
    rounds = run(tmp_path, classifier, setting(Rule("threshold", 5, 0.9, False)))
    row = rounds.rows[1]
    assert (row.accepted, row.mean_confidence, row.lowest_confidence) == (0, None, None)
    assert (row.held_out_images, row.held_out_precision) == (0, None)
    first, _, third = (rounds.rows[number].accepted for number in range(3))
    assert first > 0 < third
    assert [row.training_images for row in rounds.rows[:4]] == [20, 20 + first, 20 + first, 20 + first + third]
    assert {row.round for row in rounds.accepted} == {0, 2, 3}
    assert f"round 1 of 4: {20 + first} training images, validation accuracy" in caplog.text
    assert ", 0 accepted\n" in caplog.text
    assert {row.peak_memory_gib for row in rounds.rows} == {1.23}


@pytest.mark.parametrize("rule", [TOP, Rule("threshold", 5, 0.0, False)])
def test_control_trains_on_the_labelled_images_alone(rule, tmp_path):
    classifier = Table()
    rounds = run(tmp_path, classifier, setting(rule._replace(accepted=0), relabel=True))
    assert classifier.fits == [(number, [], []) for number in range(1, 5)]
    assert [(row.training_images, row.accepted, row.held_out_images) for row in rounds.rows] == [(20, 0, 0)] * 5
    assert rounds.accepted == rounds.held_out == []


def test_confidence_is_calibrated_on_the_validation_images(tmp_path):
    classifier = Table()
    classifier.labelled[:, 20:32] += 6 * np.eye(CLASSES, dtype=np.float32)[LABELS[20:32]]
    rounds = run(tmp_path, classifier, setting(calibrate=True))
    temperatures = [fit_temperature(scores[20:32], LABELS[20:32]) for scores in classifier.labelled]
    assert max(abs(np.log(temperatures))) > 0.3
    assert len(rounds.accepted) == 20
    for row in rounds.accepted:
        scores = classifier.unlabeled[row.round][[row.image]]
        assert row.confidence == pytest.approx(predict(scores, temperatures[row.round]).confidence[0])
    for row in rounds.held_out:
        scores = classifier.labelled[row.round][[row.row]]
        assert row.confidence == pytest.approx(predict(scores, temperatures[row.round]).confidence[0])


def untimed(rounds):
    """Return the three tables without what depends on the time and the machine."""
    rows = [{name: value for name, value in row._asdict().items() if name not in TIMED} for row in rounds.rows]
    return rows, rounds.accepted, rounds.held_out


@pytest.mark.parametrize("number", [1, 2, 4])
@pytest.mark.parametrize("relabel", [False, True])
def test_stopped_rounds_go_on(number, relabel, tmp_path):
    """A signal lets the round under way end; the rounds before are not fitted again."""
    expected = run(tmp_path / "whole", Table(), setting(relabel=relabel))
    first, second = Table(), Table()
    first.at_fit[number] = lambda: os.kill(os.getpid(), signal.SIGTERM)
    second.fits = first.fits  # as a classifier keeps the images of its last fit
    if number < 4:
        with pytest.raises(SystemExit) as caught:
            run(tmp_path / "stopped", first, setting(relabel=relabel))
        assert caught.value.code == 128 + signal.SIGTERM
    else:  # all is done, so there is nothing to stop
        run(tmp_path / "stopped", first, setting(relabel=relabel))
    rounds = run(tmp_path / "stopped", second, setting(relabel=relabel))
    assert untimed(rounds) == untimed(expected)
    assert [fit[0] for fit in second.fits] == [1, 2, 3, 4]


@pytest.mark.parametrize(("seconds", "saved"), [(NEVER, 1), (0, 5)])
def test_checkpoints_are_written_as_often_as_asked(seconds, saved, tmp_path):
    classifier = Table()
    run(tmp_path, classifier, setting(), seconds)
    assert classifier.saved == saved


def test_checkpoint_holds_rows_and_labels_but_no_images(tmp_path):
    run(tmp_path, Table(), setting())
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["state"]
    assert sorted(state) == ["accepted", "classifier", "held_out", "rows"]
    assert state["classifier"] == {"number": 4}
    for name, kind in (("rows", RoundRow), ("accepted", Accepted), ("held_out", HeldOut)):
        assert all(list(row) == list(kind._fields) for row in state[name])
        assert all(value is None or isinstance(value, int | float) for row in state[name] for value in row.values())


# The programs


class Run(NamedTuple):
    """A program of rounds with what its command line needs."""

    program: object
    options: dict


SHORT = {
    "rounds": 3,
    "candidates": 15,
    "accept": "top",
    "accepted": 6,
    "threshold": 0.5,
    "class_balanced": "false",
    "relabel": "false",
    "held_out": 0.25,
}
TABLES = {"accepted_table": "accepted.csv", "held_out_table": "held_out.csv"}
HISTORY = [
    "round",
    "training_images",
    "accepted",
    "mean_confidence",
    "lowest_confidence",
    "held_out_images",
    "held_out_precision",
    "validation_accuracy",
    "seconds",
    "peak_memory_gib",
]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A data set of 40 training, 24 validation and 440 unlabeled images of 16 pixels, of four classes."""
    return write_striped_dataset(tmp_path_factory.mktemp("data"), unlabeled=440)[0]


@pytest.fixture(scope="module")
def network_base(images, tmp_path_factory):
    """The folder of a network that has begun to learn."""
    folder = tmp_path_factory.mktemp("supervised")
    train_supervised.main(command_line(**network_options(images, folder) | {"network": "digits", "epochs": 4}))
    return folder


@pytest.fixture(scope="module")
def kmeans_base(images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kmeans")
    train_striped_run(images, folder)
    return folder


def network_rounds(base):
    recipe = RECIPE_OPTIONS | {"epochs": 2, "batch_size": 10, "learning_rate": 0.01}
    return Run(
        train_pseudo_label_rounds,
        SHORT | {"base_model": base / "model.h5", "restart": "false", **recipe, **AUGMENTATION},
    )


def kmeans_rounds(base):
    files = {
        "base_model": base / "model.h5",
        "base_selection": base / "selection.csv",
        "features": base / "features.h5",
    }
    return Run(train_kmeans_rounds, SHORT | files)


@pytest.fixture(params=["network", "kmeans"])
def either(request):
    """Each of the two programs, with a base."""
    base = request.getfixturevalue(f"{request.param}_base")
    return {"network": network_rounds, "kmeans": kmeans_rounds}[request.param](base)


def arguments(wanted, images, folder, /, **changes):
    tables = {name: folder / file for name, file in TABLES.items()}
    return command_line(**run_options(images, folder) | wanted.options | tables | changes)


def read(folder, name):
    return pd.read_csv(folder / f"{name}.csv")


def assert_same_run(folder, other):
    """Check that two runs wrote the same, but for times and memory."""
    for name in ("accepted.csv", "held_out.csv", "selection.csv", "model.h5"):
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name
    histories = [read(place, "history").drop(columns=TIMED, errors="ignore") for place in (folder, other)]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    with np.load(folder / "scores.npz") as found, np.load(other / "scores.npz") as expected:
        assert sorted(found) == ["test", "validation", "validation_rows"]
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize(
    "changes", [{}, {"run": "fold1"}, {"run": "labels20_seed0"}, {"class_balanced": "true", "relabel": "true"}]
)
def test_programs_write_what_the_contract_says(changes, either, images, tmp_path):
    either.program.main(arguments(either, images, tmp_path, **changes))
    of_network = either.program is train_pseudo_label_rounds
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "accepted.csv",
        "checkpoint",
        "held_out.csv",
        "history.csv",
        "model.h5",
        "scores.npz",
        "selection.csv",
    ]
    assert sorted(path.name for path in (tmp_path / "checkpoint").iterdir()) == ["checkpoint.pt", "lock"]
    history, accepted, held_out = (read(tmp_path, name) for name in ("history", "accepted", "held_out"))
    assert list(history) == HISTORY + ["train_loss", "train_accuracy", "images_per_second"] * of_network
    assert history["round"].tolist() == [0, 1, 2, 3]
    labelled = 20 if "run" in changes else 40
    counts = accepted.groupby("round").size().reindex(range(4), fill_value=0)
    assert counts[:3].gt(0).all()
    assert counts[3] == 0
    if "class_balanced" in changes:
        assert accepted.groupby(["round", "label"]).size().max() == 1
    else:
        assert counts.tolist() == [6, 6, 6, 0]
    assert history["accepted"].tolist() == counts.tolist()
    assert history["training_images"].tolist() == [labelled, *(labelled + counts.cumsum())[:3]]
    assert history["lowest_confidence"].isna().tolist() == [False] * 3 + [True]
    for number, rows in accepted.groupby("round"):
        assert history["mean_confidence"][number] == pytest.approx(rows["confidence"].mean())
        assert history["lowest_confidence"][number] == pytest.approx(rows["confidence"].min())
        assert rows["confidence"].is_monotonic_decreasing
    assert accepted["image"].is_unique
    assert list(accepted) == list(Accepted._fields)
    assert list(held_out) == list(HeldOut._fields)

    selection = read(tmp_path, "selection")
    assert list(selection) == ["round"] + ["train_accuracy"] * of_network + ["validation_accuracy", "chosen"]
    assert selection["chosen"].tolist() == [False, False, False, True]
    if of_network:
        assert history["train_loss"].isna().tolist() == [True, False, False, False]

    labels = read_labelled(images)
    np.testing.assert_array_equal(held_out["label"], labels[held_out["row"]])
    for number, rows in held_out.groupby("round"):
        assert history["held_out_images"][number] == len(rows)
        assert history["held_out_precision"][number] == pytest.approx((rows["label"] == rows["predicted"]).mean())
    with np.load(tmp_path / "scores.npz") as scores:
        kept = scores["validation_rows"]
        right = scores["validation"].argmax(axis=1) == labels[kept]
    assert not set(kept) & set(held_out["row"])
    assert len(kept) == {"fold1": 33}.get(changes.get("run"), 18)
    if changes.get("run") == "fold1":
        with h5py.File(images) as file:
            assert not set(file["folds"][1]) & (set(kept) | set(held_out["row"]))
    assert history["validation_accuracy"][3] == pytest.approx(right.mean())
    assert_scores_are_the_models(tmp_path, images, kept)


def test_labels_are_those_that_the_model_gives(either, images, tmp_path):
    """The first images, accepted by the base, have the base's classes."""
    either.program.main(arguments(either, images, tmp_path, rounds=1, accepted=15))
    accepted = read(tmp_path, "accepted")
    module = network_model if either.program is train_pseudo_label_rounds else kmeans_model
    base = module.read_model(either.options["base_model"])
    pixels = read_images(images, "unlabeled")[accepted["image"]]
    (scores,) = module.image_scores(iter([pixels]), base, CPU)
    np.testing.assert_array_equal(accepted["label"], scores.argmax(axis=1))
    assert accepted["label"].nunique() > 1


def test_control_learns_nothing_from_unlabeled_images(either, images, tmp_path):
    """Other unlabeled images, the same model; and tables without rows can be read."""
    other = write_striped_dataset(tmp_path, unlabeled=100)[0]
    for name, data in (("first", images), ("second", other)):
        either.program.main(arguments(either, data, tmp_path / name, accepted=0))
    assert (tmp_path / "first/model.h5").read_bytes() == (tmp_path / "second/model.h5").read_bytes()
    for name, kind in (("accepted", Accepted), ("held_out", HeldOut)):
        table = read(tmp_path / "first", name)
        assert (len(table), list(table)) == (0, list(kind._fields))
    history = read(tmp_path / "first", "history")
    assert history["training_images"].tolist() == [40] * 4
    assert set(HISTORY) <= set(history)


def test_seed_decides(either, images, tmp_path):
    for name, seed in (("first", 0), ("same", 0), ("other", 1)):
        either.program.main(arguments(either, images, tmp_path / name, seed=seed))
    assert_same_run(tmp_path / "first", tmp_path / "same")
    assert set(read(tmp_path / "first", "accepted")["image"]) != set(read(tmp_path / "other", "accepted")["image"])


def test_lost_outputs_come_back_from_a_finished_checkpoint(either, images, tmp_path, caplog):
    caplog.set_level("INFO")
    options = arguments(either, images, tmp_path)
    either.program.main(options)
    outputs = [path for path in tmp_path.iterdir() if path.is_file()]
    before = {path: path.read_bytes() for path in outputs}
    for path in outputs:
        path.unlink()
    either.program.main(options)
    assert "resumed after round 3" in caplog.text
    assert {path: path.read_bytes() for path in outputs} == before


# Rounds of a network


@pytest.fixture
def fits(monkeypatch):
    """For each round the weights before and after it, its training and validation examples, and its seed."""
    seen, validations, train = [], [], train_pseudo_label_rounds.train_network

    def measure(validation, precision):
        validations.append(validation)
        return accuracy_on(validation, precision)

    def watch(network, losses, measure, recipe, seed, checkpoint):
        before = copied_weights(network)
        history = train(network, losses, measure, recipe, seed, checkpoint)
        (loss,) = losses
        seen.append((before, copied_weights(network), loss.examples, validations[-1], seed))
        return history

    monkeypatch.setattr(train_pseudo_label_rounds, "accuracy_on", measure)
    monkeypatch.setattr(train_pseudo_label_rounds, "train_network", watch)
    return seen


def test_rounds_train_on_labelled_and_accepted_images(images, network_base, fits, tmp_path):
    wanted = network_rounds(network_base)
    wanted.program.main(arguments(wanted, images, tmp_path))
    accepted, run = read(tmp_path, "accepted"), read_run(images, "seed0", None)
    unlabeled = read_images(images, "unlabeled")
    held_out = set(read(tmp_path, "held_out")["row"])
    with np.load(tmp_path / "scores.npz") as scores:
        kept = scores["validation_rows"]
    for number, (_, _, train, validation, _) in enumerate(fits, start=1):
        so_far = accepted[accepted["round"] < number]
        examples = train.take(slice(None))
        np.testing.assert_array_equal(examples.labels, [*run.labels[:40], *so_far["label"]])
        np.testing.assert_array_equal(examples.images, [*run.images[:40], *unlabeled[so_far["image"]]])
        np.testing.assert_array_equal(validation.rows, kept)
        assert not held_out & {*train.rows.tolist(), *validation.rows.tolist()}
        np.testing.assert_array_equal(validation.labels, run.labels[kept])
    seeds = [seed for *_, seed in fits]
    assert len(set(seeds)) == 3


@pytest.mark.parametrize("flip", ["true", "false"])
def test_alternate_flips_in_rounds(flip, images, network_base, monkeypatch, tmp_path):
    """The seed of a round decides on them; without `flip` no image is mirrored."""
    seen, train = [], train_pseudo_label_rounds.train_network

    def watch(network, losses, measure, recipe, seed, checkpoint):
        (loss,) = losses
        seen.append((loss.flip_seed, seed, [type(change).__name__ for change in loss.augment]))
        return train(network, losses, measure, recipe, seed, checkpoint)

    monkeypatch.setattr(train_pseudo_label_rounds, "train_network", watch)
    wanted = network_rounds(network_base)
    wanted.program.main(arguments(wanted, images, tmp_path, flip=flip, alternate_flips="true"))
    assert len(seen) == 3
    for flip_seed, seed, changes in seen:
        assert flip_seed == (seed if flip == "true" else None)
        assert not any("Flip" in change for change in changes)


def test_a_round_goes_on_from_the_weights_of_the_round_before(images, network_base, fits, tmp_path):
    wanted = network_rounds(network_base)
    wanted.program.main(arguments(wanted, images, tmp_path))
    base = network_model.read_model(network_base / "model.h5").network.state_dict()
    for (before, after, *_), expected in zip(fits, [base, fits[0][1], fits[1][1]], strict=True):
        assert_same_weights(before, expected)
        assert not torch.equal(before["head.2.weight"], after["head.2.weight"])
    assert_same_weights(network_model.read_model(tmp_path / "model.h5").network.state_dict(), fits[2][1])


@pytest.mark.parametrize("first_layer", ["trained", "centroids"])
def test_restart_begins_each_round_from_random_weights(first_layer, images, network_base, fits, tmp_path):
    """But the first images are still accepted by the base."""
    base = tmp_path / "base"
    shutil.copytree(network_base, base)
    with h5py.File(base / "model.h5", "a") as file:
        file["network"].attrs["first_layer"] = first_layer
    wanted = network_rounds(base)
    wanted.program.main(arguments(wanted, images, tmp_path / "restart", restart="true"))
    assert len(fits) == 3
    for before, *_, seed in fits:
        network = new_network(Shape("digits", 3, 16, 4, 0.3), seed)
        set_normalization(network, read_images(images, "train"))
        if first_layer == "centroids":
            learn_first_layer(network, read_images(images, "train"), seed)
        assert_same_weights(before, network.state_dict())
    assert_same_weights(network_model.read_model(tmp_path / "restart/model.h5").network.state_dict(), fits[2][1])
    wanted.program.main(arguments(wanted, images, tmp_path / "on"))
    first, second = (read(tmp_path / name, "accepted") for name in ("restart", "on"))
    pd.testing.assert_frame_equal(first[first["round"] == 0], second[second["round"] == 0])
    assert not first.equals(second)


def test_relabelled_images_have_the_classes_of_the_last_network(images, network_base, fits, tmp_path):
    wanted = network_rounds(network_base)
    changes = {"relabel": "true", "restart": "true", "accepted": 15, "epochs": 1}
    wanted.program.main(arguments(wanted, images, tmp_path, **changes))
    accepted = read(tmp_path, "accepted")
    unlabeled = torch.from_numpy(read_images(images, "unlabeled"))
    network = new_network(Shape("digits", 3, 16, 4, 0.3), 0)
    changed = 0
    for number in (2, 3):
        network.load_state_dict(fits[number - 2][1])
        rows = accepted["image"][accepted["round"] < number].to_numpy().copy()
        expected = network_scores(network, unlabeled[rows], "float32", True, CPU).argmax(axis=1)
        labels = fits[number - 1][2].labels[40:].numpy()
        np.testing.assert_array_equal(labels, expected)
        changed += np.sum(labels != accepted["label"][: len(rows)])
    assert changed


def test_memory_does_not_grow_with_the_rounds(tmp_path):
    """In a process of its own: by less than 0.8 of what the images accepted from round 2 on would take as float32.

    It holds them as bytes, twice while it adds the next ones: 0.5 of that. As float32 it would be 1.25.
    """
    rounds, accepted = 7, 240
    images = write_striped_dataset(tmp_path, size=96, unlabeled=rounds * accepted)[0]
    network = new_network(Shape("digits", 3, 96, 4, 0.0), 0)
    model = network_model.NetworkModel(network, False, "auto", CLASS_NAMES)
    network_model.write_model(tmp_path / "model.h5", model, ABOUT, "{}")
    wanted = network_rounds(tmp_path)
    changes = {"rounds": rounds, "candidates": accepted, "accepted": accepted, "epochs": 1, "steps_per_epoch": 2}
    options = arguments(wanted, images, tmp_path / "run", **changes)
    # A process inherits the peak of the one that starts it, which is a large one here: let it be a shell.
    command = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, wanted.program.__file__, *options]
    subprocess.run(command, check=True)
    history = read(tmp_path / "run", "history")
    assert history["training_images"].tolist() == [40 + accepted * number for number in range(rounds + 1)]
    peaks = history["peak_memory_gib"]
    assert peaks[2] > 0.1
    assert peaks[rounds] - peaks[2] < 0.8 * (rounds - 2) * accepted * 3 * 96 * 96 * 4 / 2**30


# Rounds of a support vector machine


def test_gram_matrix_and_solution_are_those_of_all_images_at_once(images, kmeans_base, monkeypatch, tmp_path):
    kept, loop = [], train_kmeans_rounds.run_rounds

    def watch(classifier, *options):
        kept.append(classifier)
        return loop(classifier, *options)

    monkeypatch.setattr(train_kmeans_rounds, "run_rounds", watch)
    wanted = kmeans_rounds(kmeans_base)
    options = arguments(wanted, images, tmp_path, rounds=8, accepted=10)
    wanted.program.main(options)
    grown = kept[0]
    accepted = read(tmp_path, "accepted")
    base = kmeans_model.read_model(kmeans_base / "model.h5")
    pixels = np.concatenate([read_images(images, "train"), read_images(images, "unlabeled")[accepted["image"]]])
    features = np.concatenate(
        list(feature_blocks(iter([pixels]), on_device(base.dictionary, torch.device("cpu")), base.stride))
    )
    features = standardize(features, base.scaling).astype(np.float64)
    gram = features @ features.T
    assert grown.gram.shape == (120, 120)
    np.testing.assert_allclose(grown.gram, gram, rtol=0, atol=1e-4 * np.abs(gram).max())

    labels = np.concatenate([read_labelled(images)[:40], accepted["label"]])
    selection = read(kmeans_base, "selection")
    (c,) = selection["c"][selection["chosen"]]

    def objective(dual):
        targets = np.where(labels[:, None] == np.arange(4), 1, -1)
        scores = gram @ dual.coefficients + dual.intercept
        hinge = np.maximum(0, 1 - targets * scores)
        return np.sum(dual.coefficients * (gram @ dual.coefficients)) / 2 + c * np.sum(hinge**2)

    fresh = fit_svm(gram, labels, 4, c, tolerance=1e-12, max_iterations=5000)[0]
    assert objective(grown.dual) == pytest.approx(objective(fresh), rel=1e-3)

    wanted.program.main(options)  # which takes all from the checkpoint
    assert grown is not kept[1]
    np.testing.assert_array_equal(kept[1].gram, grown.gram)
    np.testing.assert_array_equal(kept[1].features, grown.features)


def test_c_is_the_one_that_the_base_has_chosen(images, kmeans_base, monkeypatch, tmp_path):
    seen, fit = [], train_kmeans_rounds.fit_svm
    monkeypatch.setattr(
        train_kmeans_rounds, "fit_svm", lambda *given: (seen.append((given[3], given[4] is None)), fit(*given))[1]
    )
    wanted = kmeans_rounds(kmeans_base)
    wanted.program.main(arguments(wanted, images, tmp_path))
    selection = read(kmeans_base, "selection")
    (c,) = selection["c"][selection["chosen"]]
    assert seen == [(c, True), (c, False), (c, False)], "from the second round on from the last solution"


# Ends that come too early

LONG = {
    train_pseudo_label_rounds: {"rounds": 3, "epochs": 6, "schedule": "exponential", "ema_decay": 0.9},
    train_kmeans_rounds: {"rounds": 20, "candidates": 11, "accepted": 8},
}


def kill(process, number):
    process.send_signal(number)
    _, log = process.communicate()
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in log
    return log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_killed_program_goes_on_to_the_same_result(number, either, images, tmp_path, caplog):
    """A network in the middle of a round; after SIGKILL from the checkpoint of the step before."""
    changes = LONG[either.program] | {"relabel": "true"}
    either.program.main(arguments(either, images, tmp_path / "whole", **changes))
    folder = tmp_path / "killed"
    if either.program is train_kmeans_rounds:
        seconds, begun = 0, "checkpoint.pt"
    elif number == signal.SIGKILL:
        seconds, begun = 0, "round-2/checkpoint.pt"
    else:
        seconds, begun = NEVER, "round-2/lock"
    options = arguments(either, images, folder, **changes, checkpoint_seconds=seconds)
    with start(either.program.__file__, options) as process:
        wait_for(folder / "checkpoint" / begun, process)
        log = kill(process, number)
    assert ("the same command goes on from here" in log) == (number == signal.SIGTERM)
    assert not (folder / "model.h5").exists()

    caplog.set_level("INFO")
    either.program.main(options)
    assert "resumed after" in caplog.text
    assert_same_run(folder, tmp_path / "whole")
    assert not list(Path(folder).glob("checkpoint/round-*"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"accepted": 7}, "accepted: 6, now 7"),
        ({"threshold": 0.6}, "threshold: 0.5, now 0.6"),
        ({"relabel": "true"}, "relabel: False, now True"),
        ({"held_out": 0.3}, "held_out: 0.25, now 0.3"),
        ({"code": "another"}, "code: , now another"),
        ({"run": "fold0"}, "run: seed0, now fold0"),
    ],
)
def test_checkpoint_of_another_run_is_set_aside(changes, reason, either, images, tmp_path, caplog):
    caplog.set_level("INFO")
    either.program.main(arguments(either, images, tmp_path))
    either.program.main(arguments(either, images, tmp_path, **changes))
    assert f"({reason}" in caplog.text
    assert "resumed after" not in caplog.text


def test_checkpoint_of_a_base_that_scores_otherwise_is_set_aside(images, network_base, tmp_path, caplog):
    """Its weights may be the same: without mirror images its predictions are not."""
    wanted = network_rounds(network_base)
    wanted.program.main(arguments(wanted, images, tmp_path / "run"))
    base = network_model.read_model(network_base / "model.h5")
    network_model.write_model(tmp_path / "other.h5", base._replace(average_flips=False), ABOUT, "{}")
    wanted.program.main(arguments(wanted, images, tmp_path / "run", base_model=tmp_path / "other.h5"))
    assert "average_flips: True, now False" in caplog.text


# Faults


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rounds": 30}, "^30 rounds of 15 candidates need 450 unlabeled images, and there are 440: lower rounds"),
        ({"held_out": 0.05}, r"^held_out 0\.05 of 24 validation images leaves a part without some class: bring it"),
        ({"base_model": "absent.h5"}, r"^absent\.h5: No such file or directory: check the path$"),
        ({"base_model": __file__}, r"test_rounds\.py is damaged or not an HDF5 file"),
        ({"run": "fold2"}, "has 2 folds, so there is no run fold2"),
    ],
)
def test_faults(changes, message, either, images, tmp_path):
    with pytest.raises(UserError, match=message) as caught:
        either.program.main(arguments(either, images, tmp_path, **changes))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model.h5").exists()


def test_base_of_another_method(either, images, network_base, kmeans_base, tmp_path):
    if either.program is train_pseudo_label_rounds:
        other, message = kmeans_base, r"model\.h5 is a model of the kind kmeans, not a network: give the model\.h5 of"
    else:
        other, message = (
            network_base,
            r"model\.h5 is a model of the kind network, not of k-means: give the model\.h5 of",
        )
    with pytest.raises(UserError, match=message):
        either.program.main(arguments(either, images, tmp_path, base_model=other / "model.h5"))


def with_other_classes(images, path):
    """Write a data set of the same images whose classes have other names."""
    splits = {}
    with h5py.File(images) as file:
        for name in ("train", "validation", "unlabeled", "test"):
            labels = file[f"{name}/labels"][:] if "labels" in file[name] else None
            splits[name] = Split([file[f"{name}/images"][:]], np.arange(len(file[f"{name}/images"])), labels)
    attributes = {"dataset": "stripes", "class_names": ["a", "b", "c", "d"], "source": "made up", "checksums": {}}
    write_dataset(path, path.with_name("labels.h5"), splits, None, attributes)


def test_base_of_another_data_set(either, images, tmp_path):
    (tmp_path / "grey").mkdir()
    with_other_classes(images, tmp_path / "names.h5")
    grey = write_striped_dataset(tmp_path / "grey", channels=1)[0]
    of_network = either.program is train_pseudo_label_rounds
    for other in (grey, tmp_path / "names.h5"):
        message = "not for this data set: give the model of" if of_network else "are not of the data set .*: give those"
        with pytest.raises(UserError, match=message) as caught:
            either.program.main(arguments(either, other, tmp_path / "run"))
        assert "\n" not in str(caught.value)


def test_features_of_another_data_set(images, kmeans_base, tmp_path):
    with h5py.File(tmp_path / "features.h5", "w") as file, h5py.File(kmeans_base / "features.h5") as source:
        for name in ("train", "validation", "test"):
            file[name] = source[name][:, :-4]
    wanted = kmeans_rounds(kmeans_base)
    with pytest.raises(UserError, match="or the features are not of the data set"):
        wanted.program.main(arguments(wanted, images, tmp_path, features=tmp_path / "features.h5"))


def test_base_that_has_chosen_nothing(images, kmeans_base, tmp_path):
    read(kmeans_base, "selection").assign(chosen=False).to_csv(tmp_path / "selection.csv", index=False)
    wanted = kmeans_rounds(kmeans_base)
    for path in (tmp_path / "selection.csv", kmeans_base / "history.csv"):
        with pytest.raises(UserError, match=r"\.csv names no chosen C: give the selection\.csv of a kmeans experiment"):
            wanted.program.main(arguments(wanted, images, tmp_path, base_selection=path))
