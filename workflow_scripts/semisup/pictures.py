"""Pictures in files, as a viewer shows them."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from semisup.cli import UserError

WHITE = (255, 255, 255)  # what transparent places show
DEEPEST = {"I;16": 65535, "I;16L": 65535, "I;16B": 65535, "I;16N": 65535}  # largest value of a mode


def read_picture(path: str | Path, channels: int, size: int | None = None, *, square: bool = False) -> np.ndarray:
    """Return a picture, uint8 (channels, H, W), grey if channels is 1.

    square: only its middle square; size: that square scaled to so many pixels.

    It is turned as its metadata asks, transparent places are white, and values of more than 8 bits are scaled by their
    range. Of an animation it is the first picture. Raises UserError if it cannot be decoded.
    """
    try:
        with Image.open(path) as picture:
            shown = _as_shown(ImageOps.exif_transpose(picture)).convert("RGB" if channels > 1 else "L")
            if square or size is not None:
                shown = _middle_square(shown)
            if size is not None:
                shown = shown.resize((size, size), Image.Resampling.BICUBIC)
            pixels = np.array(shown)
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} has too many pixels to be read: make it smaller, or remove it") from error
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's, for damaged files
        if getattr(error, "errno", None):
            raise
        raise UserError(f"{path} is not a picture, or damaged: remove it from the folder") from error
    return np.atleast_3d(pixels).transpose(2, 0, 1)


def _middle_square(picture: Image.Image) -> Image.Image:
    side = min(picture.size)
    left, top = ((length - side) // 2 for length in picture.size)
    return picture.crop((left, top, left + side, top + side))


def _as_shown(picture: Image.Image) -> Image.Image:
    """Return a picture in RGB or L with what a viewer shows of it."""
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, (*WHITE, 255))
        return Image.alpha_composite(ground, picture).convert("RGB")
    if picture.mode in (*DEEPEST, "I", "F"):
        return Image.fromarray(_eight_bits(np.asarray(picture), picture.mode))
    return picture


def _eight_bits(values: np.ndarray, mode: str) -> np.ndarray:
    """Return values of a deep picture as uint8. A mode without a range of its own has the smallest usual one."""
    largest = float(values.max(initial=0))
    ranges = [DEEPEST[mode]] if mode in DEEPEST else [1.0, 255.0, 65535.0] if mode == "F" else [255, 65535]
    top = next((value for value in ranges if largest <= value), max(largest, 1.0))
    return np.rint(np.clip(values.astype(np.float64) / top, 0, 1) * 255).astype(np.uint8)
