"""Pictures in files, as a viewer shows them: the same pixels in whatever form one picture is stored."""

import io
import logging
import os
import re
import warnings
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageCms, ImageFile, ImageOps, TiffImagePlugin, UnidentifiedImageError

from semisup.cli import UserError, in_one_line
from semisup.edges import edge_pixels

FITS = ("crop", "pad", "stretch")
WHITE = (255, 255, 255)  # what transparent places show
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
HEAD = 4096  # bytes that tell what a file is
UPRIGHT = {  # what a viewer does for each orientation of EXIF
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
XMP_ORIENTATION = re.compile(r"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])""")
ORIENTATION, BITS, PHOTOMETRIC, FILL_ORDER, SAMPLES, PLANES, SAMPLE_FORMAT = 274, 258, 262, 266, 277, 284, 339  # tags
SHALLOW = {"L;2": 85, "L;4": 17}  # what Pillow multiplies samples of 2 and 4 bits by, but not the transparent one
APART = 2  # value of PLANES
UNSIGNED, SIGNED, WHITE_IS_ZERO = 1, 2, 0  # values of SAMPLE_FORMAT and PHOTOMETRIC
PNG = b"\x89PNG\r\n\x1a\n"
SHOWN_CHUNKS = (b"tRNS", b"iCCP", b"eXIf", b"iTXt", b"acTL", b"fcTL", b"fdAT")  # of PNG, beside what it must have
# Formats of lines and pages. Pillow would read the first two with programs of the machine, if it has them.
DRAWINGS = {b"%!PS": "EPS", b"\xc5\xd0\xd3\xc6": "EPS", b"\xd7\xcd\xc6\x9a": "WMF", b"%PDF": "PDF"}


class PictureError(UserError):
    """A file that cannot be read as a picture. Its message is the path, the reason and the remedy, in one line."""


def read_picture(path: str | Path, channels: int, size: int | None = None, fit: str = "stretch") -> np.ndarray:
    """Return a picture, uint8 (channels, H, W), grey if channels is 1.

    fit: "crop" takes the middle square; "pad" makes a square with the mean colour of the edge; "stretch" takes it all.
    size: scales that to a square of so many pixels.

    It is turned as its metadata asks, transparent places are white, colours are those of an embedded profile, and
    values of more than 8 bits are scaled by their range. Of several pictures in a file it is the first one, which is
    logged. Raises PictureError if it cannot be decoded.
    """
    try:
        with warnings.catch_warnings():  # of many pixels, odd metadata: what is shown is the same
            warnings.simplefilter("ignore")
            shown = _open_shown(path)
    except MemoryError:
        raise
    except Exception as error:  # decoders raise anything for damaged files
        raise PictureError(f"{in_one_line(path)} {_reason(path, error)}") from error
    if fit == "pad" and max(shown.size) ** 2 > most_pixels():
        raise PictureError(
            f"{in_one_line(path)} has too long a side to be padded, {max(shown.size):,} pixels: choose another --fit"
        )
    shown = _fitted(shown.convert("RGB" if channels > 1 else "L"), fit)
    if size is not None:
        shown = shown.resize((size, size), Image.Resampling.BILINEAR)  # as models scale images to their size
    return np.atleast_3d(np.array(shown)).transpose(2, 0, 1)


def most_pixels() -> int:
    """Return how many pixels a picture may have. A file of few bytes may be made to fill the memory."""
    return 2 * Image.MAX_IMAGE_PIXELS


def _fitted(picture: Image.Image, fit: str) -> Image.Image:
    if fit == "crop":
        return ImageOps.fit(picture, (min(picture.size),) * 2)
    if fit == "pad":
        channels = np.atleast_3d(np.asarray(picture)).transpose(2, 0, 1)
        colour = tuple(int(mean) for mean in np.rint(edge_pixels(channels).mean(axis=1)))
        return ImageOps.pad(picture, (max(picture.size),) * 2, color=colour if len(colour) > 1 else colour[0])
    return picture


def _open_shown(path: str | Path) -> Image.Image:
    """Return what a viewer shows of a file, in RGB or L."""
    with Path(path).open("rb") as file:  # by path Pillow would garble TIFFs that it turns
        try:
            return _shown(path, file)
        except MemoryError:
            raise
        except Exception:
            file.seek(0)
            data = file.read(len(PNG))
            if data != PNG:
                raise
            return _shown(path, io.BytesIO(_bare_png(data + file.read())))


def _bare_png(data: bytes) -> bytes:
    """Return a PNG without chunks that show nothing, and without those that viewers leave out for their wrong checksum.

    Pillow takes one that is broken, or a long text, for damage of the picture.
    """
    kept, start = [data[: len(PNG)]], len(PNG)
    while start < len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4])
        name, checksum = data[start + 4 : start + 8], int.from_bytes(data[end - 4 : end])
        needed = name[:1].isupper()
        if needed or (name in SHOWN_CHUNKS and zlib.crc32(data[start + 4 : end - 4]) == checksum):
            kept.append(data[start:end])
        start = end
    return b"".join(kept)


