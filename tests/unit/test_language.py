"""The English of what people read: British spelling, one thousands mark, and no odd words.

Code is not prose: names of keys, columns and classes keep their spelling.
"""

import re

import pytest

from fixtures_page import page_of, plan_of_page
from fixtures_report import DESCRIBED
from fixtures_snakemake import ROOT

PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "report").rglob("*.tex")]
PAGES += (ROOT / "report").rglob("*.rst")

# What is no prose: code, addresses, comments, commands, words of a source in quotation marks.
CODE = {
    ".md": r"^ *```(?s:.*?)^ *```|^ {4}.*$|`[^`]*`|\]\([^)]*\)|(?s:<!--.*?-->)",
    ".rst": r"`[^`]*`_?|\{[{%](?s:.*?)[%}]\}",
    ".html": r"<(style|script|svg|code|pre)\b(?s:.*?)</\1>|<[^>]*>",
    ".tex": r"(?<!\\)%.*|\\(?:BLOCK|VAR|texttt|label|ref|pageref|cite\w*|input|url|begin|end)\{[^}]*\}"
    r"|\\includegraphics.*|\\\w+penalty=\d+|``[^']*''",
}
WRONG = {
    r"anew": "again",
    r"lest": "so that ... not",
    r"whereupon": "and then",
    r"(?:go|goes|went|going) on": "continue",
    r"beside": "next to, in addition to",
    r"but for": "except",
    r"to be had": "available",
    r"should you": "if you",
    r"for want of": "because there is no",
    r"so many(?! that)": "this many",
    r"(?<=, )for (?:it|its|they|their|this|that|there|nothing|he|we|one|what)": "because",
    r"(?:un)?labeled": "labelled",
    r"colors?|colored": "colour",
    r"gray": "grey",
    r"neighbors?|behaviors?": "-our",
    r"centers?|centered": "centre",
    r"analyz\w+": "analyse",
    r"\w+(?:al|ar|er|gn|im|it)iz(?:e|es|ed|er|ers|ing|ation|ations)": "-ise",
    r"\d{5,}": "1,000",
    r"(?<![\d,.] )\d{1,3}[ \u00a0\u202f]\d{3}": "1,000",
}


def prose(text, kind):
    """A text without what is no prose, which leaves a mark."""
    return re.sub(CODE[kind], "§", text, flags=re.MULTILINE)


def findings(text):
    """The wrong words and numbers of a text, and what to write."""
    return [
        (found.group(), remedy)
        for pattern, remedy in WRONG.items()
        for found in re.finditer(rf"(?<![\w.,])(?:{pattern})(?![\w])", text, re.IGNORECASE)
    ]


@pytest.mark.parametrize("path", sorted(PAGES), ids=lambda path: str(path.relative_to(ROOT)))
def test_prose_is_plain_and_british(path):
    assert not findings(prose(path.read_text(encoding="utf-8"), path.suffix))


def test_the_page_of_the_results_is_plain_and_british(tmp_path):
    assert not findings(prose(page_of(tmp_path, plan_of_page(*DESCRIBED)), ".html"))


@pytest.mark.parametrize("wrong", ["unlabeled", "Colors", "it goes on", "lest", "10 000", "12000", "normalized"])
@pytest.mark.parametrize("kind", CODE)
def test_wrong_words_are_found_in_every_kind_of_text(wrong, kind):
    assert findings(prose(f"Here {wrong} stands.", kind))


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (".html", "<code>unlabeled</code>"),
        (".html", '<a class="gray">'),
        (".md", "`unlabeled`"),
        (".md", "a\n\n    color 12000\n"),
        (".md", "```yaml\ncolor: 12000\n```\n"),
        (".md", "[page](color.md)"),
        (".rst", "`unlabeled`_"),
        (".tex", r"\texttt{unlabeled}"),
        (".tex", "% color"),
        (".tex", r"\begin{center}"),
        (".tex", r"\includegraphics[width=\linewidth]{\VAR{study}/initialization.pdf}"),
        (".tex", "``normalization''"),
    ],
)
def test_code_is_no_prose(kind, code):
    assert not findings(prose(f"Here {code}", kind))
