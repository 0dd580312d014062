"""The HTML report: everything is in it and says what it is, and a browser shows every picture without an error."""

import json
import re
import zipfile
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from fixtures_browser import SECONDS, console_errors
from fixtures_demo import PAGE, WHOLE, run_demo
from fixtures_machine import HAS_LATEX


@pytest.fixture(scope="module")
def report(demo, tmp_path_factory):
    """The folder of the HTML report, unzipped."""
    run_demo(demo, "--report", "report.zip", *WHOLE)
    folder = tmp_path_factory.mktemp("unzipped report")
    with zipfile.ZipFile(demo / "report.zip") as archive:
        archive.extractall(folder)
    return folder / "report"


def variable(report: Path, name: str) -> Any:
    """The value of a variable of the page: Snakemake puts each into a script of its own, as JSON."""
    page = (report / "report.html").read_text()
    start = re.search(rf'<script id="{name.replace("_", "-")}">\s*var {name} = ', page).end()
    return json.JSONDecoder().raw_decode(page, start)[0]


def words(html: str) -> str:
    """The text of a piece of HTML, as a browser shows it."""
    return " ".join(unescape(re.sub("<[^>]*>", "", html)).split())


def expected(demo: Path) -> list[str]:
    """Paths of all that the report must hold: PDF and page, every figure, every table of a study or of the whole."""
    results = demo / "results"
    # Coordinates of maps and the sample that they are made of are steps on the way to a figure.
    tables = [path for path in results.glob("*/*.csv") if path.name not in ("tsne.csv", "test_sample.csv")]
    pdf = [results / "report" / f"{name}.pdf" for name in ("report", "supplement")] if HAS_LATEX else []
    return [str(path.relative_to(demo)) for path in (*tables, *results.rglob("*.png"), *pdf, demo / PAGE)]


def click(browser: webdriver.Chrome, element: Any) -> None:
    """Click by script: the list slides to its new width, and a mouse would miss what moves."""
    browser.execute_script("arguments[0].click()", element)


def open_page(browser: webdriver.Chrome, report: Path, *names: str) -> None:
    """Open the report and follow these names: a view, or a category and its subcategory."""
    browser.get((report / "report.html").as_uri())
    assert console_errors(browser) == []
    for name in names:
        click(browser, browser.find_element(By.LINK_TEXT, name))


def buttons(browser: webdriver.Chrome, label: str) -> list:
    """The eye and the letter i of the result with this label."""
    return browser.find_elements(By.XPATH, f'//tr[td[normalize-space()="{label}"]]//a')


def seen_picture(browser: webdriver.Chrome, source: str) -> Any:
    """The picture that is shown, when the browser has read it or given it up."""
    picture = browser.find_element(By.CSS_SELECTOR, f'img[src="{source}"]')
    WebDriverWait(browser, SECONDS).until(lambda _: picture.get_property("complete"))
    return picture


def test_every_figure_and_table_is_there(demo, report):
    results = variable(report, "results")
    assert sorted(results) == sorted(expected(demo))
    for path, result in results.items():
        assert (report / result["data_uri"]).read_bytes() == (demo / path).read_bytes(), path


def test_every_result_has_caption_category_and_labels(report):
    results, categories = variable(report, "results"), variable(report, "categories")
    listed = [path for lists in categories.values() for paths in lists.values() for path in paths]
    assert sorted(listed) == sorted(results)
    assert "Other" not in categories  # Snakemake's name for none
    for category, lists in categories.items():
        assert len(lists) == 1 or "Other" not in lists, category
        labels = [tuple(results[path]["labels"].values()) for paths in lists.values() for path in paths]
        assert all(labels), category
        assert len(set(labels)) == len(labels), category
    for path, result in results.items():
        assert words(result["caption"]).endswith("."), path
        assert "System Message" not in result["caption"], path


def test_start_page_says_that_the_images_are_stand_ins(report):
    start = variable(report, "workflow_desc")
    assert "small stand-ins for the published data: no number made from them may be compared" in words(start)
    assert "System Message" not in start


def test_browser_shows_every_picture_and_caption_without_an_error(browser, demo, report):
    results = variable(report, "results")
    for category, lists in variable(report, "categories").items():
        for subcategory, paths in lists.items():
            names = [category, subcategory] if len(lists) > 1 else [category]
            open_page(browser, report, *names)
            for path in paths:
                eye, letter = buttons(browser, results[path]["labels"]["result"])
                if path.endswith(".png"):
                    click(browser, eye)
                    picture = seen_picture(browser, results[path]["data_uri"])
                    with Image.open(demo / path) as made:
                        assert picture.get_property("naturalWidth") == made.width, path
                    assert picture.is_displayed(), path
                    assert picture.rect["y"] >= 0, path  # from its top on
                click(browser, letter)
                description = words(browser.find_element(By.TAG_NAME, "nav").text)
                assert words(results[path]["caption"]) in description, path
                click(browser, browser.find_element(By.LINK_TEXT, names[-1]))  # back to the list
    assert console_errors(browser) == []


@pytest.mark.parametrize("view", ["Statistics", "Workflow"])
def test_browser_shows_the_run_without_an_error(view, browser, report):
    open_page(browser, report, view)
    assert browser.find_element(By.CSS_SELECTOR, ".vega-embed canvas, .vega-embed svg").is_displayed()
    assert console_errors(browser) == []