def _shown(path: str | Path, file: IO[bytes]) -> Image.Image:
    with Image.open(file) as picture:
        if picture.format in DRAWINGS.values():
            raise UnidentifiedImageError
        samples = picture.tile[0].args if picture.tile else None
        tags = getattr(picture, "tag_v2", {})
        if tags.get(PLANES) == APART:
            picture.tile = _tiles_apart(picture, tags)
        picture.load()  # of a TIFF this turns it, too
        if isinstance(samples, str) and samples in SHALLOW and "transparency" in picture.info:
            picture.info["transparency"] *= SHALLOW[samples]
        turn = UPRIGHT.get(_orientation(picture))
        signed = picture.mode == "L" and tags.get(SAMPLE_FORMAT) == (SIGNED,)
        deep = signed or picture.mode == "F" or picture.mode.startswith("I")
        shown = _eight_bits(picture) if deep else _flat(picture)
        shown = shown.copy() if turn is None else shown.transpose(turn)  # to look for others may undo what is loaded
        _say_if_several(path, picture)
    return shown


def _tiles_apart(picture: Image.Image, tags: TiffImagePlugin.ImageFileDirectory_v2) -> list[ImageFile._Tile]:
    """Return where Pillow finds the channels of a TIFF that lie apart, and how they are packed, which it garbles.

    Raises UnidentifiedImageError for colours that it would show wrongly.
    """
    packed = picture.tile[0].codec_name != "raw"
    if tags.get(SAMPLES, 1) == 1:  # one channel lies there as ever
        format_, order = tags.get(SAMPLE_FORMAT, (UNSIGNED,)), tags.get(FILL_ORDER, 1)
        form = TiffImagePlugin.OPEN_INFO[tags.prefix, tags.get(PHOTOMETRIC, 0), format_, order, tags[BITS], ()][1]
        return picture.tile if packed else [tile._replace(args=(form, *tile.args[1:])) for tile in picture.tile]
    if picture.mode not in ("RGB", "RGBA", "CMYK"):
        raise UnidentifiedImageError
    if packed or 16 not in tags[BITS]:  # noqa: PLR2004
        return picture.tile
    end = "16B" if tags.prefix == b"MM" else "16L"  # Pillow takes channels of 16 bits for such of 8
    return [tile._replace(args=(f"{tile.args[0]};{end}", *tile.args[1:])) for tile in picture.tile]


def _say_if_several(path: str | Path, picture: Image.Image) -> None:
    """Log it if the file holds several pictures, but not the previews that cameras add (MPO)."""
    try:
        count = getattr(picture, "n_frames", 1)
    except Exception:  # a damaged picture after the first one
        count = 2
    if count > 1 and picture.format != "MPO":
        logging.info("%s holds several pictures: the first one counts", in_one_line(path))


def _orientation(picture: Image.Image) -> int:
    """Return how EXIF, or else XMP, says that a picture lies there; Pillow reads XMP in one of its forms only."""
    try:
        told = picture.getexif().get(ORIENTATION)
    except Exception:  # broken metadata: a viewer shows the picture as it lies there
        return 1
    xmp = picture.info.get("XML:com.adobe.xmp") or picture.info.get("xmp") or ""
    found = XMP_ORIENTATION.search(xmp.decode("latin-1") if isinstance(xmp, bytes) else xmp)
    return told or (int(found[1]) if found else 1)


# Colours


def _flat(picture: Image.Image) -> Image.Image:
    """Return a picture of at most 8 bits in RGB or L, on white where it is transparent."""
    profile = _profile(picture)
    if not picture.has_transparency_data:
        return _in_srgb(picture if picture.mode in ("L", "CMYK") else picture.convert("RGB"), profile)
    clear = (picture.convert("LA") if picture.mode == "La" else picture).convert("RGBA")
    colours = _in_srgb(clear.convert("RGB"), profile)
    white = Image.new("RGB", picture.size, WHITE)
    return Image.composite(colours, white, clear.getchannel("A"))


