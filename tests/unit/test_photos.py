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


def read_places(paths, name):
    """Return `crop` or `group` of each split."""
    places = {}
    for split in SIZES:
        with h5py.File(paths[1] if split == "test" else paths[0]) as file:
            places[split] = file[name if split == "test" else f"{split}/{name}"][:]
    return places


def read_crops(paths):
    return read_places(paths, "crop")


def test_pictures(pictures):
    assert len(photos.COLOUR_PICTURES) == 10
    for name, picture in pictures.items():
        assert picture.dtype == np.uint8
        assert picture.shape[0] == 3
        grey = np.array_equal(picture[0], picture[1]) and np.array_equal(picture[0], picture[2])
        assert grey == (name in photos.GREY_PICTURES)


def tiles_of(pictures, picture, split=None):
    """The tiles of a picture by their numbers."""
    tiles = enumerate(photos.cut_tiles(pictures))
    return {number: tile for number, tile in tiles if tile.picture == picture and split in (None, tile.split)}


def test_tiles_cover_the_pictures_once(pictures):
    for name, picture in pictures.items():
        covered = np.zeros(picture.shape[1:], int)
        for tile in tiles_of(pictures, name).values():
            covered[tile.top : tile.bottom, tile.left : tile.right] += 1
        assert (covered == 1).all(), name


def test_a_tile_of_a_colour_picture_gives_several_crops(pictures):
    for name in photos.COLOUR_PICTURES:
        for tile in tiles_of(pictures, name).values():
            assert min(tile.bottom - tile.top, tile.right - tile.left) >= 100, name


@pytest.mark.parametrize("split", SIZES)
def test_tiles_of_a_split_are_spread_over_every_picture(pictures, split):
    """Their mean is near the picture's middle, and some lie in each half; a quarter of it in one piece would not do."""
    for name in photos.COLOUR_PICTURES:
        own, size = tiles_of(pictures, name, split).values(), np.array(pictures[name].shape[1:])
        middles = np.array([[tile.top + tile.bottom, tile.left + tile.right] for tile in own]) / 2 / size
        assert len(middles) >= 3, name
        assert (np.abs(middles.mean(axis=0) - 0.5) < 0.15).all(), name
        assert (middles.min(axis=0) < 0.4).all(), name
        assert (middles.max(axis=0) > 0.6).all(), name


def share_an_edge(one, other):
    beside = one.top == other.top and (one.right == other.left or other.right == one.left)
    above = one.left == other.left and (one.bottom == other.top or other.bottom == one.top)
    return beside or above


def test_training_tiles_have_as_many_validation_as_test_tiles_beside_them(pictures):
    edges = dict.fromkeys(("validation", "test"), 0)
    for name in photos.COLOUR_PICTURES:
        train = tiles_of(pictures, name, "train").values()
        for split in edges:
            others = tiles_of(pictures, name, split).values()
            edges[split] += sum(share_an_edge(one, other) for one in train for other in others)
    assert edges["validation"] == pytest.approx(edges["test"], rel=0.1)
    assert edges["test"] > 100


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


def test_groups_are_the_tiles(prepared, pictures):
    tiles = photos.cut_tiles(pictures)
    groups = read_places(prepared, "group")
    assert np.array_equal(dataset.read_test_groups(prepared[1]), groups["test"])
    for split, crops in read_crops(prepared).items():
        for group, (number, y, x) in zip(groups[split], crops, strict=True):
            tile = tiles[group]
            assert (tile.split, tile.picture) == (split, list(pictures)[number])
            assert tile.top <= y <= tile.bottom - 96
            assert tile.left <= x <= tile.right - 96


def test_crops_are_spread_evenly_over_the_tiles(prepared, pictures):
    groups = read_places(prepared, "group")
    for split, size in SIZES.items():
        for name in photos.COLOUR_PICTURES:
            if name == "retina":
                continue  # some of its tiles are blank
            counts = [np.sum(groups[split] == number) for number in tiles_of(pictures, name, split)]
            assert max(counts) - min(counts) <= 1, (split, name)
            assert sum(counts) == size // (20 if split == "unlabeled" else 10)


def test_blank_tiles_are_passed_over(pictures):
    """The retina's corners are black: the other tiles supply."""
    own = tiles_of(pictures, "retina", "test")
    blank = [
        number
        for number, tile in own.items()
        if pictures["retina"][:, tile.top : tile.bottom, tile.left : tile.right].std(axis=(1, 2)).max() < 1
    ]
    assert blank
    drawn = [number for number, _, _ in photos.draw_crops(pictures["retina"], own, 100, np.random.default_rng(0))]
    assert not set(blank) & set(drawn)
    counts = np.bincount(drawn)
    assert sorted(set(counts[counts > 0])) == [2, 3]


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
        (
            {"validation_images": 3000},
            "validation, picture cat: asked for 300 crops of tiles that have 265: ask for fewer",
        ),
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
    stripes = np.zeros((3, 100, 240), np.uint8)
    stripes[:, :, ::2] = 200
    rng = np.random.default_rng(0)
    left = photos.Tile("stripes", "test", 0, 100, 0, 120)
    tiles = {4: left, 7: left._replace(left=120, right=240)}
    assert len(photos.draw_crops(stripes, tiles, 2, rng)) == 2
    with pytest.raises(UserError, match="asked for 3 crops of tiles that have 2"):
        photos.draw_crops(stripes, tiles, 3, rng)
    with pytest.raises(UserError, match="asked for 1 crops of tiles that have 0"):
        photos.draw_crops(np.zeros((3, 100, 120), np.uint8), {4: left}, 1, rng)
    with pytest.raises(UserError, match="have 0"):
        photos.draw_crops(stripes, {4: left._replace(right=95)}, 1, rng)
    with pytest.raises(UserError, match="have 0"):
        photos.draw_crops(stripes, {}, 1, rng)


def test_a_tile_that_has_no_more_is_made_up_for():
    noise = np.random.default_rng(0).integers(0, 256, (3, 100, 300), dtype=np.uint8)
    small = photos.Tile("noise", "test", 0, 97, 0, 97)  # four places
    tiles = {0: small, 1: photos.Tile("noise", "test", 0, 100, 100, 200)}
    drawn = photos.draw_crops(noise, tiles, 20, np.random.default_rng(0))
    assert np.bincount([number for number, _, _ in drawn]).tolist() == [4, 16]
    assert len(set(drawn)) == 20


def test_picture_that_is_not_shipped():
    with pytest.raises(UserError, match=r"scikit-image .* does not ship absent\.png"):
        photos.read_picture("absent.png")
