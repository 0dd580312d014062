"""Surrogate classes: patches of unlabeled images, each with random transformations of itself as one class.

Source: Dosovitskiy, Springenberg, Riedmiller and Brox, "Discriminative unsupervised feature learning with convolutional
neural networks" (2014), section 3.1. As in the code that they released, saturation and value each have a power, a
factor and an offset of their own, powers and factors are log-uniform, and principal components are scaled about the
mean colour. Unlike there, the factors of principal components are log-uniform too, not log-normal, and no patch is
stretched to the full range of brightness before its contrast changes: neutral parameters change nothing. Unlike in the
paper, seed patches are cut at the images' own scale only; the transformation `scale` zooms afterwards.
"""

import json
from collections.abc import Collection
from typing import NamedTuple

import h5py
import numpy as np
import torch

from semisup.cli import UserError
from semisup.constants import CHROMATIC
from semisup.hdf5 import read_rows

COLOR_CHANNELS = 3
SMALLEST = 1e-12  # keeps quotients of black and of grey pixels finite


class Seeds(NamedTuple):
    """Where the seed patches lie, int64 (S,) each: row of the image, and upper left corner of the patch in it."""

    image: np.ndarray
    top: np.ndarray
    left: np.ndarray


class Ranges(NamedTuple):
    """What parameters are drawn from. A number: uniform in -number..number; a pair: log-uniform from low to high.

    Units: rotation in degrees, translation as a fraction of the patch's side, hue as a fraction of the circle.
    """

    rotation: float
    translation: float
    scale: tuple[float, float]
    pca_contrast: tuple[float, float]
    color_power: tuple[float, float]
    color_factor: tuple[float, float]
    color_offset: float
    hue: float


class Parameters(NamedTuple):
    """The transformation of each patch, float32 (n,), but pca_contrast (n, 3).

    rotation: degrees that the content turns anticlockwise
    translation_x, translation_y: how far the window moves right and down, as a fraction of the patch's side
    scale: zoom; above 1 the content grows
    pca_contrast: factor of each principal colour component, that of the largest variance first
    saturation_*, value_*: x becomes x^power * factor + offset, x in 0..1
    hue: added, as a fraction of the circle
    """

    rotation: torch.Tensor
    translation_x: torch.Tensor
    translation_y: torch.Tensor
    scale: torch.Tensor
    pca_contrast: torch.Tensor
    saturation_power: torch.Tensor
    saturation_factor: torch.Tensor
    saturation_offset: torch.Tensor
    value_power: torch.Tensor
    value_factor: torch.Tensor
    value_offset: torch.Tensor
    hue: torch.Tensor


class PrincipalColors(NamedTuple):
    """Mean, float32 (3,), and principal components, the columns of a float32 (3, 3), of RGB pixels in 0..1."""

    mean: torch.Tensor
    components: torch.Tensor


# Drawing


def gradient_energy(images: torch.Tensor, size: int) -> torch.Tensor:
    """Return float32 (N, H - size + 1, W - size + 1): the mean squared gradient in each window of `size` pixels.

    images: uint8 (N, C, H, W). The gradient is that of the channels' mean, by differences to the next pixel, and 0
    beyond the border.
    """
    grey = images.float().mean(dim=1)
    squared = torch.zeros_like(grey)
    squared[:, :-1] += grey.diff(dim=1).square_()
    squared[:, :, :-1] += grey.diff(dim=2).square_()
    # A mean over columns, then over rows: 2 size operations a window instead of size^2.
    columns = torch.nn.functional.avg_pool2d(squared, (size, 1), stride=1)
    return torch.nn.functional.avg_pool2d(columns, (1, size), stride=1)


