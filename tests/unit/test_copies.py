import numpy as np
import pytest
import torch

from semisup import copies
from semisup.constants import COPY_NOISE
from semisup.copies import changed_copies, moved, noisy, turned

MOVES = [-4, -3, -2, -1, 1, 2, 3, 4]


def digit_like(count, size=12, channels=1, seed=0):
    """Return uint8 images (count, channels, size, size) of noise, zero in the left half."""
    images = np.random.default_rng(seed).integers(60, 190, (count, channels, size, size))
    images[..., : size // 2] = 0
    return torch.from_numpy(images.astype(np.uint8))


def naive_move(image, shift):
    """Return an image (C, H, W) moved down by so many rows, up where negative, in a loop."""
    result = torch.zeros_like(image)
    for row in range(image.shape[1]):
        if 0 <= row + shift < image.shape[1]:
            result[:, row + shift] = image[:, row]
    return result


def moves_of(images, results):
    """Return by how many rows each image was moved; None if by none of `MOVES`."""
    return [
        next((shift for shift in MOVES if torch.equal(naive_move(image, shift), result)), None)
        for image, result in zip(images, results, strict=True)
    ]


def angles_of(results):
    """Return in degrees where the spots lie in images (N, 1, H, W) of one spot, seen from the middle."""
    size = results.shape[-1]
    place = torch.arange(size) - (size - 1) / 2
    weights = results[:, 0] / results[:, 0].sum(dim=(1, 2), keepdim=True)
    down, right = ((weights * axis).sum(dim=(1, 2)) for axis in (place[:, None], place[None, :]))
    return torch.rad2deg(torch.atan2(down, right)), torch.hypot(down, right)


def spot(size=25):
    """Return a float image (1, 1, size, size) with a soft spot to the right of the middle, at a distance of 7."""
    place = torch.arange(size) - (size - 1) / 2
    return torch.exp(-((place[:, None] ** 2 + (place[None, :] - 7) ** 2) / 4))[None, None]


def test_turned_by_at_most_45_degrees_each_by_its_own():
    torch.manual_seed(0)
    angles, distances = angles_of(turned(spot().repeat(400, 1, 1, 1)))
    assert -45.5 < angles.min() < -42
    assert 42 < angles.max() < 45.5
    assert len(set(angles.round(decimals=2).tolist())) > 300
    torch.testing.assert_close(distances, torch.full((400,), 7.0), atol=0.05, rtol=0)


def test_turned_image_has_zeros_at_its_border():
    torch.manual_seed(0)
    results = turned(torch.ones(50, 1, 16, 16))
    corners = results[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 0).any(dim=1).float().mean() > 0.8
    torch.testing.assert_close(results[:, 0, 6:10, 6:10], torch.ones(50, 4, 4))


@pytest.mark.parametrize("channels", [1, 3])
def test_moved_up_or_down_by_one_to_four_pixels(channels):
    torch.manual_seed(0)
    images = digit_like(1, channels=channels).float().repeat(400, 1, 1, 1)
    moves = moves_of(images, moved(images))
    counts = [moves.count(shift) for shift in MOVES]
    assert sum(counts) == 400
    assert all(25 < count < 80 for count in counts), "each as often as any other"


def test_noise_is_on_the_pixels_that_are_not_zero():
    torch.manual_seed(0)
    images = digit_like(200).float() / 255
    added = noisy(images) - images
    nothing = images == 0
    assert not added[nothing].any()
    assert added[~nothing].std().item() == pytest.approx(COPY_NOISE, rel=0.03)
    assert added[~nothing].mean().item() == pytest.approx(0, abs=0.01)
    assert torch.histc(added[~nothing], 3, -3 * COPY_NOISE, 3 * COPY_NOISE)[1] / (~nothing).sum() == pytest.approx(
        0.683, abs=0.02
    ), "as many within one standard deviation as of a Gaussian"


def test_copies_are_a_third_each_in_order(monkeypatch):
    """Seven images in blocks of three: the first copy of all of them, turned, then the second, moved, and so on."""
    monkeypatch.setattr(copies, "BLOCK", 3)
    images, labels = digit_like(7), torch.tensor([3, 1, 4, 1, 5, 9, 2])
    results, new_labels = changed_copies(images, labels, 6, 0)
    assert results.dtype == torch.uint8
    assert results.shape == (42, 1, 12, 12)
    assert new_labels.tolist() == labels.tolist() * 6
    for copy, part in enumerate(results.split(7)):
        zeros_stay = not part[images == 0].any()
        was_moved = None not in moves_of(images, part)
        assert (was_moved, zeros_stay) == [(False, False), (True, True), (False, True)][copy % 3], copy
        assert not any(torch.equal(image, result) for image, result in zip(images, part, strict=True))
    assert not torch.equal(results[:7], results[21:28])
    assert not torch.equal(results[14:21], results[35:])


def test_bright_and_dark_pixels_stay_within_range():
    """A byte that overflowed would turn white into black."""
    images = torch.full((20, 1, 12, 12), 255, dtype=torch.uint8)
    noisy_ones = changed_copies(images, torch.zeros(20, dtype=torch.int64), 3, 0)[0][40:]
    assert (noisy_ones == 255).float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert noisy_ones.min() > 255 * (1 - 6 * COPY_NOISE) - 1


def test_seed_decides():
    images, labels = digit_like(9), torch.arange(9)
    before = images.clone()
    first, same, other = (changed_copies(images, labels, 3, seed)[0].numpy().tobytes() for seed in (5, 5, 6))
    assert first == same != other
    assert torch.equal(images, before)
