"""The page of the finished demonstration in a browser: it works without a network, on a phone, and by keyboard."""

import csv
import io
import json

import pandas as pd
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from fixtures_browser import console_errors
from fixtures_demo import PAGE, TINY
from fixtures_machine import HAS_LATEX
from fixtures_page import read

LARGEST = 5_000_000  # bytes
EXPERIMENTS = TINY["studies"]["photos"]["experiments"]


@pytest.fixture
def page(browser, demo):
    """The browser with the page, whose console has said nothing bad."""
    browser.get((demo / PAGE).as_uri())
    assert console_errors(browser) == []
    yield browser
    assert console_errors(browser) == []


def set_width(browser: webdriver.Chrome, width: int) -> None:
    """Make the page so wide; a window has a least width, a device has none."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )


def column(browser: webdriver.Chrome, number: int) -> list[str]:
    """The values behind the cells of a column of the table, from top to bottom."""
    rows = browser.find_elements(By.CSS_SELECTOR, "#photos-rows tbody tr")
    return [row.find_elements(By.CSS_SELECTOR, "th, td")[number].get_attribute("data-value") for row in rows]


def head(browser: webdriver.Chrome, name: str) -> webdriver.remote.webelement.WebElement:
    """The button in the head of a column."""
    return browser.find_element(By.XPATH, f'//table[@id="photos-rows"]//th/button[text()="{name}"]')


def test_it_is_small_and_sound(demo):
    assert (demo / PAGE).stat().st_size < LARGEST
    words = read((demo / PAGE).read_text()).words
    comparison = pd.read_csv(demo / "results/photos/comparison.csv").set_index("experiment")
    for name in EXPERIMENTS:
        assert f"{100 * comparison.loc[name, 'seeds_test_accuracy_mean']:.1f}" in words
    assert "snakemake --cores all --configfile config.tiny.json -- results/photos/coates/seed3/scores.npz" in words
    assert str(demo) not in words


def test_nothing_but_the_file_is_asked_for(page, demo):
    """The browser's own first page asks for things too."""
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    ours = (demo / PAGE).as_uri()
    asked = [request["request"]["url"] for request in sent if request["documentURL"].startswith(ours)]
    assert ours in asked
    assert [url for url in asked if not url.startswith("data:")] == [ours]


def test_links_to_files_lead_somewhere(page, demo):
    links = [link.get_dom_attribute("href") for link in page.find_elements(By.TAG_NAME, "a")]
    files = [link for link in links if not link.startswith("#")]
    assert len(files) > 20
    there = (demo / PAGE).parent
    missing = [file for file in files if not (there / file).exists()]
    assert HAS_LATEX or {"report.pdf", "supplement.pdf"} == set(missing)
    assert not HAS_LATEX or missing == []


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("opened", [False, True])
def test_page_never_scrolls_sideways(page, width, opened):
    set_width(page, width)
    if opened:
        page.find_element(By.CSS_SELECTOR, "[data-open]").click()
        assert len(page.find_elements(By.CSS_SELECTOR, "details.card[open]")) == len(EXPERIMENTS)
    assert page.execute_script("return document.documentElement.scrollWidth") == width
    sticking_out = (
        "return [...document.querySelectorAll('main *')]"
        ".filter(part => part.getBoundingClientRect().right > innerWidth + 1 && !part.closest('.scroll, pre, svg'))"
        ".map(part => part.outerHTML)"
    )
    assert page.execute_script(sticking_out) == []


def test_table_is_sorted_by_a_click_and_by_keyboard(page):
    head(page, "Test").click()
    values = [float(value) for value in column(page, 5)]
    assert values == sorted(values, reverse=True)
    cell = head(page, "Test").find_element(By.XPATH, "..")
    assert cell.get_attribute("aria-sort") == "descending"
    head(page, "Test").send_keys(Keys.ENTER)
    assert [float(value) for value in column(page, 5)] == values[::-1]
    assert cell.get_attribute("aria-sort") == "ascending"
    head(page, "Experiment").send_keys(Keys.SPACE)
    names = column(page, 0)
    assert names == sorted(names, key=str.lower)
    assert len(page.find_elements(By.CSS_SELECTOR, "#photos-rows [aria-sort]")) == 1


def test_empty_cells_come_last_either_way(page):
    for _ in range(2):
        head(page, "Minutes").click()
        values = column(page, 9)
        filled = [value for value in values if value is not None]
        assert len(filled) == len(EXPERIMENTS) < len(values)
        assert values[: len(filled)] == filled


def test_table_is_copied(page):
    # What the browser's clipboard does with it is not for a page to say; without one the text is shown.
    page.execute_script("navigator.clipboard.writeText = () => Promise.reject()")
    rows = len(page.find_elements(By.CSS_SELECTOR, "#photos-rows tr"))
    area = page.find_element(By.CSS_SELECTOR, "textarea.copied")
    page.find_element(By.CSS_SELECTOR, "[data-copy=csv]").click()
    assert area.is_displayed()
    table = list(csv.reader(io.StringIO(area.get_property("value"))))
    assert {len(row) for row in table} == {10}
    assert len(table) == rows
    page.find_element(By.CSS_SELECTOR, "[data-copy=markdown]").click()
    lines = area.get_property("value").splitlines()
    assert len(lines) == rows + 1
    assert lines[0].startswith("| Experiment | Learns from | Labels |")


def test_two_experiments_are_compared(page, demo):
    form = page.find_element(By.CSS_SELECTOR, "form.compare")
    a, b = (Select(form.find_element(By.NAME, name)) for name in "ab")
    names = list(EXPERIMENTS)
    a.select_by_index(names.index("supervised"))
    b.select_by_index(names.index("finetuned"))
    row = pd.read_csv(demo / "results/photos/comparison.csv").set_index("experiment").loc["finetuned"]
    difference = f"{100 * row['seeds_difference']:+.1f}".replace("-", "\N{MINUS SIGN}")
    words = form.find_element(By.CSS_SELECTOR, ".result").text
    assert f"B less A, paired by test image and run, in points: {difference} [" in words
    assert len(form.find_elements(By.CSS_SELECTOR, "table")) == 2
    classes = form.find_elements(By.CSS_SELECTOR, "table")[1].find_elements(By.CSS_SELECTOR, "tbody tr")
    assert len(classes) == 10
    a.select_by_index(names.index("exemplar"))
    assert "no paired interval for these two" in form.text


def test_link_opens_the_card_that_it_leads_to(page):
    link = page.find_element(By.CSS_SELECTOR, '#photos-rows a[href="#photos-fixmatch"]')
    page.execute_script("arguments[0].click()", link)
    card = page.find_element(By.ID, "photos-fixmatch")
    assert card.get_property("open")
    assert card.find_element(By.CSS_SELECTOR, "svg.chart").is_displayed()


def test_every_picture_is_shown(page):
    page.find_element(By.CSS_SELECTOR, "[data-open]").click()
    pictures = page.find_elements(By.TAG_NAME, "img")
    assert len(pictures) > len(EXPERIMENTS)
    page.execute_script("for (const picture of document.images) picture.loading = 'eager'")
    sizes = page.execute_async_script(
        "const done = arguments[0];"
        "Promise.all([...document.images].map(picture => picture.decode().then(() => picture.naturalWidth))).then(done)"
    )
    assert min(sizes) > 10
