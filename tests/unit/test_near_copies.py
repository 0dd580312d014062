"""Near copies: those that a plain double loop finds, however the images lie in blocks."""

from itertools import combinations, product

import numpy as np
import pytest

from fixtures_copies import changed, noise
from semisup import near_copies as module
from semisup.near_copies import THUMBNAIL, area_means, near_copies, thumbnails

CORRELATION = 0.9

# The same, number by number


def naive_thumbnail(image):
    """Return float64 (C, THUMBNAIL, THUMBNAIL) of one image: means of areas, less those of rows and columns, norm 1."""
    channels, height, width = image.shape
    result = np.zeros((channels, THUMBNAIL, THUMBNAIL))
    fine = np.repeat(np.repeat(image.astype(float), THUMBNAIL, axis=1), THUMBNAIL, axis=2)
    for y, x in product(range(THUMBNAIL), repeat=2):
        block = fine[:, y * height : (y + 1) * height, x * width : (x + 1) * width]
        result[:, y, x] = block.mean(axis=(1, 2))
    for channel in result:
        rows, columns = channel.mean(axis=1), channel.mean(axis=0)
        channel -= rows[:, None] + columns[None, :] - channel.mean()
    norm = np.linalg.norm(result)
    return result / norm if norm >= np.sqrt(result.size) else np.zeros_like(result)


def naive_pairs(images, beside, least):
    """Return {(row, beside row): (correlation, mirrored)} of the near copies; beside None: within the images."""
    first = [naive_thumbnail(image) for image in images]
    second = first if beside is None else [naive_thumbnail(image) for image in beside]
    rows = combinations(range(len(first)), 2) if beside is None else product(range(len(first)), range(len(second)))
    found = {}
    for i, j in rows:
        plain, mirrored = (first[i] * second[j]).sum(), (first[i] * second[j][:, :, ::-1]).sum()
        if max(plain, mirrored) >= least:
            found[i, j] = (max(plain, mirrored), mirrored > plain)
    return found


def as_mapping(pairs):
    return {
        (int(row), int(beside)): (correlation, bool(mirrored))
        for row, beside, correlation, mirrored in zip(*pairs, strict=True)
    }


def assert_same(copies, expected):
    found = as_mapping(copies.closest)
    assert set(found) == set(expected)
    for pair, (correlation, mirrored) in expected.items():
        assert found[pair][0] == pytest.approx(correlation, abs=6e-5)
        assert found[pair][1] == mirrored
    assert copies.pairs == len(expected)
    assert copies.mirrored == sum(mirrored for _, mirrored in expected.values())
    assert np.all(np.diff(copies.closest.correlation) <= 0)


@pytest.mark.parametrize("size", [8, 16, 28, 96])
def test_means_of_areas(size):
    weights = area_means(size)
    assert weights.shape == (THUMBNAIL, size)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(weights.sum(axis=0), THUMBNAIL / size, rtol=1e-6)
    np.testing.assert_array_equal(weights, weights[::-1, ::-1])


@pytest.mark.parametrize(("channels", "size"), [(3, 32), (1, 28), (3, 20), (1, 12)])
def test_a_thumbnail_is_that_of_a_plain_loop(channels, size):
    images = np.random.default_rng(0).integers(0, 256, (4, channels, size, size), dtype=np.uint8)
    parts = thumbnails(images)
    assert parts.shape == (4, 2, channels * THUMBNAIL**2 // 2)
    assert parts.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(parts, axis=(1, 2)), 1, rtol=1e-5)
    expected = [naive_thumbnail(image) for image in images]
    for i, j in product(range(4), repeat=2):
        sums, differences = (float(parts[i, half] @ parts[j, half]) for half in (0, 1))
        assert sums + differences == pytest.approx((expected[i] * expected[j]).sum(), abs=1e-5)
        assert sums - differences == pytest.approx((expected[i] * expected[j][:, :, ::-1]).sum(), abs=1e-5)


