import numpy as np
import pytest
import torch
from PIL import Image

from semisup.patches import grid_patches, normalize_patches, random_patches
from semisup.scaling import scale_images


def noise(count, channels, height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, channels, height, width), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("height", "width", "patch", "stride"), [(8, 8, 3, 1), (9, 13, 4, 2), (12, 7, 5, 3), (6, 6, 6, 1), (11, 10, 2, 5)]
)
def test_grid_is_what_slices_give(channels, height, width, patch, stride):
    images = noise(2, channels, height, width)
    found = grid_patches(torch.from_numpy(images), patch, stride).numpy()
    tops, lefts = range(0, height - patch + 1, stride), range(0, width - patch + 1, stride)
    assert found.shape == (2, len(tops), len(lefts), channels * patch * patch)
    assert found.dtype == np.uint8
    for number, image in enumerate(images):
        for row, top in enumerate(tops):
            for column, left in enumerate(lefts):
                expected = image[:, top : top + patch, left : left + patch].ravel()
                assert np.array_equal(found[number, row, column], expected)


def test_grid_of_the_study():
    assert grid_patches(torch.zeros(1, 3, 96, 96), 22, 24).shape == (1, 4, 4, 1452)


@pytest.mark.parametrize(("channels", "height", "width", "patch"), [(1, 9, 20, 4), (3, 16, 16, 5), (3, 20, 7, 7)])
def test_random_patches_are_slices_of_their_image(channels, height, width, patch):
    """The pixels of the first channel tell where they stand, so each patch tells its origin."""
    images = noise(6, channels, height, width)
    images[:, 0] = np.arange(height * width).reshape(height, width)
    found = random_patches(images, patch, 40, np.random.default_rng(1))
    assert found.dtype == np.uint8
    assert found.shape == (6 * 40, channels * patch * patch)
    places = set()
    for index, values in enumerate(found):
        top, left = divmod(int(values[0]), width)
        places.add((top, left))
        expected = images[index // 40][:, top : top + patch, left : left + patch]
        assert np.array_equal(values, expected.ravel())
    assert {top for top, _ in places} == set(range(height - patch + 1))
    assert {left for _, left in places} == set(range(width - patch + 1))


def test_random_patches_depend_on_the_seed_alone():
    images = noise(3, 3, 10, 10)
    first, same, other = (random_patches(images, 4, 5, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("constant", [10.0, 0.5])
@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
def test_normalised_as_in_float64(constant, convert):
    patches = noise(50, 1, 6, 6).reshape(50, 36)
    found = normalize_patches(convert(patches.astype(np.float32)), constant)
    exact = patches.astype(np.float64)
    centered = exact - exact.mean(axis=1, keepdims=True)
    expected = centered / np.sqrt(exact.var(axis=1, ddof=1, keepdims=True) + constant)
    assert isinstance(found, type(convert(patches)))
    found = np.asarray(found)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("grey", [0, 1, 77, 255])
def test_constant_patches_become_zero(grey):
    assert not normalize_patches(np.full((4, 1452), grey, np.float32), 10.0).any()
    assert not normalize_patches(torch.full((4, 1452), float(grey)), 10.0).any()


def test_images_of_the_right_size_are_returned_as_they_are():
    images = torch.from_numpy(noise(2, 3, 12, 12))
    assert scale_images(images, 12) is images


@pytest.mark.parametrize(("channels", "height", "width", "size"), [(3, 96, 96, 32), (1, 28, 28, 14), (3, 30, 50, 40)])
def test_scaled_like_pillow(channels, height, width, size):
    # Away from 0 and 255, so that no error is clamped away.
    images = noise(2, channels, height, width) // 2 + 40
    found = scale_images(torch.from_numpy(images), size)
    assert found.shape == (2, channels, size, size)
    assert found.dtype == torch.uint8
    for image, scaled in zip(images, found.numpy(), strict=True):
        for plane, result in zip(image, scaled, strict=True):
            expected = np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BILINEAR))
            assert np.abs(expected.astype(int) - result).max() <= 1


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_scaling_keeps_a_constant_image(grey):
    assert torch.unique(scale_images(torch.full((1, 3, 96, 96), grey, dtype=torch.uint8), 32)).tolist() == [grey]
