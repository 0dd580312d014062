"""Pictures inside the page: PNG files made small enough, and SVG files that do not get in each other's way."""

import base64
import io
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from semisup.cli import UserError

WIDTHS = (900, 700, 500, 350)  # pixels that a picture has at most, tried in turn
QUALITY = 80  # of WebP
LARGEST_PICTURES = 3_300_000  # bytes of all pictures in the page, whose texts and tables come on top: below 5 MB in all


def small_picture(path: Path, width: int) -> str:
    """Return a picture as a data URI: scaled down to a width in pixels, or as it is where that is smaller.

    Raises UserError for a file that is no picture.
    """
    content = path.read_bytes()
    try:
        with Image.open(io.BytesIO(content)) as picture:
            whole = picture.convert("RGB")
            if whole.width > width:
                whole = whole.resize((width, round(whole.height * width / whole.width)), Image.Resampling.LANCZOS)
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise UserError(f"{path} is no picture, or damaged: delete its folder and run again") from error
    scaled = io.BytesIO()
    whole.save(scaled, "WEBP", quality=QUALITY, method=4)
    kind, chosen = min(("png", content), ("webp", scaled.getvalue()), key=lambda item: len(item[1]))
    return f"data:image/{kind};base64,{base64.b64encode(chosen).decode()}"


def small_pictures(paths: Sequence[Path], largest: int = LARGEST_PICTURES) -> dict[Path, str]:
    """Return data URIs of pictures that together have at most so many bytes.

    All are scaled alike, as far as it takes; if they are too many even so, the last ones are left out.
    """
    found: dict[Path, str] = {}
    for width in WIDTHS:
        found = {path: small_picture(path, width) for path in paths}
        if sum(map(len, found.values())) <= largest:
            return found
    kept, room = {}, largest
    for path, data in found.items():
        room -= len(data)
        if room >= 0:
            kept[path] = data
    return kept


def inline_svg(path: Path, prefix: str, words: str) -> str:
    """Return an SVG file as an element of a page. words: what it shows, for those who do not see it.

    prefix: comes before every name in it, since another picture in the page may use the same names. What is there for
    files of their own is left out: declaration, metadata and size. Raises UserError for a file that is no SVG.
    """
    text = path.read_text(encoding="utf-8")
    match = re.search(r"<svg\b[^>]*>.*</svg>", text, re.DOTALL)
    if match is None:
        raise UserError(f"{path} is no SVG, or damaged: delete it and run again")
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", match.group(), flags=re.DOTALL)
    svg = re.sub(r'(\bid="|\burl\(#|href="#)', rf"\g<1>{prefix}-", svg)
    head, end, rest = svg.partition(">")
    head = re.sub(r'\s(?:width|height)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{escape(words)}"{end}{rest}'
