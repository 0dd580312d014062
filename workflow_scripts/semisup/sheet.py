"""A sheet of classified images, one HTML file that needs no other: each image with its class and a bar."""

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TextIO

import numpy as np
from PIL import Image

from semisup.files import atomic_path

HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fff; display: flex;
  flex-direction: column }}
.head {{ order: -2 }} .end {{ order: -1 }}
.sheet {{ display: flex; flex-wrap: wrap; gap: 14px }}
figure {{ margin: 0; width: 130px; overflow-wrap: anywhere; font-size: 12px }}
figure img {{ width: 130px; height: 130px; object-fit: contain; background: #eee; image-rendering: pixelated }}
.bar {{ background: #ddd; height: 6px }} .bar div {{ background: #27c; height: 6px }}
.wrong .bar div {{ background: #c33 }} .name {{ color: #666 }}
p {{ margin: 4px 0 }} .end {{ margin: 10px 0 }}
table {{ border-collapse: collapse; margin: 1em 0 }} td, th {{ padding: 2px 8px; text-align: right }}
</style></head><body><div class="head"><h1>{title}</h1>{facts}</div><div class="sheet">
"""
FIGURE = """<figure{kind}><img alt="" src="data:image/png;base64,{data}"><b>{name}</b> {confidence:.0%}
<div class="bar"><div style="width:{confidence:.1%}"></div></div>{second} {second_confidence:.0%}{truth}
<div class="name">{file}</div></figure>
"""


def text(words: object) -> str:
    """Return words as HTML, also those of file names that are no text."""
    return escape(str(words).encode("utf-8", "replace").decode())


def paragraphs(lines: Iterable[str]) -> str:
    """Return lines as paragraphs of HTML."""
    return "".join(f"<p>{text(line)}</p>" for line in lines)


@contextmanager
def new_sheet(path: str | Path, title: str, facts: Iterable[str]) -> Iterator[TextIO]:
    """Yield the open file of a sheet; it appears under its name when the block ends without an error."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(HEAD.format(title=text(title), facts=paragraphs(facts)))
        yield file
        file.write("</body></html>\n")


def write_figure(file: TextIO, image: np.ndarray, row: dict, label: str | None) -> None:
    """Write one image, uint8 (C, H, W), with its row of the table of predictions; label: its true class, if known."""
    shown = Image.fromarray(np.squeeze(image.transpose(1, 2, 0)) if len(image) == 1 else image.transpose(1, 2, 0))
    data = io.BytesIO()
    shown.save(data, "PNG")
    wrong = label is not None and label != row["class"]
    file.write(
        FIGURE.format(
            kind=' class="wrong"' if wrong else "",
            data=base64.b64encode(data.getvalue()).decode(),
            name=text(row["class"]),
            confidence=row["confidence"],
            second=text(row["second"]),
            second_confidence=row["second_confidence"],
            truth=f" · truly {text(label)}" if wrong else "",
            file=text(row["file"]),
        )
    )


def end_sheet(file: TextIO, lines: Iterable[str], class_names: Sequence[str], confusion: np.ndarray) -> None:
    """Write the summary, which is shown above the images; confusion: int (classes, classes), rows are the truth."""
    file.write(f'</div><div class="end">{paragraphs(lines)}')
    if confusion.any():
        heads = "".join(f"<th>{text(name)}</th>" for name in class_names)
        file.write(f"<table><tr><th>true \\ predicted</th>{heads}</tr>")
        for name, counts in zip(class_names, confusion, strict=True):
            file.write(f"<tr><th>{text(name)}</th>{''.join(f'<td>{count}</td>' for count in counts)}</tr>")
        file.write("</table>")
    file.write("</div>")
