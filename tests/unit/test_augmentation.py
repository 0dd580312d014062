import colorsys

import numpy as np
import pytest
import torch

from semisup.augmentation import GREY, Augmentation, augment_function
from semisup.cli import UserError

NONE = Augmentation(shift=0, flip=False, color=0.0, hue=0.0, cutout=0)
ALL = Augmentation(shift=3, flip=True, color=0.3, hue=0.05, cutout=5)
STRONGEST = Augmentation(shift=15, flip=True, color=0.99, hue=0.5, cutout=9, rotation=180.0)
EACH = [{"shift": 3}, {"flip": True}, {"color": 0.3}, {"hue": 0.1}, {"cutout": 5}, {"rotation": 30.0}]
SIZE = 16


def noise(count=1, size=SIZE, channels=3, seed=0):
    """Return float32 (count, channels, size, size) in 0..1."""
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(seed))


def augmented(images, options, seed=0):
    torch.manual_seed(seed)
    return augment_function(options, images.shape[-1])(images)


@pytest.mark.parametrize("change", EACH)
def test_each_image_of_a_batch_is_changed_in_its_own_way(change):
    results = augmented(noise().repeat(32, 1, 1, 1), NONE._replace(**change))
    different = {image.numpy().tobytes() for image in results}
    assert len(different) == 2 if "flip" in change else len(different) > 16


def test_nothing_changes_at_strength_zero():
    images = noise(4)
    assert torch.equal(augmented(images, NONE), images)


@pytest.mark.parametrize("options", [*(NONE._replace(**change) for change in EACH), ALL])
def test_generator_decides(options):
    images = noise(8)
    before = images.clone()
    augment = augment_function(options, SIZE)
    results = []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        results.append(augment(images).clone())
    assert torch.equal(results[0], results[2])
    assert not torch.equal(results[0], results[1])
    assert torch.equal(images, before)


@pytest.mark.parametrize("seed", range(3))
def test_range_of_pixels(seed):
    results = augmented(noise(50, seed=seed), STRONGEST, seed)
    assert results.shape == (50, 3, SIZE, SIZE)
    assert results.dtype == torch.float32
    assert results.isfinite().all()
    assert results.min() >= 0
    assert results.max() <= 1


def test_shift_goes_as_far_as_it_may():
    image = torch.zeros(1, 1, 24, 24)
    image[..., 12, 12] = 1
    results = augmented(image.repeat(600, 1, 1, 1), NONE._replace(shift=3))
    assert torch.equal(results.sum(dim=(1, 2, 3)), torch.ones(600))
    for places in np.unravel_index(results.flatten(1).argmax(dim=1).numpy(), (24, 24)):
        assert sorted(set(places - 12)) == list(range(-3, 4))


def test_shifted_image_is_reflected_at_its_borders():
    image = noise()
    padded = np.pad(image[0].numpy(), ((0, 0), (4, 4), (4, 4)), mode="reflect")
    crops = {padded[:, top : top + SIZE, left : left + SIZE].tobytes() for top in range(9) for left in range(9)}
    results = augmented(image.repeat(40, 1, 1, 1), NONE._replace(shift=4))
    assert all(result.numpy().tobytes() in crops for result in results)


def test_rotation_goes_as_far_as_it_may():
    """A soft spot to the right of the middle moves along a circle."""
    place = torch.arange(25) - 12.0
    spot = torch.exp(-((place[:, None] ** 2 + (place[None, :] - 6) ** 2) / 4))
    results = augmented(spot.expand(300, 1, 25, 25).clone(), NONE._replace(rotation=30.0))[:, 0]
    weights = results / results.sum(dim=(1, 2), keepdim=True)
    down, right = ((weights * axis).sum(dim=(1, 2)) for axis in (place[:, None], place[None, :]))
    angles = torch.rad2deg(torch.atan2(down, right))
    assert -30.2 < angles.min() < -28
    assert 28 < angles.max() < 30.2
    torch.testing.assert_close(torch.hypot(down, right), torch.full((300,), 6.0), atol=0.05, rtol=0)


