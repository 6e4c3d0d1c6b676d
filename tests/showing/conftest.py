"""A browser for what is shown in one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """A headless Chromium that writes down what it is asked for and what it complains about."""
    programs = [shutil.which(name) for name in ("chromium", "google-chrome", "chromium-browser")]
    program, driver = next(filter(None, programs), None), shutil.which("chromedriver")
    if program is None or driver is None:
        reason = "needs chromium (or google-chrome) and chromedriver"
        assert os.environ.get("BPETOK_BROWSER") != "required", reason
        pytest.skip(reason)
    if "ASAN_OPTIONS" in os.environ:
        pytest.skip("a browser does not run with the sanitizer loaded")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chromium = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chromium
    chromium.quit()
