import base64
import csv
import io
import logging
import os
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.special import softmax

import predict
import sample_patches
import solver_iterations
from fixtures_kmeans import CLASS_NAMES, COUNTS, command_line, train_striped_run, write_striped_dataset
from fixtures_stl10 import image_bytes
from fixtures_training import ABOUT
from semisup.batches import Reading, batches, listed
from semisup.cli import UserError
from semisup.dataset import read_images, read_labelled, run_rows
from semisup.kmeans_files import read_model
from semisup.model_format import read_about
from semisup.models.pixels import PixelsModel, write_model
from semisup.svm import LinearModel, Scaling, svm_scores

PROGRAM = Path(predict.__file__)


class Trained:
    """A data set of 96 x 96 images, as STL-10 has, and a trained run on it."""

    def __init__(self, folder, channels):
        self.images, _, self.test_labels = write_striped_dataset(folder, 96, channels)
        self.folder = folder / "run"
        train_striped_run(self.images, self.folder, image_size=16)
        with np.load(self.folder / "scores.npz") as file:
            self.scores = dict(file)

    def predict(self, images, output, *flags, **options):
        arguments = command_line(model=self.folder / "model.h5", images=images, predictions=output, **options)
        predict.main([*arguments, *flags])
        return pd.read_csv(output, keep_default_na=False)

    def expected(self, split="test"):
        """Classes by falling score, and the model's probabilities, of the scores that the run has written."""
        temperature = read_about(self.folder / "model.h5").temperature
        return np.argsort(-self.scores[split], axis=1), softmax(self.scores[split] / temperature, axis=1)


@pytest.fixture(scope="module")
def colour(tmp_path_factory):
    return Trained(tmp_path_factory.mktemp("colour"), 3)


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    return Trained(tmp_path_factory.mktemp("grey"), 1)