def test_rotated_image_is_reflected_at_its_borders():
    """No black corners come in."""
    results = augmented(torch.full((50, 3, SIZE, SIZE), 0.7), NONE._replace(rotation=45.0))
    torch.testing.assert_close(results, torch.full_like(results, 0.7))


def test_flip_mirrors_half_of_the_images():
    images = noise(200)
    results = augmented(images, NONE._replace(flip=True))
    mirrored = [torch.equal(result, image.flip(2)) for image, result in zip(images, results, strict=True)]
    assert 70 < sum(mirrored) < 130
    same = torch.tensor(mirrored).logical_not()
    assert torch.equal(results[same], images[same])


def test_brightness_is_a_factor_within_limits():
    """A grey image without contrast shows nothing but the change of its brightness."""
    results = augmented(torch.full((400, 3, 4, 4), 0.5), NONE._replace(color=0.3))
    factors = results.mean(dim=(1, 2, 3)) / 0.5
    torch.testing.assert_close(results, results[:, :1, :1, :1].expand_as(results), atol=1e-6, rtol=0)
    assert 0.7 - 1e-5 <= factors.min() < 0.71
    assert 1.29 < factors.max() <= 1.3 + 1e-5


def test_contrast_and_saturation_change_too():
    """Brightness alone would multiply all values by the same factor."""
    image = 0.4 + 0.2 * noise(size=4)
    ratios = augmented(image.repeat(20, 1, 1, 1), NONE._replace(color=0.3)) / image
    assert (ratios.flatten(1).std(dim=1) > 1e-3).float().mean() > 0.9


def test_hue_turns_within_limits_and_keeps_saturation_and_value():
    color = torch.tensor([0.2, 0.7, 0.4])
    results = augmented(color.view(1, 3, 1, 1).repeat(300, 1, 2, 2), NONE._replace(hue=0.05))
    hue, saturation, value = colorsys.rgb_to_hsv(*color.tolist())
    found = np.array([colorsys.rgb_to_hsv(*result[:, 0, 0].tolist()) for result in results])
    np.testing.assert_allclose(found[:, 1:], [[saturation, value]] * 300, atol=1e-5)
    assert -0.05 - 1e-5 <= (found[:, 0] - hue).min() < -0.045
    assert 0.045 < (found[:, 0] - hue).max() <= 0.05 + 1e-5


@pytest.mark.parametrize(("size", "sides"), [(28, range(1, 28)), (32, range(1, 32)), (96, (1, 7, 31, 32, 33, 48, 95))])
def test_cutout_blanks_a_square_of_that_side(size, sides):
    images = torch.ones(4, 3, size, size)
    for side in sides:
        for result in augmented(images, NONE._replace(cutout=side)):
            blank = result != 1
            assert torch.equal(blank[0], blank.any(dim=0)), "the same in every channel"
            (rows,), (columns,) = (np.nonzero(blank[0].any(dim=axis).numpy()) for axis in (1, 0))
            assert (len(rows), np.ptp(rows), len(columns), np.ptp(columns)) == (side, side - 1, side, side - 1)
            assert blank[0].sum() == side**2
            assert set(result[blank].tolist()) == {GREY}


def test_cutout_lies_anywhere_within_the_image():
    blank = augmented(torch.ones(500, 1, 12, 12), NONE._replace(cutout=5))[:, 0] != 1
    tops = blank.any(dim=2).int().argmax(dim=1)
    lefts = blank.any(dim=1).int().argmax(dim=1)
    assert sorted(set(tops.tolist())) == sorted(set(lefts.tolist())) == list(range(8))


def test_grey_images_are_shifted_mirrored_and_cut():
    results = augmented(noise(8, channels=1), ALL._replace(color=0.0, hue=0.0, rotation=30.0))
    assert results.shape == (8, 1, SIZE, SIZE)


@pytest.mark.parametrize("name", ["shift", "cutout"])
def test_change_larger_than_the_image(name):
    options = Augmentation(shift=0, flip=False, color=0.0, hue=0.0, cutout=0)._replace(**{name: 16})
    with pytest.raises(UserError, match=f"{name} 16 is not below the 16 pixels"):
        augment_function(options, 16)
