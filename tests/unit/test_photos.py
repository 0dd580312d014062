from itertools import pairwise

import h5py
import numpy as np
import pytest

import prepare_photos
from semisup import dataset, photos
from semisup.cli import UserError

SIZES = {"train": 60, "validation": 40, "unlabeled": 100, "test": 50}


def prepare(folder, **changes):
    sizes = {f"{split}-images": count for split, count in SIZES.items()} | {"folds": 4, "fold-images": 20}
    sizes |= {name.replace("_", "-"): value for name, value in changes.items()}
    paths = folder / "images.h5", folder / "test_labels.h5"
    prepare_photos.main(
        [
            *(text for name, value in sizes.items() for text in (f"--{name}", str(value))),
            *("--images", str(paths[0]), "--test-labels", str(paths[1])),
        ]
    )
    return paths


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def pictures():
    return photos.load_pictures()


def read_crops(paths):
    crops = {}
    for split in SIZES:
        with h5py.File(paths[1] if split == "test" else paths[0]) as file:
            crops[split] = file["crop" if split == "test" else f"{split}/crop"][:]
    return crops


def test_pictures(pictures):
    assert len(photos.COLOUR_PICTURES) == 10
    for name, picture in pictures.items():
        assert picture.dtype == np.uint8
        assert picture.shape[0] == 3
        grey = np.array_equal(picture[0], picture[1]) and np.array_equal(picture[0], picture[2])
        assert grey == (name in photos.GREY_PICTURES)
    widths = [pictures[name].shape[2] for name in photos.COLOUR_PICTURES]
    for width in widths:
        edges = [photos.band_edges(width, split) for split in photos.BANDS]
        assert edges[0][0] == 0
        assert edges[-1][1] == width
        assert all(right - left >= 96 for left, right in edges)
        assert all(before[1] == after[0] for before, after in pairwise(edges))


def test_stored_crop_is_what_the_picture_shows(prepared, pictures):
    by_number = list(pictures.values())
    for split, crops in read_crops(prepared).items():
        images = dataset.read_images(prepared[0], split)
        assert images.shape == (SIZES[split], 3, 96, 96)
        for image, (number, y, x) in zip(images, crops, strict=True):
            assert np.array_equal(image, by_number[number][:, y : y + 96, x : x + 96])


def test_crops_of_two_splits_never_overlap(prepared):
    crops = read_crops(prepared)
    for first in SIZES:
        for second in SIZES:
            if first < second:
                apart = np.abs(crops[first][:, None] - crops[second][None])
                same_picture = apart[..., 0] == 0
                assert same_picture.any()
                assert ((apart[..., 1] >= 96) | (apart[..., 2] >= 96))[same_picture].all()


def test_no_crop_twice_and_none_blank(prepared):
    images = np.concatenate([dataset.read_images(prepared[0], split) for split in SIZES])
    assert len({image.tobytes() for image in images}) == sum(SIZES.values())
    assert images.std(axis=(2, 3)).max(axis=1).min() >= photos.SMALLEST_SPREAD


def test_classes_are_balanced_and_are_the_pictures(prepared):
    images_path, test_labels_path = prepared
    labels = {split: dataset.read_labels(images_path, split) for split in ("train", "validation")}
    labels["test"] = dataset.read_test_labels(test_labels_path)
    crops = read_crops(prepared)
    for split, values in labels.items():
        assert np.array_equal(values, crops[split][:, 0])
        assert np.bincount(values).tolist() == [SIZES[split] // 10] * 10
        assert (np.diff(values) < 0).sum() > len(values) / 4, "the order tells nothing about the class"
    colour = crops["unlabeled"][:, 0] < 10
    assert colour.sum() == 50
    assert dataset.read_class_names(images_path) == list(photos.COLOUR_PICTURES)


def test_nothing_beside_the_images_tells_a_test_label(prepared):
    with h5py.File(prepared[0]) as file:
        assert list(file["test"]) == ["images"]


def test_folds_are_balanced(prepared):
    labels = dataset.read_labelled(prepared[0])
    folds = [dataset.run_rows(prepared[0], f"fold{number}")[0] for number in range(4)]
    for rows in folds:
        assert len(set(rows)) == 20
        assert np.bincount(labels[rows]).tolist() == [2] * 10
    assert len({tuple(rows) for rows in folds}) == 4
    with pytest.raises(UserError, match="has 4 folds"):
        dataset.run_rows(prepared[0], "fold4")


def test_same_bytes_again_and_other_seed(prepared, tmp_path):
    for first, second in zip(prepared, prepare(tmp_path), strict=True):
        assert first.read_bytes() == second.read_bytes()
    prepare(tmp_path, split_seed=1)
    assert prepared[0].read_bytes() != (tmp_path / "images.h5").read_bytes()


def test_crops_of_a_split_depend_on_no_other_split(prepared, tmp_path):
    more = read_crops(prepare(tmp_path, train_images=80))
    assert np.array_equal(more["test"], read_crops(prepared)["test"])


def test_uneven_numbers(tmp_path):
    paths = prepare(tmp_path, test_images=23, unlabeled_images=21)
    assert sorted(np.bincount(dataset.read_test_labels(paths[1]))) == [2] * 7 + [3] * 3
    assert dataset.image_count(paths[0], "unlabeled") == 21


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"validation_images": 10_000}, "validation, picture cat: asked for 1000 crops.* has 820"),
        ({"fold_images": 100}, "folds of 100 from 100"),
        ({"fold_images": 5}, "folds of 5"),
    ],
)
def test_more_than_there_is(tmp_path, changes, match):
    with pytest.raises(UserError, match=match) as caught:
        prepare(tmp_path, **changes)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_distinct_means_distinct_pixels():
    stripes = np.zeros((3, 100, 120), np.uint8)
    stripes[:, :, ::2] = 200
    rng = np.random.default_rng(0)
    assert len(photos.draw_crops(stripes, 0, 120, 2, rng)) == 2
    with pytest.raises(UserError, match="asked for 3 crops of a picture that has 2"):
        photos.draw_crops(stripes, 0, 120, 3, rng)
    with pytest.raises(UserError, match="asked for 1 crops of a picture that has 0"):
        photos.draw_crops(np.zeros((3, 100, 120), np.uint8), 0, 120, 1, rng)
    with pytest.raises(UserError, match="has 0"):
        photos.draw_crops(stripes, 10, 105, 1, rng)


def test_picture_that_is_not_shipped():
    with pytest.raises(UserError, match=r"scikit-image .* does not ship absent\.png"):
        photos.read_picture("absent.png")