def _profile(picture: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """Return the embedded colour profile; None if there is none to obey: sRGB, broken, or of other channels."""
    data = picture.info.get("icc_profile")
    if not data:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        description = ImageCms.getProfileDescription(profile)
    except (OSError, ImageCms.PyCMSError):
        return None
    space = "CMYK" if picture.mode == "CMYK" else "RGB"
    return None if "sRGB" in description or profile.profile.xcolor_space.strip() != space else profile


def _in_srgb(picture: Image.Image, profile: ImageCms.ImageCmsProfile | None) -> Image.Image:
    """Return an L, RGB or CMYK picture in L or RGB, converted by the profile if there is one that can be used."""
    if profile is not None and picture.mode != "L":
        try:
            return ImageCms.profileToProfile(picture, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except ImageCms.PyCMSError:  # it lacks a table that it needs
            pass
    return picture.convert("RGB") if picture.mode == "CMYK" else picture


# Deep pictures


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Return a picture of more than 8 bits in L, scaled by its range."""
    values = np.asarray(picture)
    tags = getattr(picture, "tag_v2", {})
    if picture.mode == "I" and tags and tags.get(SAMPLE_FORMAT, (UNSIGNED,))[0] == UNSIGNED:
        values = values.view(np.uint32)
    elif picture.mode == "L":
        values = values.view(np.int8)
    top = _largest_value(picture, tags) or _usual_range(values, picture.mode)
    shown = np.clip(np.nan_to_num(values.astype(np.float64) / top), 0, 1)
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        shown = 1 - shown
    transparent = picture.info.get("transparency")
    if transparent is not None:
        shown[values == transparent] = 1
    return Image.fromarray(np.rint(shown * 255).astype(np.uint8))


def _largest_value(picture: Image.Image, tags: dict) -> int | None:
    """Return the largest value that the file's samples may have; None if it may be any: 32 bits, or floats."""
    if picture.mode == "F":
        return None
    if tags:
        bits, signed = tags[BITS][0], tags.get(SAMPLE_FORMAT, (UNSIGNED,))[0] == SIGNED
        return 2 ** (bits - signed) - 1 if bits < 32 else None  # noqa: PLR2004
    return 65535  # PNG, PGM, JPEG 2000: Pillow scales to it


def _usual_range(values: np.ndarray, mode: str) -> float:
    """Return the smallest usual range that holds the values: nothing in the file tells."""
    largest = float(values.max(initial=0, where=np.isfinite(values)))
    ranges = (1, 255, 65535) if mode == "F" else (255, 65535, 2**31 - 1, 2**32 - 1)
    return next((value for value in ranges if largest <= value), largest)


# Reasons


def _reason(path: str | Path, error: Exception) -> str:
    """Return why a file could not be read, and what to do."""
    if isinstance(error, Image.DecompressionBombError):
        return f"has too many pixels, more than {most_pixels():,}: make it smaller"
    if getattr(error, "errno", None):
        return f"cannot be read: {os.strerror(error.errno)}"
    with Path(path).open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return "is empty: remove it, or copy it anew"
    if isinstance(error, UnidentifiedImageError) or "unknown raw mode" in str(error):
        if head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS and b"avif" not in head[:64]:
            return "is a HEIC picture, which cannot be read: save it as JPEG (heif-convert does it)"
        drawing = "SVG" if b"<svg" in head else DRAWINGS.get(head[:4])
        if drawing:
            return f"is a page or a drawing ({drawing}), which cannot be read: save it as PNG or JPEG"
        if _is_recognised(head):
            return "is damaged or of a kind that is not known: save it as PNG or JPEG, or remove it"
        if _is_text(head):
            return "is text, not a picture: remove it"
        return "is of a format that is not known: save it as PNG or JPEG, or remove it"
    return "is damaged or cut short: remove it, or copy it anew"


def _is_text(head: bytes) -> bool:
    """Tell whether the beginning of a file is text: no control characters but those that lay it out."""
    return not set(head) & (set(range(32)) - set(b"\t\n\r\f"))


def _is_recognised(head: bytes) -> bool:
    """Tell whether Pillow knows a format that begins so."""
    return any(accept is not None and accept(head[:16]) is True for _, accept in Image.OPEN.values())
