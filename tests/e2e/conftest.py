"""The browser of the end-to-end tests."""

import shutil

import pytest
from selenium import webdriver

from fixtures_browser import CHROMIUM_OPTIONS, SECONDS
from fixtures_machine import lacking


@pytest.fixture
def browser(tmp_path):
    """Chromium, driven by Debian's chromedriver of the same version; nothing is downloaded."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        lacking("Chromium is not installed: make browser")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in (*CHROMIUM_OPTIONS, f"--user-data-dir={tmp_path}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options, webdriver.ChromeService(driver)) as started:
        started.implicitly_wait(SECONDS)
        yield started
