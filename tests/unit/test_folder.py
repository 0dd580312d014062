"""Pictures of one's own: folders as classes, and what may be wrong with them."""

import os
import unicodedata

import h5py
import numpy as np
import pytest
from pandas._libs.parsers import STR_NA_VALUES
from PIL import Image

import prepare_folder
from data_sets.folder import Folder
from declarations.options import properties
from planning import config as planning
from semisup.cli import UserError
from semisup.listing import listing_digest, natural_key, pictures_in

CLASSES = ("aéroplane", "cat", "wild deer")
DEFAULTS = {name: part.get("default") for name, part in properties(Folder).items()}


def save(path, value, size=(20, 12)):
    """A picture of one colour, which tells who it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 0, 255 - value)).save(path)


@pytest.fixture
def folder(tmp_path):
    """Ten pictures of each class."""
    for label, name in enumerate(CLASSES):
        for number in range(10):
            save(tmp_path / "labelled" / name / f"{number}.png", 100 * label + number)
    return tmp_path / "labelled"


def prepare(folder, out, **options):
    values = {"pictures": folder, "image_size": 8} | options
    words = [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    out.mkdir()
    prepare_folder.main([*words, "--images", f"{out}/images.h5", "--test-labels", f"{out}/labels.h5"])
    with h5py.File(out / "images.h5") as file, h5py.File(out / "labels.h5") as sealed:
        splits = {name: file[f"{name}/images"][:] for name in ("train", "validation", "unlabeled", "test")}
        labels = {name: file[f"{name}/labels"][:] for name in ("train", "validation")} | {"test": sealed["labels"][:]}
        return splits, labels, list(file.attrs["class_names"])


def values_of(images):
    """Who each picture is: its red, which names class and number."""
    return images[:, 0, 4, 4].astype(int)


def described(**options):
    return Folder.describe("own", DEFAULTS | options)


def mistakes(**options):
    return dict(Folder.check("own", DEFAULTS | options))


# Splits


def test_every_picture_is_in_one_split_with_its_class(folder, tmp_path):
    splits, labels, names = prepare(folder, tmp_path / "out")
    assert names == list(CLASSES)
    assert {name: len(images) for name, images in splits.items()} == {
        "train": 18,
        "validation": 6,
        "unlabeled": 18,  # those that are in neither validation nor test
        "test": 6,
    }
    for name, found in labels.items():
        np.testing.assert_array_equal(values_of(splits[name]) // 100, found)
        assert np.ptp(np.bincount(found)) == 0  # classes as in the folder: equally many
    everything = np.concatenate([values_of(splits[name]) for name in ("train", "validation", "test")])
    assert sorted(everything) == sorted(100 * label + number for label in range(3) for number in range(10))
    assert set(values_of(splits["unlabeled"])) == set(values_of(splits["train"]))


def test_plan_counts_what_the_program_writes(folder, tmp_path):
    save(tmp_path / "more" / "x.png", 7)
    save(tmp_path / "sealed" / "cat" / "0.png", 7)
    for name in CLASSES:
        save(tmp_path / "sealed" / name / "1.png", 7)
    for number, options in enumerate(
        [
            {},
            {"train_images": 9},
            {"train_images": 0.3, "validation_images": 7, "sealed": 4},
            {"unlabeled": str(tmp_path / "more")},
            {"test": str(tmp_path / "sealed"), "channels": 1},
        ]
    ):
        splits, _, _ = prepare(folder, tmp_path / f"out{number}", **options)
        data = described(pictures=str(folder), image_size=8, **options)
        assert not mistakes(pictures=str(folder), **options)
        assert (data.train_images, data.validation_images, data.unlabeled_images, data.test_images) == tuple(
            map(len, splits.values())
        )
        assert (data.classes, data.size, data.channels) == (
            3,
            *splits["train"].shape[:0:-2][:1],
            splits["train"].shape[1],
        )


def test_test_images_do_not_lie_in_the_order_of_their_classes(folder, tmp_path):
    """Every program sees them: sorted, they would tell their labels."""
    for name in CLASSES:
        for number in range(10):
            save(tmp_path / "sealed" / name / f"{number}.png", 10 * number)
    for number, options in enumerate([{}, {"test": str(tmp_path / "sealed")}]):
        _, labels, _ = prepare(folder, tmp_path / f"out{number}", **options)
        assert (np.diff(labels["test"]) < 0).any()
        assert (np.diff(labels["train"]) < 0).any()


@pytest.mark.parametrize(
    "options", [{}, {"train_images": 0.3}, {"train_images": 6}, {"sealed": 70, "train_images": 40}]
)
def test_every_split_has_every_class_however_uneven_they_are(tmp_path, options):
    for label, count in enumerate((80, 80, 3)):
        for number in range(count):
            save(tmp_path / "labelled" / CLASSES[label] / f"{number}.png", 80 * label + number)
    assert not mistakes(pictures=str(tmp_path / "labelled"), **options)
    _, labels, _ = prepare(tmp_path / "labelled", tmp_path / "out", **options)
    for found in labels.values():
        assert np.bincount(found, minlength=3).min() == 1
        assert abs(np.bincount(found)[0] - np.bincount(found)[1]) <= 1


def test_parts_that_planning_allows_are_those_that_can_be_drawn(folder, tmp_path):
    number = 0
    for sealed in (2, 3, 24, 25):
        for validation in (2, 3, 5, 24):
            for train in (2, 3, "all", 40):
                options = {"sealed": sealed, "validation_images": validation, "train_images": train}
                refused = bool(mistakes(pictures=str(folder), **options))
                number += 1
                if refused:
                    with pytest.raises((UserError, ValueError)):
                        prepare(folder, tmp_path / f"out{number}", **options)
                else:
                    prepare(folder, tmp_path / f"out{number}", **options)


def test_few_labels_leave_the_rest_unlabeled(folder, tmp_path):
    splits, _, _ = prepare(folder, tmp_path / "out", train_images=6)
    assert (len(splits["train"]), len(splits["unlabeled"])) == (6, 18)
    assert set(values_of(splits["train"])) <= set(values_of(splits["unlabeled"]))


def test_same_seed_gives_the_same_bytes_and_another_other_splits(folder, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        prepare(folder, tmp_path / name, split_seed=seed)
    first, again, other = ((tmp_path / name / "images.h5").read_bytes() for name in "abc")
    assert first == again != other


# Mistakes


@pytest.mark.parametrize(
    ("change", "key", "message"),
    [
        (lambda folder: [path.unlink() for path in (folder / "cat").glob("[2-9].png")], "pictures", "'cat' has 2 pict"),
        (lambda folder: [path.unlink() for path in (folder / "cat").glob("*")], "pictures", "'cat' has 0 pictures"),
        (
            lambda folder: save(folder / unicodedata.normalize("NFD", "aéroplane") / "0.png", 0),
            "pictures",
            "two folders",
        ),
        (lambda folder: save(folder / "Cat" / "0.png", 0), "pictures", "in any case of the letters: rename one"),
    ],
)
def test_wrong_folder_is_one_line_while_planning(folder, change, key, message):
    change(folder)
    found = mistakes(pictures=str(folder))
    assert message in found[key]
    assert "\n" not in found[key]


def test_folders_that_are_not_there_or_do_not_fit(folder, tmp_path):
    assert "there is no folder" in mistakes(pictures=str(tmp_path / "none"))["pictures"]
    assert "there is no folder" in mistakes(pictures=str(folder), test=str(tmp_path / "none"))["test"]
    (tmp_path / "empty").mkdir()
    assert "holds no pictures" in mistakes(pictures=str(folder), unlabeled=str(tmp_path / "empty"))["unlabeled"]
    assert "has 0 class folders" in mistakes(pictures=str(tmp_path / "empty"))["pictures"]
    save(tmp_path / "sealed" / "cat" / "0.png", 0)
    assert "has the class 'aéroplane'" in mistakes(pictures=str(folder), test=str(tmp_path / "sealed"))["test"]
    assert "2 of 30 pictures for test, and it can have 3 to 24" in mistakes(pictures=str(folder), sealed=2)["sealed"]
    assert "40 of 30 pictures for train" in mistakes(pictures=str(folder), train_images=40)["train_images"]


def test_folders_within_each_other_and_names_that_cannot_be_held(folder, tmp_path):
    inside = str(folder / "cat")
    assert "is, or lies in, the folder of `pictures`" in mistakes(pictures=str(folder), unlabeled=inside)["unlabeled"]
    assert "is, or lies in, the folder of" in next(iter(mistakes(pictures=str(folder), test=str(folder)).values()))
    for name in (*sorted(STR_NA_VALUES - {"", "N/A", "n/a", "#N/A", "#N/A N/A"}), "鳥", "κύων", "ſ"):
        (folder / "cat").rename(folder / name)
        assert "a class cannot be called" in mistakes(pictures=str(folder))["pictures"]
        (folder / name).rename(folder / "cat")
    save(tmp_path / "sealed" / "cat" / "0.png", 0)
    for name in CLASSES:
        (tmp_path / "sealed" / name).mkdir(exist_ok=True)
    assert "has a class without pictures" in mistakes(pictures=str(folder), test=str(tmp_path / "sealed"))["test"]


@pytest.mark.parametrize("key", ["pictures", "unlabeled", "test"])
def test_folder_that_may_not_be_looked_into_is_named(folder, tmp_path, lock, key):
    places = {name: tmp_path / name for name in ("unlabeled", "test")} | {"pictures": folder}
    save(tmp_path / "unlabeled" / "0.png", 0)
    for name in CLASSES:
        save(tmp_path / "test" / name / "0.png", 0)
    locked = places[key] if key == "unlabeled" else places[key] / "cat"
    lock(locked)
    found = mistakes(**{name: str(place) for name, place in places.items()})
    assert found == {key: f"{locked} cannot be looked into: Permission denied; change its permissions"}


def test_planning_says_it_in_one_line(folder):
    config = {"data": {"own": {"kind": "folder", "pictures": str(folder / "none")}}}
    study = {"dataset": "own", "seeds": [0], "baseline": "a", "experiments": {"a": {"method": "supervised"}}}
    rest = {name: planning.read_yaml("config.yaml")[name] for name in ("evaluation", "figures", "theory")}
    with pytest.raises(planning.ConfigError, match=r"^data\.own\.pictures: there is no folder .*none; give one"):
        planning.checked_config(config | rest | {"studies": {"own": study}}, planning.config_schema())


def test_folder_that_changes_after_planning_is_one_line_and_nothing_is_left(folder, tmp_path):
    planned = listing_digest([folder])
    save(folder / "cat" / "late.png", 0)
    with pytest.raises(UserError, match="changed since the workflow was planned: start it again"):
        prepare(folder, tmp_path / "out", listing=planned)
    assert not list((tmp_path / "out").iterdir())


def test_picture_that_cannot_be_read_is_named_and_nothing_is_left(folder, tmp_path):
    (folder / "cat" / "notes").write_text("no picture")
    with pytest.raises(UserError, match=r"cat/notes is text, not a picture: remove it"):
        prepare(folder, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_link_that_leads_nowhere_is_named(folder, tmp_path):
    (folder / "cat" / "gone.png").symlink_to("absent")
    (folder / "loop").symlink_to("loop")
    with pytest.raises(UserError, match=r"cat/gone\.png cannot be read: No such file or directory"):
        prepare(folder, tmp_path / "out")


def test_listing_changes_with_any_file(folder):
    digests = {listing_digest([folder])}
    os.utime(folder / "cat/0.png", (0, 0))
    digests.add(listing_digest([folder]))
    (folder / "cat/.DS_Store").write_bytes(b"x")
    assert listing_digest([folder]) in digests
    (folder / "cat/0.png").rename(folder / "cat/00.png")
    digests.add(listing_digest([folder]))
    digests.add(listing_digest([folder, folder]))
    assert len(digests) == 4
    assert listing_digest([folder]) == listing_digest([folder])


def test_texts_hidden_files_and_those_of_systems_are_passed_over(folder):
    for name in (".hidden", "Thumbs.db", "desktop.ini", "notes.TXT", "list.csv"):
        (folder / "cat" / name).write_bytes(b"x")
    assert [path.name for path in pictures_in(folder / "cat")] == [f"{number}.png" for number in range(10)]


def test_numbers_are_sorted_by_value():
    names = ["10.png", "2.png", "a2", "a10", "²"]
    assert sorted(names, key=natural_key) == ["2.png", "10.png", "a2", "a10", "²"]