def save_picture(path, image):
    """Save an image uint8 (C, H, W) as a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.squeeze(image.transpose(1, 2, 0))).save(path)


def write_pictures(folder, images):
    for number, image in enumerate(images):
        save_picture(folder / f"{number:04}.png", image)


def test_the_run_has_learned_the_stripes(colour):
    assert np.mean(colour.scores["test"].argmax(axis=1) == colour.test_labels) > 0.7


# The table


@pytest.mark.parametrize("name", ["colour", "grey"])
def test_same_as_the_scores_of_the_run(request, tmp_path, name):
    trained = request.getfixturevalue(name)
    table = trained.predict(trained.images, tmp_path / "out.csv")
    order, chances = trained.expected()
    assert list(table) == ["file", "class", "confidence", "second", "second_confidence"]
    assert table["file"].tolist() == [f"{trained.images}#{number}" for number in range(1, COUNTS["test"] + 1)]
    assert table["class"].tolist() == [CLASS_NAMES[label] for label in order[:, 0]]
    assert table["second"].tolist() == [CLASS_NAMES[label] for label in order[:, 1]]
    np.testing.assert_allclose(table["confidence"], np.sort(chances)[:, -1], atol=1e-3)
    np.testing.assert_allclose(table["second_confidence"], np.sort(chances)[:, -2], atol=1e-3)


def test_kaggle_form(colour, tmp_path):
    table = colour.predict(colour.images, tmp_path / "out.csv", "--kaggle")
    assert list(table) == ["Id", "Prediction"]
    assert table["Id"].tolist() == list(range(1, COUNTS["test"] + 1))
    assert table["Prediction"].tolist() == (colour.scores["test"].argmax(axis=1) + 1).tolist()


def test_other_split(colour, tmp_path):
    table = colour.predict(colour.images, tmp_path / "out.csv", split="validation")
    assert table["class"].tolist() == [CLASS_NAMES[label] for label in colour.expected("validation")[0][:, 0]]


def test_calibration_fits_the_validation_images(colour, tmp_path):
    """The mean confidence is near the accuracy there, which that of another temperature is not."""
    about = read_about(colour.folder / "model.h5")
    table = colour.predict(colour.images, tmp_path / "out.csv", split="validation")
    assert abs(table["confidence"].mean() - about.validation_accuracy) < 0.1
    plain = softmax(colour.scores["validation"], axis=1).max(axis=1).mean()
    assert abs(plain - about.validation_accuracy) > 0.15


def test_bin_file_and_folder_give_the_same(colour, tmp_path):
    images = read_images(colour.images, "test")
    (tmp_path / "test_X.bin").write_bytes(image_bytes(images))
    write_pictures(tmp_path / "pictures", images)
    expected = colour.predict(colour.images, tmp_path / "out.csv", block=5).drop(columns="file")
    for path in (tmp_path / "test_X.bin", tmp_path / "pictures"):
        assert colour.predict(path, tmp_path / "out.csv", block=7).drop(columns="file").equals(expected)
    both = colour.predict([tmp_path / "test_X.bin", tmp_path / "pictures"], tmp_path / "out.csv", "--kaggle")
    assert both["Id"].tolist() == list(range(1, 2 * len(images) + 1))


def test_bin_file_needs_no_memory_of_its_size(colour, tmp_path):
    """Only one block of it is read at a time."""
    images = read_images(colour.images, "test")
    (tmp_path / "test_X.bin").write_bytes(image_bytes(np.concatenate([images] * 20)))
    tracemalloc.start()
    what = listed([tmp_path / "test_X.bin"], {})
    for _ in batches(what, Reading(3, 16, "crop", 10, "test", strict=True), pytest.fail):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * images[0].nbytes


def test_grey_pictures(grey, tmp_path):
    write_pictures(tmp_path / "pictures", read_images(grey.images, "test"))
    table = grey.predict(tmp_path / "pictures", tmp_path / "out.csv")
    assert table["class"].tolist() == [CLASS_NAMES[label] for label in grey.expected()[0][:, 0]]


def test_pictures_of_any_size_kind_and_name(colour, tmp_path):
    rng = np.random.default_rng(0)
    folder, strange = tmp_path / "pictures", os.fsdecode(b"line\nbreak\rand, comma \xff.gif")
    save_picture(folder / "a.png", rng.integers(0, 256, (4, 70, 120), dtype=np.uint8))
    save_picture(folder / "deep/er" / strange, rng.integers(0, 256, (1, 9, 5), dtype=np.uint8))
    save_picture(folder / "Feld 5²3.jpg", rng.integers(0, 256, (3, 200, 150), dtype=np.uint8))
    (folder / "deep/back").symlink_to(folder)
    for fit in ("crop", "pad", "stretch"):
        options = {"model": colour.folder / "model.h5", "images": folder, "predictions": tmp_path / "out.csv"}
        predict.main(command_line(**options, fit=fit, html=tmp_path / "out.html"))
        with (tmp_path / "out.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = list(csv.DictReader(file))
        assert {row["file"] for row in rows} == {
            str(folder / name) for name in ("a.png", "Feld 5²3.jpg", f"deep/er/{strange}")
        }
        assert all(row["class"] in CLASS_NAMES for row in rows)


def test_fit_decides_what_of_a_picture_is_seen(colour, tmp_path):
    image = read_images(colour.images, "test")[0]
    save_picture(tmp_path / "wide.png", np.concatenate([image[:, :, ::-1] // 2, image, image[:, ::-1] // 2], axis=2))
    save_picture(tmp_path / "image.png", image)
    found = {
        fit: colour.predict(tmp_path / "wide.png", tmp_path / "out.csv", fit=fit)["confidence"].item()
        for fit in ("crop", "pad", "stretch")
    }
    alone = colour.predict(tmp_path / "image.png", tmp_path / "out.csv")["confidence"].item()
    assert found["crop"] == alone
    assert len(set(found.values())) == 3


# What is said


def said(trained, caplog, images, output, *flags, **options):
    caplog.clear()
    caplog.set_level(logging.INFO)
    table = trained.predict(images, output, *flags, **options)
    return table, caplog.messages


def test_model_is_introduced_first(colour, caplog, tmp_path):
    _, lines = said(colour, caplog, colour.images, tmp_path / "out.csv")
    assert lines[0] == (
        "model: support vector machine on features of 16 k-means centroids, learned with 40 labels of the data set "
        "stripes (seed0)"
    )
    assert lines[1] == "it knows 4 classes: lying, standing, rising, falling"
    accuracy = read_about(colour.folder / "model.h5").validation_accuracy
    assert lines[2].startswith(f"of 24 validation images it gets {accuracy:.1%} right")


def test_other_files_are_passed_over_or_skipped_and_counted(colour, caplog, tmp_path):
    folder, images = tmp_path / "pictures", read_images(colour.images, "test")
    write_pictures(folder / "more", images[:3])
    save_picture(folder / "0.png", images[0])
    for name in ("Thumbs.db", ".DS_Store", "notes.txt", "more/list.CSV", "more/._a.png"):
        (folder / name).write_text("no picture")
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:500])
    (folder / "video.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(20))
    table, lines = said(colour, caplog, folder, tmp_path / "out.csv")
    assert table["file"].tolist() == [str(folder / name) for name in ("0.png", *(f"more/000{n}.png" for n in range(3)))]
    assert f"skipped: {folder}/cut.png is damaged or cut short: remove it, or copy it anew" in lines
    assert any(line.startswith(f"skipped: {folder}/video.mp4 is of a format that is not known") for line in lines)
    assert "skipped, as they cannot be read: 2; passed over (hidden, texts, of systems): 5" in lines
    assert any(line.startswith("classified: 4 (") for line in lines)
    by_name, _ = said(colour, caplog, sorted(path for path in folder.iterdir() if path.is_file()), tmp_path / "out.csv")
    assert by_name["file"].tolist() == [str(folder / "0.png")]
    kaggle, _ = said(colour, caplog, folder, tmp_path / "out.csv", "--kaggle")
    assert kaggle["Id"].tolist() == [1, 4, 5, 6]  # as they are listed: 2 and 3 cannot be read
    (tmp_path / "out.csv").unlink()
    assert_refused(colour, folder, tmp_path / "out.csv", r"cut\.png is damaged", "--strict")


def test_accuracy_where_folders_are_named_after_classes(colour, caplog, tmp_path):
    images, labels = read_images(colour.images, "test"), colour.test_labels
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        name = CLASS_NAMES[label].upper() if number % 2 else CLASS_NAMES[label]
        save_picture(tmp_path / "pictures" / name / "some" / f"{number}.png", image)
    save_picture(tmp_path / "pictures" / "unknown" / "x.png", images[0])
    predicted = colour.expected()[0][:, 0]
    right = int(np.sum(predicted == labels))
    _, lines = said(colour, caplog, tmp_path / "pictures", tmp_path / "out.csv", html=tmp_path / "out.html")
    assert f"accuracy {right / 36:.1%}: {right} of 36 in folders that are named after classes" in lines
    of_class = np.bincount(predicted[labels == 2], minlength=4)
    start = f"truly rising {of_class.sum()}: taken for "
    counted = next(line for line in lines if line.startswith(start)).removeprefix(start).split(", ")
    assert sorted(counted) == sorted(f"{CLASS_NAMES[other]} {of_class[other]}" for other in np.flatnonzero(of_class))
    assert (tmp_path / "out.html").read_text().count("truly ") == 36 - right
    own = tmp_path / "pictures" / "lying"
    for path in (own, next((own / "some").iterdir()).rename(own / "one.png")):
        _, lines = said(colour, caplog, path, tmp_path / "out.csv")
        assert any("in folders that are named after classes" in line for line in lines)
    _, lines = said(colour, caplog, tmp_path / "pictures" / "unknown", tmp_path / "out.csv")
    assert not any(line.startswith("accuracy") for line in lines)


def test_sheet_is_one_file_with_every_image(colour, tmp_path):
    images = read_images(colour.images, "test")[:3]
    write_pictures(tmp_path / "pictures <&>", images)
    table = colour.predict(tmp_path / "pictures <&>", tmp_path / "out.csv", html=tmp_path / "out.html")
    page = (tmp_path / "out.html").read_text()
    thumbnails = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(thumbnails) == 3
    assert np.asarray(Image.open(io.BytesIO(base64.b64decode(thumbnails[0])))).shape == (16, 16, 3)
    assert page.count("src=") == 3
    assert "http" not in page
    assert "pictures &lt;&amp;&gt;" in page
    assert f'<div style="width:{table["confidence"][0]:.1%}">' in page


def digits(count, light):
    """Grey images of bright strokes on a dark ground, or the negatives."""
    images = np.zeros((count, 1, 16, 16), np.uint8)
    images[:, :, 4:12, 6:10] = 230
    return 255 - images if light else images


def svm_on_pixels(size):
    """A model of two classes, the sum of a fixed half of the pixels each."""
    features = size * size
    scaling = Scaling(np.zeros(features, np.float32), np.ones(features, np.float32))
    weights = np.eye(2, dtype=np.float32)[np.arange(features) % 2]
    return PixelsModel(1, size, scaling, LinearModel(weights, np.zeros(2, np.float32)), ["0", "1"])


@pytest.mark.parametrize(
    ("edge", "light", "flags", "noticed"),
    [
        (0, True, [], True),
        (0, False, [], False),
        (0, True, ["--invert"], False),
        (128, True, [], False),  # learned from pictures that fill their square
        (250, False, [], True),
    ],
)
def test_negatives_are_noticed(caplog, tmp_path, edge, light, flags, noticed):
    caplog.set_level(logging.INFO)
    write_model(tmp_path / "model.h5", svm_on_pixels(16), ABOUT._replace(edge=float(edge)))
    write_pictures(tmp_path / "pictures", digits(3, light))
    options = {"model": tmp_path / "model.h5", "images": tmp_path / "pictures", "predictions": tmp_path / "out.csv"}
    predict.main([*command_line(**options), *flags])
    lines = [line.split(" at their edges")[0] for line in caplog.messages if "--invert" in line]
    assert lines == noticed * [f"3 of 3 are {'light' if light else 'dark'}"]


# What is refused


def assert_refused(trained, images, output, match, *flags, **options):
    with pytest.raises(UserError, match=match) as caught:
        trained.predict(images, output, *flags, **options)
    assert "\n" not in str(caught.value)
    assert not output.exists()


def test_images_that_cannot_be_read(colour, tmp_path):
    output = tmp_path / "out.csv"
    assert_refused(colour, tmp_path / "absent", output, "absent does not exist: give")
    (tmp_path / "empty").mkdir()
    assert_refused(colour, tmp_path / "empty", output, "empty holds no pictures: give")
    text = tmp_path / "text"
    text.write_text("no picture")
    assert_refused(colour, text, output, "none of 1 pictures can be read: give others", html=tmp_path / "out.html")
    assert not (tmp_path / "out.html").exists()
    (tmp_path / "short.bin").write_bytes(b"x" * 100)
    assert_refused(colour, tmp_path / "short.bin", output, r"short\.bin has 100 bytes, not a multiple")
    assert_refused(colour, colour.images, output, "no split tset: choose one of .*test", split="tset")
    assert_refused(colour, colour.images, output, "lacks what is needed", split="folds")


def test_links_that_lead_nowhere_are_skipped_and_counted(colour, caplog, tmp_path):
    caplog.set_level(logging.INFO)
    save_picture(tmp_path / "pictures" / "a.png", read_images(colour.images, "test")[0])
    for name, target in (("gone.png", "absent"), ("loop", "loop")):
        (tmp_path / "pictures" / name).symlink_to(target)
    assert len(colour.predict(tmp_path / "pictures", tmp_path / "out.csv")) == 1
    reasons = [message for message in caplog.messages if message.startswith("skipped: ")]
    assert [line.rsplit("pictures/")[1] for line in reasons] == [
        "gone.png cannot be read: No such file or directory",
        "loop cannot be read: Too many levels of symbolic links",
    ]


def test_pipes_are_refused(colour, tmp_path):
    os.mkfifo(tmp_path / "pi\npe")
    assert_refused(colour, tmp_path / "pi\npe", tmp_path / "out.csv", r"pi\\npe is a pipe or a device: save what comes")


@pytest.mark.parametrize("name", ["images", "model"])
def test_empty_path_is_no_file(colour, tmp_path, capsys, name):
    paths = {"model": colour.folder / "model.h5", "images": colour.images} | {name: ""}
    with pytest.raises(SystemExit):
        predict.main(command_line(predictions=tmp_path / "out.csv", **paths))
    assert capsys.readouterr().err.endswith(f"error: argument --{name}: a path is empty\n")


def test_folder_that_may_not_be_looked_into_is_named(colour, tmp_path, lock):
    (tmp_path / "pictures" / "locked").mkdir(parents=True)
    lock(tmp_path / "pictures" / "locked")
    match = r"locked cannot be looked into: change its permissions, or move it elsewhere$"
    assert_refused(colour, tmp_path / "pictures", tmp_path / "out.csv", match)


def test_input_is_not_written_over(colour, tmp_path):
    save_picture(tmp_path / "a.png", read_images(colour.images, "test")[0])
    before = (tmp_path / "a.png").read_bytes()
    for output, sheet, match in [
        (tmp_path / "a.png", tmp_path / "out.html", r"a\.png is read too: name another"),
        (tmp_path / "out.csv", colour.folder / "model.h5", r"model\.h5 is read too: name another"),
        (tmp_path / "out.csv", tmp_path / "out.csv", r"out\.csv is asked for twice: name another"),
    ]:
        with pytest.raises(UserError, match=match):
            colour.predict(tmp_path / "a.png", output, html=sheet)
    assert (tmp_path / "a.png").read_bytes() == before
    assert not (tmp_path / "out.csv").exists()


def test_wrong_channels(colour, grey, tmp_path):
    assert_refused(colour, grey.images, tmp_path / "out.csv", "images of 1 channels, and the model takes 3")
    (tmp_path / "test_X.bin").write_bytes(image_bytes(read_images(colour.images, "test")))
    assert_refused(grey, tmp_path / "test_X.bin", tmp_path / "out.csv", "images of 3 channels, and the model takes 1")


def test_model_that_is_none(colour, tmp_path):
    earlier = tmp_path / "earlier.h5"
    earlier.write_bytes((colour.folder / "model.h5").read_bytes())
    with h5py.File(earlier, "a") as file:
        del file["about"]
    for path, match in [
        (colour.images, "is no model of a known kind"),
        (tmp_path / "absent.h5", "No such file"),
        (earlier, r"earlier\.h5 is a model of an earlier version, without its calibration: make it again$"),
    ]:
        with pytest.raises(UserError, match=match):
            predict.main(command_line(model=path, images=colour.images, predictions=tmp_path / "out.csv"))


def test_from_another_folder(colour, tmp_path):
    arguments = command_line(model=colour.folder / "model.h5", images=colour.images, predictions="out.csv")
    subprocess.run([sys.executable, PROGRAM, *arguments], cwd=tmp_path, check=True, capture_output=True)
    predicted = pd.read_csv(tmp_path / "out.csv")["class"]
    assert predicted.tolist() == [CLASS_NAMES[label] for label in colour.expected()[0][:, 0]]


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
