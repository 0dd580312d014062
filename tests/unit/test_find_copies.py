"""Near copies in a data set: listed, counted, drawn, and left out where that is asked for."""

from itertools import product

import h5py
import numpy as np
import pandas as pd
import pytest

import find_copies
import plot_copies
import prepare_cifar10
import prepare_mnist5k
import prepare_stl10
import sample_patches
from fixtures_cifar10 import cifar10_archive, cifar10_content
from fixtures_copies import changed, noise
from fixtures_kmeans import command_line
from fixtures_stl10 import image_bytes, pack, stl10_members
from semisup.cli import UserError
from semisup.dataset import SPLITS, Split, image_count, read_images, write_dataset
from semisup.left_out import leave_out_copies, left_out_images

CORRELATION = 0.9
LABELLED = np.arange(12) % 2
IMAGES = {split: noise(12, seed=number) for number, split in enumerate(SPLITS)}


def write_planted(folder, planted=True):
    """Write a data set of 12 images a split and return its path: what is planted stands below."""
    images = {split: part.copy() for split, part in IMAGES.items()}
    if planted:
        images["unlabeled"][[2, 5]] = changed(images["test"][[7, 8]])
        images["unlabeled"][9] = images["train"][3]
        images["test"][1] = images["test"][0][:, :, ::-1]
        images["train"][4] = images["test"][7]
    splits = {
        split: Split([part], 100 + np.arange(12), None if split == "unlabeled" else LABELLED)
        for split, part in images.items()
    }
    splits["unlabeled"] = splits["unlabeled"]._replace(extra={"group": np.arange(12) // 2})
    attributes = {"dataset": "toy", "class_names": ["a", "b"], "source": "made up", "checksums": {}}
    folder.mkdir(parents=True, exist_ok=True)
    write_dataset(folder / "images.h5", folder / "test_labels.h5", splits, None, attributes)
    return folder / "images.h5"


PLANTED = [
    ("train", 3, "unlabeled", 9, False),
    ("train", 4, "unlabeled", 2, False),  # the unlabeled image is a copy of the same test image
    ("train", 4, "test", 7, False),
    ("unlabeled", 2, "test", 7, False),
    ("unlabeled", 5, "test", 8, False),
    ("test", 0, "test", 1, True),
]


def find(images, folder, **options):
    paths = {"pairs": folder / "pairs.csv", "counts": folder / "counts.csv"}
    find_copies.main(command_line(images=images, copy_correlation=CORRELATION, **options, **paths))
    return pd.read_csv(paths["pairs"]), pd.read_csv(paths["counts"])


def test_program_lists_and_counts_what_is_planted(tmp_path):
    pairs, counts = find(write_planted(tmp_path), tmp_path)
    assert list(pairs) == ["split", "row", "beside", "beside_row", "correlation", "mirrored"]
    columns = ["split", "row", "beside", "beside_row", "mirrored"]
    assert sorted(pairs[columns].itertuples(index=False, name=None)) == sorted(PLANTED)
    assert pairs["correlation"].between(CORRELATION, 1).all()
    number = counts.set_index(["split", "beside"])["with_copies"].to_dict()
    assert len(number) == 15
    assert ("unlabeled", "unlabeled") not in number
    assert {pair: count for pair, count in number.items() if count} == {
        ("train", "unlabeled"): 2,
        ("unlabeled", "train"): 2,
        ("train", "test"): 1,
        ("test", "train"): 1,
        ("unlabeled", "test"): 2,
        ("test", "unlabeled"): 2,
        ("test", "test"): 2,
    }
    assert set(counts["images"]) == {12}
    assert set(counts["least_correlation"]) == {CORRELATION}
    assert counts.set_index(["split", "beside"]).loc[("test", "test"), ["pairs", "mirrored"]].tolist() == [1, 1]


def test_program_finds_nothing_where_nothing_is(tmp_path):
    pairs, counts = find(write_planted(tmp_path, planted=False), tmp_path)
    assert pairs.empty
    assert list(pairs) == list(find_copies.COLUMNS)
    assert not counts["with_copies"].any()


def test_a_missing_split_is_one_line(tmp_path):
    images = write_planted(tmp_path)
    with h5py.File(images, "r+") as file:
        del file["unlabeled"]
    with pytest.raises(UserError, match=r"images\.h5 lacks what is needed.*give the right file") as caught:
        find(images, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", ["0", "1", "1.5", "nan", "much"])
def test_a_correlation_out_of_range_is_refused(value, tmp_path, capsys):
    with pytest.raises(SystemExit):
        find_copies.main(command_line(images="a", pairs="b", counts="c", copy_correlation=value))
    assert "--copy-correlation" in capsys.readouterr().err


# The figure


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """A function that draws a table of pairs and returns the figure."""

    def draw(pairs, images, **options):
        figures = []
        monkeypatch.setattr(plot_copies, "save_figure", lambda figure, pdf, png: figures.append(figure))
        path = tmp_path / "near_copies.csv"
        pairs.to_csv(path, index=False)
        plot_copies.main(command_line(pairs=path, images=images, pdf="a.pdf", png="a.png", **options))
        return figures[0]

    return draw


def test_pairs_of_test_images_are_drawn_the_closest_first(drawn, tmp_path):
    """Those with another split; without any, those of two test images."""
    images = write_planted(tmp_path)
    pairs, _ = find(images, tmp_path)
    figure = drawn(pairs, images)
    titles = [axes.get_title() for axes in figure.axes]
    assert len(titles) == 3
    assert all(title.split("\n")[1].startswith("test") for title in titles)
    shown = [float(title.split("\n")[2]) for title in titles]
    assert shown == sorted(shown, reverse=True)
    (mirrored,) = drawn(pairs[(pairs["split"] == "test") | (pairs["beside"] != "test")], images).axes
    assert mirrored.get_title() == "test 0\ntest 1\n1.000, mirrored"
    (shown,) = mirrored.images
    first, second = read_images(images, "test")[:2].transpose(0, 2, 3, 1) / 255
    np.testing.assert_allclose(shown.get_array()[:, :32], first)
    np.testing.assert_allclose(shown.get_array()[:, 33:], second)


def test_of_many_pairs_some_are_drawn_in_even_steps(drawn, tmp_path):
    images = write_planted(tmp_path)
    pairs = pd.DataFrame(
        {
            "split": "train",
            "row": np.arange(9),
            "beside": "test",
            "beside_row": 3,
            "correlation": np.linspace(0.9, 0.98, 9),
            "mirrored": False,
        }
    )
    figure = drawn(pairs, images, most=3)
    assert [axes.get_title() for axes in figure.axes] == [f"train {row}\ntest 3\n0.9{row}0" for row in (8, 4, 0)]


def test_without_test_images_other_pairs_are_drawn(drawn, tmp_path):
    images = write_planted(tmp_path)
    pairs, _ = find(images, tmp_path)
    assert len(drawn(pairs[(pairs["split"] == "train") & (pairs["beside"] != "test")], images).axes) == 2


def test_no_near_copies_are_said_in_words(drawn, tmp_path):
    images = write_planted(tmp_path, planted=False)
    pairs, _ = find(images, tmp_path)
    figure = drawn(pairs, images)
    assert not figure.axes
    assert figure.texts[0].get_text() == "No near copies were found."


def test_both_files_of_the_figure_are_written_for_grey_images(tmp_path):
    grey = {split: Split([noise(2, seed=3, channels=1)], np.arange(2), np.arange(2)) for split in SPLITS}
    attributes = {"class_names": ["a", "b"]}
    write_dataset(tmp_path / "images.h5", tmp_path / "test_labels.h5", grey, None, attributes)
    find(tmp_path / "images.h5", tmp_path)
    files = {"pdf": tmp_path / "a.pdf", "png": tmp_path / "a.png"}
    plot_copies.main(command_line(pairs=tmp_path / "pairs.csv", images=tmp_path / "images.h5", **files))
    assert all(path.stat().st_size for path in files.values())


def test_another_table_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("row,label\n1,2\n")
    with pytest.raises(UserError, match=r"a\.csv lacks the columns .*: give the near copies of a data set"):
        plot_copies.main(command_line(pairs=tmp_path / "a.csv", images="b", pdf="c", png="d"))


# Left out


@pytest.mark.parametrize("block", [512, 5, 1])
def test_copies_of_test_images_leave_the_unlabeled_ones(monkeypatch, tmp_path, block):
    """All arrays of the split lose the same rows, no other split loses any, and find_copies finds no more."""
    monkeypatch.setattr("semisup.left_out.IMAGES_PER_BLOCK", block)
    images = write_planted(tmp_path)
    before = {split: read_images(images, split) for split in SPLITS}
    assert left_out_images(images) is None
    leave_out_copies(images, CORRELATION)
    kept = np.setdiff1d(np.arange(12), [2, 5])
    with h5py.File(images) as file:
        assert sorted(file["unlabeled"]) == ["group", "images", "left_out", "source_index"]
        np.testing.assert_array_equal(file["unlabeled/source_index"][:], 100 + kept)
        np.testing.assert_array_equal(file["unlabeled/group"][:], kept // 2)
        np.testing.assert_array_equal(file["unlabeled/left_out"][:], [102, 105])
    assert left_out_images(images) == 2
    for split in SPLITS:
        expected = before[split][kept] if split == "unlabeled" else before[split]
        np.testing.assert_array_equal(read_images(images, split), expected)
    _, counts = find(images, tmp_path)
    number = counts.set_index(["split", "beside"])["with_copies"]
    assert number["unlabeled", "test"] == 0
    assert number["train", "test"] == 1
    assert number["unlabeled", "train"] == 1


def test_where_there_are_no_copies_nothing_is_left_out(tmp_path):
    images = write_planted(tmp_path, planted=False)
    leave_out_copies(images, CORRELATION)
    assert left_out_images(images) == 0
    assert image_count(images, "unlabeled") == 12


def test_not_all_unlabeled_images_can_be_left_out(tmp_path):
    images = write_planted(tmp_path)
    with h5py.File(images, "r+") as file:
        file["unlabeled/images"][:] = file["test/images"][:]
    with pytest.raises(UserError, match=r"^all 12 unlabeled images .*: raise copy_correlation, or set leave_out_cop"):
        leave_out_copies(images, CORRELATION)


def prepare_stl10_with(folder, members, **options):
    archive = folder / "a.tar.gz"
    checksums = pack(archive, members)
    sizes = {"train_images": 40, "validation_images": 10, "unlabeled_images": "all", "test_images": "all"}
    files = {"images": folder / "images.h5", "test_labels": folder / "test_labels.h5"}
    md5 = [f"{name}={value}" for name, value in checksums.items()]
    prepare_stl10.main(command_line(archive=archive, member_md5=md5, **sizes, **files, **options))
    return files["images"]


@pytest.mark.parametrize("order", [sorted, lambda names: sorted(names, reverse=True)])
def test_prepared_without_copies_whatever_comes_first_in_the_archive(tmp_path, order):
    unlabeled, test = noise(12, seed=1, size=96), noise(8, seed=2, size=96)
    unlabeled[4], unlabeled[7] = test[3], changed(test[6:7, ..., ::-1])[0]
    members = stl10_members(test=8) | {"unlabeled_X.bin": image_bytes(unlabeled), "test_X.bin": image_bytes(test)}
    images = prepare_stl10_with(tmp_path, {name: members[name] for name in order(members)}, leave_out_copies=0.9)
    assert left_out_images(images) == 2
    np.testing.assert_array_equal(read_images(images, "unlabeled"), np.delete(unlabeled, [4, 7], axis=0))
    np.testing.assert_array_equal(read_images(images, "test"), test)
    assert list(tmp_path.glob(".*")) == []


def test_preparation_that_leaves_nothing_leaves_no_images(tmp_path):
    test = image_bytes(noise(8, size=96))
    members = stl10_members(test=8) | {"unlabeled_X.bin": test, "test_X.bin": test}
    with pytest.raises(UserError, match="all 8 unlabeled images"):
        prepare_stl10_with(tmp_path, members, leave_out_copies=0.9)
    assert not (tmp_path / "images.h5").exists()
    assert list(tmp_path.glob(".*")) == []


def test_without_the_option_nobody_looks_for_copies(tmp_path):
    images = prepare_stl10_with(tmp_path, stl10_members())
    with h5py.File(images) as file:
        assert sorted(file["unlabeled"]) == ["images", "source_index"]
    assert left_out_images(images) is None


def test_other_programs_take_the_option(tmp_path):
    files = {"images": tmp_path / "images.h5", "test_labels": tmp_path / "test_labels.h5"}
    sizes = {"train_images": 20, "validation_images": 10, "test_images": 10}
    archive = cifar10_archive(tmp_path, cifar10_content())
    prepare_cifar10.main(command_line(archive=archive, **sizes, **files, leave_out_copies=0.999))
    assert left_out_images(files["images"]) is not None
    prepare_mnist5k.main(command_line(**files, leave_out_copies=0.9))
    left = left_out_images(files["images"])
    assert left > 0, "digits of a class look alike"
    assert image_count(files["images"], "unlabeled") == 3000 - left


def test_what_learns_without_labels_never_sees_a_copy(tmp_path):
    """Patches of all unlabeled images: none comes from those that were left out."""
    images = write_planted(tmp_path)
    copies = read_images(images, "unlabeled")[[2, 5]]
    leave_out_copies(images, CORRELATION)
    options = {"images": images, "image_size": "native", "patch_size": 32, "patches_per_image": 1, "seed": 0}
    sample_patches.main(command_line(**options, patches=tmp_path / "patches.h5", patch_images=10))
    with h5py.File(tmp_path / "patches.h5") as file:
        patches = file["patches"][:].reshape(10, -1)
    assert not any((patch == copy.ravel()).all() for patch, copy in product(patches, copies))
    with pytest.raises(UserError, match=r"asked for patches from 11 unlabeled images, and .* holds 10"):
        sample_patches.main(command_line(**options, patches=tmp_path / "more.h5", patch_images=11))
