"""The text of the report: no number typed by hand, every value there, arithmetic of the published table."""

import re
from pathlib import Path

import pytest
import yaml

import render_report

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = (ROOT / "report" / "report.tex").read_text()
# What may hold digits: values, LaTeX's own lengths and options, labels, and the citations' keys.
NOT_PROSE = [
    r"\\(VAR|BLOCK)\{[^{}]*\}",
    r"\\(ref|label|citep|citet|cmidrule\([a-z]+\)|includegraphics\[[^\]]*\]|multicolumn\{\d\}\{[a-z]\}|begin\{(minipage|tabular|longtable)\})\{[^{}]*\}",
    r"\\setlength\{\\tabcolsep\}\{4pt\}",
    r"p\{[0-9.]+\\linewidth\}",
    r"\{[0-9.]+\\linewidth\}",
    r"\^\{-1/2\}",
]
MATH = re.compile(r"\$[^$]*\$|\\\[.*?\\\]", re.DOTALL)
CONSTANTS = {"0", "1", "2"}  # of formulas


def prose(text: str) -> str:
    """The body of the template without what may hold digits."""
    body = text.split(r"\begin{document}", 1)[1]
    for pattern in NOT_PROSE:
        body = re.sub(pattern, " ", body)
    return MATH.sub(
        lambda formula: " " if set(re.findall(r"[\d.]+", formula[0])) <= CONSTANTS | {"."} else formula[0], body
    )


def test_no_digit_is_typed_into_the_prose():
    lines = [line for line in prose(TEMPLATE).splitlines() if re.search(r"\d", line)]
    assert not lines


@pytest.mark.parametrize(
    "sentence", ["It reaches 45.3 per cent.", r"an accuracy of 61\,\%", "over 3 seeds", r"by $+1.5$ points"]
)
def test_a_typed_digit_is_found(sentence):
    assert re.search(r"\d", prose(r"\begin{document}" + sentence))


def test_published_training_accuracies_cannot_be_stl10():
    published = yaml.safe_load((ROOT / "report" / "published.yaml").read_text())
    facts = render_report.source_table_facts(published["solver_table"], studies=[])
    impossible = {row["count"]: row["percents"] for row in facts["impossible"]}
    for count in (1000, 4000, 5000):
        attainable = {f"{100 * right / count:.2f}" for right in range(count + 1)}
        assert impossible[count] == [value for value in ("96.71", "99.04", "99.34", "99.53") if value not in attainable]
    assert all("96.71" in values for values in impossible.values())
    assert facts["equal_last_rows"] == 3
    assert facts["study"] is None
    assert facts["inverted_rows"] == 3
    assert facts["fitting_counts"] == ["10\\,000", "60\\,000"]


@pytest.mark.parametrize(
    ("value", "count", "possible"), [(50.0, 2, True), (33.33, 3, True), (33.3, 3, False), (99.53, 5000, False)]
)
def test_attainable(value, count, possible):
    assert render_report.attainable(value, count) is possible
    brute = any(round(100 * right / count, 2) == value for right in range(count + 1))
    assert brute is possible


def test_seed_setting_gives_sixteen_patches():
    setting = render_report.seed_setting({"patch_size": 22, "gap": 2, "image_size": 96})
    assert (setting["stride"], setting["patches"], setting["misread_patches"]) == (24, 16, 1444)


def test_special_characters_are_escaped():
    assert render_report.tex("50 % & _x{}") == r"50 \% \& \_x\{\}"


def test_bibliography_has_every_citation_and_no_other():
    cited = {key for keys in re.findall(r"\\cite[pt]\{([^}]*)\}", TEMPLATE) for key in keys.split(",")}
    entries = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "report" / "references.bib").read_text(), re.MULTILINE))
    assert cited == entries


def test_links_of_the_readme_and_the_docs_exist():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)", page.read_text())]
    assert links
    assert not [(page.name, link) for page, link in links if "://" not in link and not (page.parent / link).exists()]
