import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import predict
import sample_patches
import solver_iterations
from fixtures_kmeans import CLASS_NAMES, COUNTS, command_line, train_striped_run, write_striped_dataset
from fixtures_stl10 import image_bytes
from semisup.cli import UserError
from semisup.dataset import read_images, read_labelled, run_rows
from semisup.kmeans_files import read_model
from semisup.svm import svm_scores

PROGRAM = Path(predict.__file__)


class Trained:
    """A data set of 96 x 96 images, as STL-10 has, and a trained run on it."""

    def __init__(self, folder, channels):
        self.images, _, self.test_labels = write_striped_dataset(folder, 96, channels)
        self.folder = folder / "run"
        train_striped_run(self.images, self.folder, image_size=16)
        with np.load(self.folder / "scores.npz") as file:
            self.scores = dict(file)

    def predict(self, images, output, **options):
        arguments = command_line(model=self.folder / "model.h5", images=images, predictions=output, **options)
        predict.main(arguments)
        return pd.read_csv(output)


@pytest.fixture(scope="module")
def colour(tmp_path_factory):
    return Trained(tmp_path_factory.mktemp("colour"), 3)


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    return Trained(tmp_path_factory.mktemp("grey"), 1)


def write_pictures(folder, images):
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(np.squeeze(image.transpose(1, 2, 0))).save(folder / f"{number:04}.png")


def test_the_run_has_learned_the_stripes(colour):
    assert np.mean(colour.scores["test"].argmax(axis=1) == colour.test_labels) > 0.7


@pytest.mark.parametrize("name", ["colour", "grey"])
def test_same_as_the_scores_of_the_run(request, tmp_path, name):
    trained = request.getfixturevalue(name)
    table = trained.predict(trained.images, tmp_path / "out.csv")
    assert list(table) == ["Id", "Prediction"]
    assert table["Id"].tolist() == list(range(1, COUNTS["test"] + 1))
    assert table["Prediction"].tolist() == (trained.scores["test"].argmax(axis=1) + 1).tolist()


def test_other_split(colour, tmp_path):
    table = colour.predict(colour.images, tmp_path / "out.csv", split="validation")
    assert table["Prediction"].tolist() == (colour.scores["validation"].argmax(axis=1) + 1).tolist()


def test_bin_file_and_folder_give_the_same(colour, tmp_path):
    images = read_images(colour.images, "test")
    (tmp_path / "test_X.bin").write_bytes(image_bytes(images))
    write_pictures(tmp_path / "pictures", images)
    (tmp_path / "pictures" / ".hidden").write_text("passed over")
    expected = colour.predict(colour.images, tmp_path / "out.csv", block=5)
    assert colour.predict(tmp_path / "test_X.bin", tmp_path / "out.csv", block=7).equals(expected)
    assert colour.predict(tmp_path / "pictures", tmp_path / "out.csv").equals(expected)


def test_grey_pictures(grey, tmp_path):
    write_pictures(tmp_path / "pictures", read_images(grey.images, "test"))
    table = grey.predict(tmp_path / "pictures", tmp_path / "out.csv")
    assert table["Prediction"].tolist() == (grey.scores["test"].argmax(axis=1) + 1).tolist()


def test_pictures_of_any_size_and_kind(colour, tmp_path):
    (tmp_path / "pictures").mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (70, 120, 4), dtype=np.uint8)).save(tmp_path / "pictures/a.png")
    Image.fromarray(rng.integers(0, 256, (9, 5), dtype=np.uint8)).save(tmp_path / "pictures/b.gif")
    Image.fromarray(rng.integers(0, 256, (200, 150, 3), dtype=np.uint8)).save(tmp_path / "pictures/c.jpg")
    table = colour.predict(tmp_path / "pictures", tmp_path / "out.csv")
    assert table["Prediction"].between(1, len(CLASS_NAMES)).tolist() == [True] * 3


def assert_refused(trained, images, output, match, **options):
    with pytest.raises(UserError, match=match) as caught:
        trained.predict(images, output, **options)
    assert "\n" not in str(caught.value)
    assert not output.exists()


def test_images_that_cannot_be_read(colour, tmp_path):
    output = tmp_path / "out.csv"
    assert_refused(colour, tmp_path / "absent", output, "absent does not exist: give")
    (tmp_path / "empty").mkdir()
    assert_refused(colour, tmp_path / "empty", output, "empty holds no pictures: give")
    text = tmp_path / "text.txt"
    text.write_text("no picture")
    assert_refused(colour, text, output, r"text\.txt is no data set .*: give")
    (tmp_path / "short.bin").write_bytes(b"x" * 100)
    assert_refused(colour, tmp_path / "short.bin", output, r"short\.bin has 100 bytes, not a multiple")
    assert_refused(colour, colour.images, output, "no split tset: choose one of .*test", split="tset")
    assert_refused(colour, colour.images, output, "lacks what is needed", split="folds")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("suffix", ["png", "jpg", "gif"])