def draw_corners(images: torch.Tensor, size: int, sampling: str, uniforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw one patch of each uint8 image (N, C, H, W); return the rows and the columns of their corners, int64 (N,).

    sampling: "uniform", or "energy", with probability proportional to `gradient_energy` (a blank image: uniform).
    uniforms: float64 (N,), random numbers in [0, 1). Both samplings take one a patch, so that what is drawn
    afterwards does not depend on the sampling.
    """
    rows, columns = (side - size + 1 for side in images.shape[2:])
    if sampling == "uniform":
        places = (uniforms * (rows * columns)).astype(np.int64)
    else:
        energy = gradient_energy(images, size).flatten(1).double().numpy()
        energy[energy.sum(axis=1) == 0] = 1
        cumulative = energy.cumsum(axis=1)
        # The first place whose cumulative energy exceeds the number: one of no energy is never chosen.
        places = (cumulative <= (uniforms * cumulative[:, -1])[:, None]).sum(axis=1)
    return places // columns, places % columns


def cut_patches(images: torch.Tensor, top: np.ndarray, left: np.ndarray, size: int) -> torch.Tensor:
    """Cut one patch of each image (N, C, H, W), its corner at (top, left); returns (N, C, size, size)."""
    windows = images.unfold(2, size, 1).unfold(3, size, 1)  # a view: (N, C, y, x, size, size)
    return windows[np.arange(len(images)), :, top, left]


def principal_colors(patches: np.ndarray) -> PrincipalColors:
    """Return the principal components of all RGB pixels of uint8 patches (S, 3, s, s), about their mean."""
    total, products, count = np.zeros(COLOR_CHANNELS), np.zeros((COLOR_CHANNELS, COLOR_CHANNELS)), 0
    for patch in np.array_split(patches, max(1, len(patches) // 256)):
        pixels = patch.transpose(1, 0, 2, 3).reshape(COLOR_CHANNELS, -1).astype(np.float64)
        total += pixels.sum(axis=1)
        products += pixels @ pixels.T  # whole numbers far below 2^53, so exact in any order
        count += pixels.shape[1]
    mean = total / count
    _, components = np.linalg.eigh(products / count - np.outer(mean, mean))
    largest_first = np.ascontiguousarray(components[:, ::-1])
    return PrincipalColors(torch.from_numpy(mean / 255).float(), torch.from_numpy(largest_first).float())


def draw_parameters(
    count: int, transformations: Collection[str], ranges: Ranges, rng: np.random.Generator
) -> Parameters:
    """Draw the transformations of `count` patches, each independent of all others.

    A transformation that is not in `transformations` gets the parameters that change nothing. Its random numbers are
    drawn all the same: leaving one out does not change the others.
    """

    def within(name: str, limit: float, *shape: int) -> np.ndarray:
        drawn = rng.uniform(-limit, limit, (count, *shape))
        return drawn if name in transformations else np.zeros_like(drawn)

    def factor(name: str, limits: tuple[float, float], *shape: int) -> np.ndarray:
        drawn = np.exp(rng.uniform(*np.log(limits), (count, *shape)))
        return drawn if name in transformations else np.ones_like(drawn)

    drawn = Parameters(
        rotation=within("rotation", ranges.rotation),
        translation_x=within("translation", ranges.translation),
        translation_y=within("translation", ranges.translation),
        scale=factor("scale", ranges.scale),
        pca_contrast=factor("pca_contrast", ranges.pca_contrast, COLOR_CHANNELS),
        saturation_power=factor("color_contrast", ranges.color_power),
        saturation_factor=factor("color_contrast", ranges.color_factor),
        saturation_offset=within("color_contrast", ranges.color_offset),
        value_power=factor("color_contrast", ranges.color_power),
        value_factor=factor("color_contrast", ranges.color_factor),
        value_offset=within("color_contrast", ranges.color_offset),
        hue=within("hue", ranges.hue),
    )
    return Parameters(*(torch.from_numpy(values.astype(np.float32)) for values in drawn))


def check_channels(transformations: Collection[str], channels: int) -> None:
    """Raise UserError if a transformation of colours is asked for on images that have none."""
    chromatic = [name for name in transformations if name in CHROMATIC]
    if chromatic and channels != COLOR_CHANNELS:
        raise UserError(
            f"transformation {chromatic[0]} needs images of {COLOR_CHANNELS} channels, and these have {channels}: "
            f"leave {', '.join(chromatic)} out of transformations"
        )


# Applying


def select_parameters(parameters: Parameters, rows: slice | np.ndarray) -> Parameters:
    """Return the parameters of these patches."""
    return Parameters(*(values[rows] for values in parameters))


def transform_patches(
    images: torch.Tensor,
    top: np.ndarray,
    left: np.ndarray,
    size: int,
    parameters: Parameters,
    transformations: Collection[str],
    colors: PrincipalColors | None,
) -> torch.Tensor:
    """Transform the seed patch of each uint8 image (S, C, H, W) T times; returns uint8 (S * T, C, size, size).

    top, left: int64 (S,), corners of the seed patches. parameters: of S * T patches, those of one image together.
    The order is that of the paper: geometry, contrast of the principal components, contrast of saturation and value,
    hue. Steps without a name in `transformations` are skipped. colors: only pca_contrast needs them.
    All tensors of pixels are on the device of `images`; the parameters may lie elsewhere.
    """
    parameters = Parameters(*(values.to(images.device) for values in parameters))
    pixels = warp(images.float().div_(255), top, left, size, parameters)
    if "pca_contrast" in transformations:
        pixels = scale_components(pixels, parameters.pca_contrast, colors)
    if "color_contrast" in transformations or "hue" in transformations:
        change_colors(pixels.clamp_(0, 1), parameters, contrast="color_contrast" in transformations)
    rounded = pixels.mul_(255).round_().clamp_(0, 255)
    count, channels = images.shape[:2]
    patches = torch.empty(
        count, pixels.shape[2], channels, pixels.shape[3], dtype=torch.uint8, device=images.device
    ).copy_(rounded.transpose(1, 2))
    return patches.view(-1, channels, size, size)


def warp(images: torch.Tensor, top: np.ndarray, left: np.ndarray, size: int, parameters: Parameters) -> torch.Tensor:
    """Turn, move and zoom the window of each float32 image (S, C, H, W); returns float32 (S, C, T, size * size).

    The pixels are interpolated in the whole image, so a window that moves shows what really lies beside the seed patch;
    beyond the image's border, the image is reflected. The pixel at (x, y) from the middle of patch t comes from

        seed patch's middle + size * translation + (x cos a - y sin a, x sin a + y cos a) / scale

    with a the rotation and y pointing down.
    """
    count, channels, height, width = images.shape
    angle = torch.deg2rad(parameters.rotation)
    per_image = len(angle) // count
    corners = torch.from_numpy(np.stack([left, top])).to(angle).repeat_interleave(per_image, dim=1)
    middle_x = corners[0] + size * (0.5 + parameters.translation_x)
    middle_y = corners[1] + size * (0.5 + parameters.translation_y)
    # grid_sample's coordinates run from -1 to 1 over the image, those of affine_grid likewise over the patch.
    cos, sin = torch.cos(angle) * size / parameters.scale, torch.sin(angle) * size / parameters.scale
    matrices = torch.stack(
        [
            torch.stack([cos / width, -sin / width, 2 * middle_x / width - 1], dim=1),
            torch.stack([sin / height, cos / height, 2 * middle_y / height - 1], dim=1),
        ],
        dim=1,
    )
    grid = torch.nn.functional.affine_grid(matrices, [len(angle), channels, size, size], align_corners=False)
    # All patches of an image as one tall patch, so that images are not copied.
    grid = grid.view(count, per_image * size, size, 2)
    warped = torch.nn.functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return warped.view(count, channels, per_image, size * size)


def scale_components(pixels: torch.Tensor, factors: torch.Tensor, colors: PrincipalColors) -> torch.Tensor:
    """Multiply the principal components of RGB pixels by each patch's factors: mean + V diag(f) V' (x - mean).

    pixels: float32 (S, 3, T, p) in 0..1. factors: (S * T, 3). Returns a new tensor, which may leave 0..1.
    """
    count, channels, per_image, _ = pixels.shape
    mean, components = (values.to(pixels.device) for values in colors)
    matrices = (components * factors[:, None]) @ components.T
    shifts = (mean - (matrices * mean).sum(dim=2)).view(count, per_image, channels, 1)
    matrices = matrices.view(count, per_image, channels, channels, 1)
    scaled = torch.empty_like(pixels)
    for row in range(channels):
        out = torch.addcmul(shifts[:, :, row], matrices[:, :, row, 0], pixels[:, 0], out=scaled[:, row])
        for column in range(1, channels):
            out.addcmul_(matrices[:, :, row, column], pixels[:, column])
    return scaled


def change_colors(pixels: torch.Tensor, parameters: Parameters, contrast: bool) -> None:
    """Change saturation and value (if `contrast`) and shift the hue of RGB pixels, in place.

    pixels: float32 (S, 3, T, p) in 0..1. Saturation and value x become x^power * factor + offset, cut to 0..1. The hue
    of a grey pixel counts as red, so that a positive saturation offset gives it a red tint.
    Formulas: Smith, "Color gamut transform pairs" (1978). The hue runs from 0 to 6.
    """
    count, _, per_image, _ = pixels.shape
    each = Parameters(*(values.view(count, per_image, -1) for values in parameters))
    red, green, blue = pixels.unbind(1)
    value = torch.maximum(red, green)
    is_red, is_green = (red >= value) & (red >= blue), green >= blue
    torch.maximum(value, blue, out=value)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    per_chroma = chroma.clamp_min(SMALLEST).reciprocal_()
    # The numerator and the sector of the largest channel, red before green before blue.
    difference = torch.where(is_green, blue - red, red - green)
    difference = torch.where(is_red, green - blue, difference)
    hue = difference.mul_(per_chroma).add_(torch.where(is_green, 2.0, 4.0).masked_fill_(is_red, 0.0))
    hue.add_(6 * each.hue)
    hue.sub_(torch.div(hue, 6).floor_().mul_(6))
    saturation = chroma.div_(value.clamp_min(SMALLEST))
    if contrast:
        saturation.pow_(each.saturation_power).mul_(each.saturation_factor).add_(each.saturation_offset).clamp_(0, 1)
        value.pow_(each.value_power).mul_(each.value_factor).add_(each.value_offset).clamp_(0, 1)
    # Each channel is value - value * saturation * (0 where the hue gives it its whole value, 1 where nothing).
    chroma = saturation.mul_(value)
    torch.sub(value, chroma * hue.sub(3).abs_().neg_().add_(2).clamp_(0, 1), out=red)
    torch.sub(value, chroma * hue.sub(2).abs_().sub_(1).clamp_(0, 1), out=green)
    torch.sub(value, chroma * hue.sub(4).abs_().sub_(1).clamp_(0, 1), out=blue)


# Files


def read_parameters(file: h5py.File) -> Parameters:
    """Read the parameters of all patches of a file of surrogates."""
    return Parameters(*(torch.from_numpy(file[f"parameters/{name}"][:]) for name in Parameters._fields))


def remake_patches(file: h5py.File, images: h5py.Dataset | np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Make patches of a file of surrogates again, uint8 (n, C, s, s), from its parameters alone.

    images: uint8 (N, C, H, W), the unlabeled split that the file was made from. rows: int64 (n,), rows of `patches`.
    """
    options = json.loads(file.attrs["options"])
    classes = rows // options["samples_per_class"]
    seeds = Seeds(*(file[f"seeds/{name}"][:][classes] for name in Seeds._fields))
    parameters = select_parameters(read_parameters(file), rows)
    colors = None
    if "principal_colors" in file:
        colors = PrincipalColors(*(torch.from_numpy(file[f"principal_colors/{n}"][:]) for n in PrincipalColors._fields))
    sources = torch.from_numpy(read_rows(images, seeds.image))
    size = options["surrogate_size"]
    return transform_patches(
        sources, seeds.top, seeds.left, size, parameters, options["transformations"], colors
    ).numpy()
