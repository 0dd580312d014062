"""What the pages in docs/ say of other pages, of messages and of experiments is there."""

import re

import pytest
import yaml

from fixtures_snakemake import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
# Of Snakemake, Python and Linux.
OTHERS = ("LockException", "UnicodeDecodeError", "marked for report but does not exist")
OTHERS += ("No space left on device", "Read-only file system", "Permission denied")
SHORT = 5  # letters between two gaps of a message, which tell nothing


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_links_to_headings_lead_somewhere():
    links = [
        (page, link) for page in PAGES for link in re.findall(r"\]\(([^):]*#[^)]+)\)", page.read_text(encoding="utf-8"))
    ]
    assert len(links) > 5
    for page, link in links:
        name, anchor = link.split("#")
        assert anchor in anchors(page.parent / name if name else page), (page.name, link)


def test_the_index_names_every_page():
    named = re.findall(r"^- \[[^]]+\]\(([\w-]+\.md)\)", (DOCS / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(page.name for page in DOCS.glob("*.md") if page.name != "README.md")


def first_cells(page):
    """The first cell of every row of the tables of a page."""
    return re.findall(r"^\| ([^|]+) \|", page.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def sources():
    """The programs and the rules as one text, in which texts that are written in parts are whole."""
    files = [*(ROOT / "workflow_scripts").rglob("*.py"), *(ROOT / "rules").rglob("*.smk")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return re.sub(r'(?<!\\)"\s*\n\s*f?"', "", text)


def test_the_messages_of_the_index_are_those_of_the_programs(sources):
    messages = [
        message for cell in first_cells(DOCS / "troubleshooting.md") for message in re.findall("`([^`]+)`", cell)
    ]
    assert len(messages) > 40
    for message in messages:
        if not any(other in message for other in OTHERS):
            parts = [part.strip() for part in message.split("…") if len(part) > SHORT]
            assert parts, message
            assert not [part for part in parts if part not in sources], message


def test_questions_name_experiments_of_the_study():
    studies = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["studies"]
    known = {name for study in studies.values() for name in study["experiments"]}
    rows = re.findall(r"^\|[^|]+\|([^|]+)\| `results/", (DOCS / "reproduce.md").read_text(encoding="utf-8"), re.M)
    named = {name for row in rows for name in re.findall("`([^`]+)`", row)}
    assert len(named) > 20
    assert not named - known
