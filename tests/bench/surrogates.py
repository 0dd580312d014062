"""Surrogate classes beside kornia's and torchvision's transformations.

The peers do what they have of ours: one affine map, then brightness, contrast, saturation and hue. They cut patches
first, so what moves in is a reflection (kornia) or black (torchvision); ours takes it from the image. Only ours has
contrast of the principal components, and powers.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from bench.rows import CPU, Row, best, scaled
from semisup.constants import TRANSFORMATIONS
from semisup.surrogates import (
    Ranges,
    cut_patches,
    draw_parameters,
    principal_colors,
    transform_patches,
)

CLASSES = 100
SAMPLES = 100  # patches of a class
SIDE = 32  # of a patch, in pixels
GROUP = 10  # classes at once: a thousand patches
RANGES = Ranges(20.0, 0.2, (0.7, 1.4), (0.5, 2.0), (0.25, 4.0), (0.7, 1.4), 0.1, 0.1)

Transform = Callable[[torch.Tensor], torch.Tensor]  # of uint8 (n, 3, s, s) or (3, s, s)


def surrogates_rows(part: float, device: torch.device = CPU) -> Iterator[Row]:
    """Time all transformations of patches, the peers first."""
    images = random_images(scaled(CLASSES, part)).to(device)
    corner = np.full(len(images), SIDE)
    patches = cut_patches(images, corner, corner, SIDE)
    count = len(images) * SAMPLES
    work = f"surrogate classes, {len(images):,} x {SAMPLES:,} patches of {SIDE} px"

    def apply(transform: Transform) -> None:
        for group in patches.split(GROUP):
            transform(group.repeat_interleave(SAMPLES, dim=0))

    torchvisions = torchvision_transform()
    peers = {
        "kornia, batches": kornia_transform(),
        "torchvision v2, one draw for a batch": torchvisions,
        "torchvision v2, image by image": lambda batch: torch.stack([torchvisions(patch) for patch in batch]),
    }
    works = {who: lambda transform=transform: apply(transform) for who, transform in peers.items()}
    for who, make in (works | {"this project": lambda: make_surrogates(images)}).items():
        seconds = best(make, device=device)
        yield Row(work, who, seconds, f"{count / seconds:,.0f} patches/s")


def random_images(count: int) -> torch.Tensor:
    """Return uint8 (count, 3, 96, 96)."""
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, 3, 96, 96), dtype=np.uint8))


def make_surrogates(images: torch.Tensor) -> None:
    """Make SAMPLES patches of each uint8 image (n, 3, 96, 96) as this project does, and keep none."""
    rng = np.random.default_rng(0)
    corner = np.full(len(images), SIDE)
    colors = principal_colors(cut_patches(images, corner, corner, SIDE).cpu().numpy())
    for start in range(0, len(images), GROUP):
        part = slice(start, start + GROUP)
        parameters = draw_parameters(len(images[part]) * SAMPLES, TRANSFORMATIONS, RANGES, rng)
        transform_patches(images[part], corner[part], corner[part], SIDE, parameters, TRANSFORMATIONS, colors)


def kornia_transform() -> Transform:
    """Return kornia's transformations, drawn for each patch of a batch."""
    import kornia

    steps = torch.nn.Sequential(
        kornia.augmentation.RandomAffine(20.0, (0.2, 0.2), (0.7, 1.4), p=1.0, padding_mode="reflection"),
        kornia.augmentation.ColorJitter(0.3, 0.3, 0.3, 0.1, p=1.0),
    )
    return lambda batch: (steps(batch.float() / 255) * 255).round().clamp(0, 255).to(torch.uint8)


def torchvision_transform() -> Transform:
    """Return torchvision's transformations, which are drawn once for all that a call is given."""
    import semisup.torchvision_models  # noqa: F401, I001 (first: what torchvision needs beside a torch of another build)
    from torchvision.transforms import v2

    return v2.Compose(
        [
            v2.RandomAffine(20.0, (0.2, 0.2), (0.7, 1.4), interpolation=v2.InterpolationMode.BILINEAR),
            v2.ColorJitter(0.3, 0.3, 0.3, 0.1),
        ]
    )
