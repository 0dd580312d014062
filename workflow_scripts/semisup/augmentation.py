"""Random changes of a batch of images, drawn for every image, on the device that holds them."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from kornia import augmentation as kornia_augmentation
from torch import nn

from semisup.cli import UserError

Augment = Callable[[torch.Tensor], torch.Tensor]
GREY = 0.5  # what a cut-out square is filled with


class Augmentation(NamedTuple):
    """Strengths; zero or False leaves a change out.

    shift: largest shift in pixels, borders reflected; flip: mirror left and right, half of the time; color: brightness,
    contrast and saturation times a factor within 1 +- color; hue: shift as a fraction of the colour circle;
    cutout: side in pixels of a grey square, in the manner of DeVries and Taylor 2017 but never beyond the border;
    rotation: largest angle in degrees, borders reflected; crop: smallest part of the area that a crop of random place
    and shape has, which is scaled to the size asked for (Szegedy et al. 2015); grey: part of the images that lose their
    colours.
    """

    shift: int
    flip: bool
    color: float
    hue: float
    cutout: int
    rotation: float = 0.0
    crop: float = 0.0
    grey: float = 0.0


def augment_function(options: Augmentation, size: int) -> Augment:
    """Return a function of float images (N, C, size, size) in 0..1; it draws from torch's global generator.

    With `crop` the images may be of any size.
    Raises UserError for a shift or a square that the images are too small for.
    """
    for name, value in (("shift", options.shift), ("cutout", options.cutout)):
        if value >= size:
            raise UserError(f"{name} {value} is not below the {size} pixels of the images' side: lower it")
    changes: list[nn.Module] = []
    if options.crop:
        area = (options.crop, 1.0)
        changes.append(kornia_augmentation.RandomResizedCrop((size, size), scale=area, p=1.0, cropping_mode="resample"))
    if options.shift:
        changes.append(
            kornia_augmentation.RandomCrop((size, size), padding=options.shift, padding_mode="reflect", p=1.0)
        )
    if options.flip:
        changes.append(kornia_augmentation.RandomHorizontalFlip(p=0.5))
    if options.rotation:
        changes.append(kornia_augmentation.RandomAffine(options.rotation, padding_mode="reflection", p=1.0))
    if options.color or options.hue:
        changes.append(kornia_augmentation.ColorJitter(options.color, options.color, options.color, options.hue, p=1.0))
    if options.grey:
        changes.append(kornia_augmentation.RandomGrayscale(p=options.grey))
    if options.cutout:
        area = (options.cutout / size) ** 2
        changes.append(kornia_augmentation.RandomErasing(scale=(area, area), ratio=(1.0, 1.0), value=GREY, p=1.0))
    return nn.Sequential(*changes)