def test_damaged_picture(colour, tmp_path, share, suffix):
    (tmp_path / "pictures").mkdir()
    path = tmp_path / f"pictures/a.{suffix}"
    Image.fromarray(read_images(colour.images, "test")[0].transpose(1, 2, 0)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert_refused(colour, tmp_path / "pictures", tmp_path / "out.csv", rf"a\.{suffix} is (empty|damaged)")


def test_other_file_among_the_pictures(colour, tmp_path):
    write_pictures(tmp_path / "pictures", read_images(colour.images, "test")[:2])
    (tmp_path / "pictures" / "notes").write_text("no picture")
    assert_refused(colour, tmp_path / "pictures", tmp_path / "out.csv", r"notes is text, not a picture: remove it")


def test_wrong_channels(colour, grey, tmp_path):
    assert_refused(colour, grey.images, tmp_path / "out.csv", "images of 1 channels, and the model takes 3")
    (tmp_path / "test_X.bin").write_bytes(image_bytes(read_images(colour.images, "test")))
    assert_refused(grey, tmp_path / "test_X.bin", tmp_path / "out.csv", "images of 3 channels, and the model takes 1")


def test_model_that_is_none(colour, tmp_path):
    for path, match in [(colour.images, "is no model of a known kind"), (tmp_path / "absent.h5", "No such file")]:
        with pytest.raises(UserError, match=match):
            predict.main(command_line(model=path, images=colour.images, predictions=tmp_path / "out.csv"))


def test_from_another_folder(colour, tmp_path):
    arguments = command_line(model=colour.folder / "model.h5", images=colour.images, predictions="out.csv")
    subprocess.run([sys.executable, PROGRAM, *arguments], cwd=tmp_path, check=True, capture_output=True)
    predicted = pd.read_csv(tmp_path / "out.csv")["Prediction"]
    assert predicted.tolist() == (colour.scores["test"].argmax(axis=1) + 1).tolist()


# What the run holds beside its model


def test_scores_of_the_run(colour):
    labels = read_labelled(colour.images)
    _, validation = run_rows(colour.images, "seed0")
    assert np.array_equal(colour.scores["validation_rows"], validation)
    assert colour.scores["validation"].dtype == colour.scores["test"].dtype == np.float32
    assert colour.scores["validation"].shape == (COUNTS["validation"], len(CLASS_NAMES))
    selection = pd.read_csv(colour.folder / "selection.csv")
    assert selection["chosen"].sum() == 1
    assert len(selection) == 4
    assert selection["validation_accuracy"].nunique() > 1, "else there is nothing to choose from"
    accuracy = np.mean(colour.scores["validation"].argmax(axis=1) == labels[validation])
    assert selection.loc[selection["chosen"], "validation_accuracy"].item() == pytest.approx(accuracy)
    assert accuracy == pytest.approx(selection["validation_accuracy"].max())


def test_chosen_features_are_links(colour):
    """They are read like any data set, wherever the program that reads them runs."""
    epsilon = read_model(colour.folder / "model.h5").dictionary.epsilon
    with h5py.File(colour.folder / "features.h5") as chosen, h5py.File(colour.folder / f"features{epsilon}.h5") as file:
        assert isinstance(chosen.get("test", getlink=True), h5py.ExternalLink)
        assert sorted(chosen) == ["test", "train", "validation"]
        for split in chosen:
            assert np.array_equal(chosen[split][:], file[split][:])
            assert chosen[split].shape == (COUNTS[split], 4 * 16)


def test_solver_iterations(colour, tmp_path):
    solver_iterations.main(
        command_line(
            images=colour.images,
            features=colour.folder / "features.h5",
            model=colour.folder / "model.h5",
            selection=colour.folder / "selection.csv",
            run="seed0",
            svm_iterations=[1000, 10, 1000],
            seed=0,
            scores=tmp_path / "solver.npz",
        )
    )
    with np.load(tmp_path / "solver.npz") as file:
        found = dict(file)
    assert found["steps"].tolist() == [10, 1000, 0]
    for split in ("train", "validation", "test"):
        assert found[split].shape == (3, COUNTS[split], len(CLASS_NAMES))
    np.testing.assert_allclose(found["test"][2], colour.scores["test"], atol=1e-4)
    np.testing.assert_allclose(found["validation"][2], colour.scores["validation"], atol=1e-4)


def test_fold_shares_the_features(colour, tmp_path):
    """A run of a fold scores the labelled images that are not in it."""
    train_striped_run(colour.images, tmp_path / "fold1", run="fold1", image_size=16)
    train, validation = run_rows(colour.images, "fold1")
    assert np.array_equal(np.load(tmp_path / "fold1" / "scores.npz")["validation_rows"], validation)
    assert len(train) + len(validation) == COUNTS["train"] + COUNTS["validation"]


def test_scaling_is_fitted_to_the_training_images_alone(colour):
    with h5py.File(colour.folder / "features.h5") as file:
        train = file["train"][:].astype(np.float64)
    scaling = read_model(colour.folder / "model.h5").scaling
    np.testing.assert_allclose(scaling.mean, train.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(scaling.scale, np.sqrt(train.var(axis=0, ddof=1) + 0.01), rtol=1e-5)


def test_model_is_read_as_written(colour):
    model = read_model(colour.folder / "model.h5")
    assert model.class_names == CLASS_NAMES
    assert model.stride == 2
    with h5py.File(colour.folder / "features.h5") as file:
        features = (file["test"][:] - model.scaling.mean) / model.scaling.scale
    np.testing.assert_allclose(svm_scores(features, model.svm), colour.scores["test"], atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"patch_images": 61}, "61 unlabeled images, .* holds 60: lower patch_images"),
        ({"patch_size": 97}, "patches of 97 pixels do not fit in images of 96: lower patch_size"),
        ({"image_size": 5}, "patches of 6 pixels do not fit in images of 5: lower patch_size"),
    ],
)
def test_patches_that_cannot_be_drawn(colour, tmp_path, changes, match):
    options = {"images": colour.images, "patches": tmp_path / "patches.h5", "patch_size": 6, "patch_images": 5}
    with pytest.raises(UserError, match=match):
        sample_patches.main(command_line(**options | changes, patches_per_image=2, seed=0))
    assert list(tmp_path.iterdir()) == []
