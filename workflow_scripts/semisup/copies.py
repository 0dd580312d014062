"""Changed copies of training images, made once before the training: the homework's augmentation of digits.

Of the copies of an image a third each is turned, moved up or down, and given noise on its pixels that are not zero.
"""

import torch
from kornia import augmentation as kornia_augmentation

from semisup.constants import COPY_NOISE, COPY_ROTATION, COPY_SHIFTS

BLOCK = 2048  # images


def changed_copies(images: torch.Tensor, labels: torch.Tensor, copies: int, seed: int) -> tuple[torch.Tensor, ...]:
    """Return uint8 images (copies * N, C, H, W) and int64 labels, `copies` of each image, made from uint8 (N, C, H, W).

    The first N are the images' first copies, and so on. The seed decides every number.
    """
    torch.manual_seed(seed)
    blocks = [
        (CHANGES[copy % len(CHANGES)](block.float() / 255) * 255).round().clamp(0, 255).byte()
        for copy in range(copies)
        for block in images.split(BLOCK)
    ]
    return torch.cat(blocks), labels.repeat(copies)


def turned(images: torch.Tensor) -> torch.Tensor:
    """Turn each image by its own angle; zeros come in at the border. Float (N, C, H, W)."""
    return kornia_augmentation.RandomAffine(COPY_ROTATION, p=1.0)(images)


def moved(images: torch.Tensor) -> torch.Tensor:
    """Move each image up or down by its own number of pixels; zeros come in. Float (N, C, H, W)."""
    count, _, height, _ = images.shape
    shift = torch.tensor(COPY_SHIFTS)[torch.randint(len(COPY_SHIFTS), (count,))] * (2 * torch.randint(2, (count,)) - 1)
    source = torch.arange(height) - shift[:, None]  # (N, H): the row that comes to each place
    inside = ((source >= 0) & (source < height)).to(images.device)
    rows = source.clamp(0, height - 1).to(images.device)
    taken = images.gather(2, rows[:, None, :, None].expand_as(images))
    return taken * inside[:, None, :, None]


def noisy(images: torch.Tensor) -> torch.Tensor:
    """Add Gaussian noise to the pixels that are not zero. Float (N, C, H, W) in 0..1."""
    return images + COPY_NOISE * torch.randn(images.shape).to(images.device) * (images > 0)


CHANGES = (turned, moved, noisy)  # each makes as many of the copies