@pytest.mark.parametrize("block", [2048, 5, 1])
@pytest.mark.parametrize("least", [0.05, CORRELATION])
def test_pairs_are_those_of_a_double_loop(monkeypatch, block, least):
    """Blocks that do not divide the images; a low limit gives many pairs, of which some are mirrored."""
    monkeypatch.setattr(module, "BLOCK", block)
    images = noise(13)
    beside = np.concatenate([noise(4, seed=9), changed(images[3:6]), changed(images[7:8, :, :, ::-1])])
    assert_same(near_copies(thumbnails(images), thumbnails(beside), least), naive_pairs(images, beside, least))
    assert_same(near_copies(thumbnails(beside), None, least), naive_pairs(beside, None, least))


def test_planted_copies_are_found():
    images = noise(10)
    beside = np.concatenate([noise(3, seed=9), changed(images[4:5]), images[6:7, :, :, ::-1], images[6:7]])
    copies = near_copies(thumbnails(images), thumbnails(beside), CORRELATION)
    assert {pair: mirrored for pair, (_, mirrored) in as_mapping(copies.closest).items()} == {
        (4, 3): False,
        (6, 4): True,
        (6, 5): False,
    }
    assert np.flatnonzero(copies.copied).tolist() == [4, 6]
    assert np.flatnonzero(copies.beside_copied).tolist() == [3, 4, 5]
    assert copies.closest.correlation.max() <= 1
    assert copies.closest.correlation[0] == pytest.approx(1, abs=1e-6)


def test_within_a_set_each_pair_counts_once_and_no_image_is_its_own_copy():
    symmetric = noise(1)
    symmetric = (symmetric // 2 + symmetric[..., ::-1] // 2).astype(np.uint8)  # its own mirror image
    images = np.concatenate([noise(5), changed(noise(5)[1:2]), symmetric])
    copies = near_copies(thumbnails(images), None, CORRELATION)
    assert list(as_mapping(copies.closest)) == [(1, 5)]
    assert np.flatnonzero(copies.copied).tolist() == np.flatnonzero(copies.beside_copied).tolist() == [1, 5]


def test_what_only_rows_and_columns_tell_does_not_count():
    """A horizon, a black bar and a gradient: without them the images are what they were."""
    images = noise(6).astype(float) / 4
    same = thumbnails(images.astype(np.uint8))
    images += 30 * (np.arange(32) > 20)[:, None] + np.linspace(0, 60, 32)
    images = images.astype(np.uint8)
    assert near_copies(same, thumbnails(images), CORRELATION).copied.all()
    slope = np.linspace(0, 200, 32)[:, None] + np.linspace(0, 50, 32)
    assert not thumbnails(np.broadcast_to(slope, images.shape).astype(np.uint8)).any()


@pytest.mark.parametrize("value", [0, 77, 255])
def test_nearly_one_colour_is_a_copy_of_nothing(value):
    """Also of 28 pixels, whose areas round, and with single pixels that differ by a level."""
    flat = np.full((3, 3, 28, 28), value, np.uint8)
    flat[1, 0, 5:9, 3] ^= 1
    assert not thumbnails(flat).any()
    copies = near_copies(thumbnails(flat), None, 0.01)
    assert copies.pairs == 0
    assert not copies.copied.any()
    assert len(copies.closest.rows) == 0


def test_one_image():
    image = noise(1)
    assert near_copies(thumbnails(image), None, CORRELATION).pairs == 0
    assert near_copies(thumbnails(image), thumbnails(image), CORRELATION).pairs == 1


def test_only_the_closest_are_listed_and_all_are_counted(monkeypatch):
    """In three blocks of rows, and equal ones in the order of their rows."""
    monkeypatch.setattr(module, "BLOCK", 4)
    images = noise(12)
    every = near_copies(thumbnails(images), None, 1e-6)
    monkeypatch.setattr(module, "MOST_LISTED", 5)
    some = near_copies(thumbnails(images), None, 1e-6)
    assert (some.pairs, some.mirrored) == (every.pairs, every.mirrored)
    assert some.pairs > 20
    for column, whole in zip(some.closest, every.closest, strict=True):
        np.testing.assert_array_equal(column, whole[:5])
    same = thumbnails(np.repeat(images[:1], 9, axis=0))
    closest = near_copies(same, None, CORRELATION).closest
    listed = list(zip(closest.rows.tolist(), closest.beside_rows.tolist(), strict=True))
    assert listed == list(combinations(range(9), 2))[:5]
