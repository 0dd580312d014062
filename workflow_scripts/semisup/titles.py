"""Which titles and names of classes the report can set: pdfLaTeX with Latin letters (T1), and no others."""

import unicodedata

# In addition to ASCII: Latin-1 and Latin Extended-A, except what the fonts lack, and marks of typesetters.
_LACKING = "\u00a0\u00ad\u00b8\u0126\u0127\u0138\u013f\u0140\u0149\u0166\u0167\u017f"
_MARKS = "ȘșȚțẞ–—‘’‚“”„†‡•…‰‹›€™"
SETTABLE = frozenset(map(chr, [*range(0x20, 0x7F), *range(0xA0, 0x180)])) - frozenset(_LACKING) | frozenset(_MARKS)


def composed(title: str) -> str:
    """Return the title with each accent in one character with its letter, where there is one."""
    return unicodedata.normalize("NFC", title)


def title_mistake(title: str) -> str | None:
    """Say what the report cannot set; None if it can set the title."""
    if not title.strip():
        return "it is blank; write something"
    for char in composed(title):
        if char not in SETTABLE:
            name = unicodedata.name(char, "a line break" if char in "\n\r\x0b\x0c\x85" else "a control character")
            remedy = "write Latin letters, digits and usual marks, in one line"
            return f"the report cannot set {char!r} ({name.lower()}); {remedy}"
    return None
