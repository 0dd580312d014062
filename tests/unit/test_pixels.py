"""Raw pixels, scores from elsewhere: what they write, and what is refused in one line."""

import h5py
import numpy as np
import pandas as pd
import pytest
from sklearn.svm import LinearSVC

import take_external_scores
import train_pixels
from fixtures_kmeans import command_line
from methods.external import External
from semisup.cli import UserError
from semisup.dataset import Split, write_dataset
from semisup.model_files import read_model
from semisup.model_format import about_model

CLASSES, COUNTS = 3, {"train": 30, "validation": 12, "unlabeled": 5, "test": 15}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Images whose class is the brightness of one corner, with noise."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    splits = {}
    for name, count in COUNTS.items():
        labels = np.arange(count) % CLASSES
        pixels = rng.integers(0, 120, (count, 3, 12, 12), dtype=np.uint8)
        pixels[:, :, :6, :6] += (60 * labels[:, None, None, None]).astype(np.uint8)
        splits[name] = Split([pixels], np.arange(count), None if name == "unlabeled" else labels)
    attributes = {"dataset": "toy", "class_names": list("abc"), "source": "made", "checksums": {}}
    write_dataset(folder / "images.h5", folder / "labels.h5", splits, None, attributes)
    return folder / "images.h5"


def train(images, folder, **options):
    files = {name: folder / file for name, file in (("model", "model.h5"), ("scores", "scores.npz"))}
    files |= {name: folder / f"{name}.csv" for name in ("selection", "history")}
    train_pixels.main(command_line(images=images, run="seed0", seed=0, **files, **options))
    return np.load(folder / "scores.npz")


def test_scores_are_those_of_liblinear_on_standardised_pixels(images, tmp_path):
    scores = train(images, tmp_path, image_size=12, svm_c=[0.01])
    with h5py.File(images) as file:
        pixels = {name: file[f"{name}/images"][:].reshape(COUNTS[name], -1).astype(np.float64) for name in COUNTS}
        labels = file["train/labels"][:]
    mean, scale = pixels["train"].mean(axis=0), pixels["train"].std(axis=0)
    reference = LinearSVC(C=0.01, dual=True, tol=1e-8, max_iter=10**6, intercept_scaling=1e3)
    reference.fit((pixels["train"] - mean) / scale, labels)
    expected = reference.decision_function((pixels["test"] - mean) / scale)
    assert np.corrcoef(scores["test"].ravel(), expected.ravel())[0, 1] > 0.99
    with h5py.File(images.with_name("labels.h5")) as file:
        assert np.mean(scores["test"].argmax(axis=1) == file["labels"][:]) > 0.7


def test_best_c_on_validation_is_chosen_and_the_model_gives_the_same_scores(images, tmp_path):
    scores = train(images, tmp_path, image_size=8, svm_c=[0.000001, 0.001, 0.1])
    table = pd.read_csv(tmp_path / "selection.csv")
    assert table["c"].tolist() == [0.000001, 0.001, 0.1]
    assert table.loc[table["chosen"], "validation_accuracy"].item() == table["validation_accuracy"].max()
    model = read_model(tmp_path / "model.h5")
    with h5py.File(images) as file:
        found = np.concatenate(list(model.scores(iter([file["test/images"][:]]), None)))
    np.testing.assert_allclose(found, scores["test"], atol=1e-5)
    assert (model.channels, model.size) == (3, 8)
    assert model.about == about_model(images, "seed0", scores["validation_rows"], scores["validation"])
    assert model.about[:4] == ("toy", "seed0", 30, 12)
    assert model.about.validation_accuracy == table["validation_accuracy"].max()


# Scores from elsewhere


def take(images, external, folder):
    files = {"scores": folder / "out.npz", "selection": folder / "selection.csv", "history": folder / "history.csv"}
    take_external_scores.main(command_line(images=images, run="seed0", external=external, **files))
    return np.load(folder / "out.npz")


def arrays(**changes):
    rng = np.random.default_rng(1)
    good = {"validation": rng.normal(size=(12, CLASSES)), "validation_rows": np.arange(30, 42)}
    return good | {"test": rng.normal(size=(15, CLASSES))} | changes


def test_scores_from_elsewhere_are_taken_as_they_are(images, tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays())
    taken = take(images, tmp_path / "mine.npz", tmp_path)
    np.testing.assert_allclose(taken["test"], arrays()["test"], rtol=1e-6)
    labels = np.arange(12) % CLASSES
    accuracy = np.mean(arrays()["validation"].argmax(axis=1) == labels)
    assert pd.read_csv(tmp_path / "selection.csv").to_dict("records") == [
        {"validation_accuracy": pytest.approx(accuracy), "chosen": True}
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test": np.zeros((14, CLASSES))}, r"test is float64 \(14, 3\), not numbers of the shape \(15, 3\)"),
        ({"validation": np.zeros((12, 2))}, r"validation is float64 \(12, 2\)"),
        ({"test": np.full((15, CLASSES), np.nan)}, "test has scores that are not finite"),
        ({"validation_rows": np.arange(12)}, "validation_rows names rows that the run trains on"),
        ({"validation_rows": np.arange(31, 43)}, "validation_rows names rows that there are not"),
        ({"validation_rows": np.arange(12.0)}, "validation_rows is float64"),
        ({"test": np.array(["x"] * 15)}, "test is <U1"),
    ],
)
def test_wrong_scores_are_one_line_and_nothing_is_left(images, tmp_path, changes, message):
    np.savez(tmp_path / "mine.npz", **arrays(**changes))
    with pytest.raises(UserError, match=message):
        take(images, tmp_path / "mine.npz", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.npz"]


def test_files_of_another_form_are_one_line(images, tmp_path):
    with (tmp_path / "array.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    np.savez(tmp_path / "few.npz", test=np.zeros(3))
    (tmp_path / "text.npz").write_text("no scores")
    for name in ("array", "few", "text"):
        with pytest.raises(
            UserError, match=rf"{name}\.npz is no npz file with the arrays validation, validation_rows, test"
        ):
            take(images, tmp_path / f"{name}.npz", tmp_path)


def test_path_must_say_where_the_run_stands():
    assert dict(External.check({"scores": "mine.npz"}, None, None))["scores"].endswith("put {run} there")
    assert not list(External.check({"scores": "{run}.npz"}, None, None))
