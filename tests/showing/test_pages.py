"""The pages in a real browser: no errors, no network, readable by all, on wide and narrow screens.

Skipped where there is no Chromium with its driver, unless BPETOK_BROWSER=required.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import bpetok
from bpetok.base.display import show_bytes
from browsers import NARROW, WIDE, emulate
from strategies import TEXT, TOY

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both pages, the report with several tokenizers and sources."""
    folder = tmp_path_factory.mktemp("pages")
    toy = bpetok.train_from_iterator([TOY], vocab_size=267, special_tokens=["<|end|>"])
    tok = bpetok.train_from_iterator([TEXT], vocab_size=300, pattern="cl100k")
    toy.explain("low lowest 中<|end|>\n<b> & " + "x" * 200).save(folder / "explain.html")
    report = bpetok.report(
        {"tok": tok, "a rather long name of a tokenizer": toy}, texts={"toy": TOY, "other": TEXT}
    )
    report.save(folder / "report.html")
    bpetok.watch(f"{TOY}中文中文 <b> & 中", vocab_size=276).save(folder / "lesson.html")
    bpetok.watch(TEXT, vocab_size=300, lang="zh").save(folder / "lesson_zh.html")
    return folder


PAGES = ["explain.html", "report.html", "lesson.html", "lesson_zh.html"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_works_everywhere(browser: Chrome, pages: Path, name: str, theme: str) -> None:
    """Nothing in the console, nothing fetched, under 1 MB, no violation that axe finds."""
    from axe_core_python.base import AXE_SCRIPT

    page = pages / name
    assert page.stat().st_size < 1_000_000
    for size in (WIDE, NARROW):
        emulate(browser, size, theme)
        browser.get_log("performance")
        browser.get(page.as_uri())
        assert browser.get_log("browser") == []
        events = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]
        asked = {
            event["params"]["request"]["url"].partition(":")[0]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        }
        assert asked <= {"file", "data"}
        assert "file" in asked
        script = "return document.documentElement.scrollWidth"
        assert browser.execute_script(script) <= size[0]
        script = (
            "return [...document.querySelectorAll('.scroll')].filter("
            "(table) => table.scrollWidth > table.clientWidth).map((table) => table.ariaLabel)"
        )
        assert browser.execute_script(script) == []  # no table is cut
        script = "return getComputedStyle(document.body).backgroundColor"
        light = browser.execute_script(script) == "rgb(255, 255, 255)"
        assert light == (theme == "light")
        script = "return [...document.images].every((image) => image.naturalWidth > 300)"
        assert browser.execute_script(script)
        browser.execute_script(AXE_SCRIPT)
        found = browser.execute_async_script("axe.run().then(arguments[0])")
        assert found["passes"]
        assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == []


def test_one_steps_through_the_merges(browser: Chrome, pages: Path) -> None:
    """From bytes to tokens and back, by buttons and slider; what a step made stands out."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    emulate(browser, WIDE, "light")
    browser.get((pages / "explain.html").as_uri())

    def find(name: str) -> WebElement:
        return browser.find_element(By.ID, name)

    def words() -> list[list[str]]:
        return [
            [chip.text for chip in word.find_elements(By.CLASS_NAME, "chip")]
            for word in browser.find_elements(By.CLASS_NAME, "word")
        ]

    assert words()[0] == ["l", "o", "w"]  # the page opens at the beginning
    find("step").send_keys(Keys.END)
    assert words()[0] == ["low"]
    assert not find("forward").is_enabled()
    n_steps = int(find("step").get_attribute("max") or 0)
    for _ in range(n_steps):
        find("back").click()
    assert not find("back").is_enabled()
    assert words()[0] == ["l", "o", "w"]
    assert words()[2:4] == [["␣", "\\xe4", "\\xb8", "\\xad"], ["<|end|>"]]
    assert [one.text for one in browser.find_elements(By.CLASS_NAME, "aside")] == ["␣中"]
    parts = browser.find_elements(By.CSS_SELECTOR, "[data-of]")
    assert [one.get_attribute("data-of") for one in parts] == ["中 1", "中 2", "中 3"]
    find("forward").click()
    assert find("now").text.startswith(f"Step 1 of {n_steps}: merge ")
    made = browser.find_elements(By.CSS_SELECTOR, "#text .made")
    assert made
    assert len(browser.find_elements(By.CSS_SELECTOR, "tr.now")) == 1
    find("step").send_keys(Keys.END)
    assert words()[0] == ["low"]
    assert browser.get_log("browser") == []


def test_one_watches_a_training(browser: Chrome, pages: Path) -> None:
    """Stepping through the page finds the merges of `train`, forwards and backwards."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    tok = bpetok.train_from_iterator([f"{TOY}中文中文 <b> & 中"], vocab_size=276)
    emulate(browser, WIDE, "light")
    browser.get((pages / "lesson.html").as_uri())

    def find(name: str) -> WebElement:
        return browser.find_element(By.ID, name)

    def words() -> list[bytes]:
        return [
            b"".join(chip.text.encode() for chip in word.find_elements(By.CLASS_NAME, "made"))
            for word in browser.find_elements(By.CSS_SELECTOR, "#words .word")
        ]

    assert not find("back").is_enabled()
    assert find("now").text.startswith("Before the first merge")
    seen = []
    for number, (left, right) in enumerate(tok.merges, 1):
        find("forward").click()
        lit = browser.find_elements(By.CSS_SELECTOR, "#words .lit")
        assert len(lit) >= 2, number
        assert browser.find_elements(By.CSS_SELECTOR, "#words .made") == []
        assert (
            f"Merge {number} of {len(tok.merges)}: {show_bytes(left)} + {show_bytes(right)} "
            in find("now").text
        )
        find("forward").click()
        made = browser.find_elements(By.CSS_SELECTOR, "#words .made")
        seen.append({chip.text for chip in made})
        for chip in made:
            assert (chip.get_attribute("data-of") is not None) == ("\\x" in chip.text)
    assert seen == [{show_bytes(left + right)} for left, right in tok.merges]
    assert not find("forward").is_enabled()
    assert (
        find("tokens").text == f"{len(tok.encode(f'{TOY}中文中文 <b> & 中'))} tokens of 117 bytes"
    )
    find("at").send_keys(Keys.HOME)
    assert words() == [b""] * len(words())
    find("at").send_keys(Keys.ARROW_RIGHT)
    assert "A tie: s + t occurs as often." in find("now").text
    assert len(browser.find_elements(By.CSS_SELECTOR, "#changes tbody tr")) >= 3
    find("flat").find_element(By.TAG_NAME, "summary").click()
    WebDriverWait(browser, 10).until(
        lambda _: len(browser.find_elements(By.CSS_SELECTOR, "#slots .shard")) == 2
    )
    assert browser.find_elements(By.CSS_SELECTOR, "#slots td.lit")
    find("play").click()
    assert find("play").text == "Pause"
    find("play").click()
    assert find("play").text == "Play"
    assert browser.get_log("browser") == []


def test_the_words_that_a_step_is_about_are_in_sight(browser: Chrome, tmp_path: Path) -> None:
    """The list of words scrolls to the first of them, forwards and backwards."""
    text = "".join(f" {number}" * (200 - number) for number in range(100, 199))
    bpetok.watch(text, vocab_size=330).save(tmp_path / "page.html")
    for size in (WIDE, NARROW):
        emulate(browser, size, "light")
        browser.get((tmp_path / "page.html").as_uri())
        unseen, scrolled = browser.execute_script("""
            const box = document.getElementById("words"), places = new Set(), unseen = [];
            for (const name of ["forward", "back"]) {
                const button = document.getElementById(name);
                while (!button.disabled) {
                    button.click();
                    places.add(box.scrollTop);
                    const inner = box.querySelector(".lit, .made")?.getBoundingClientRect();
                    const outer = box.getBoundingClientRect();
                    if (inner && (inner.top < outer.top || inner.bottom > outer.bottom))
                        unseen.push(document.getElementById("now").textContent);
                }
            }
            return [unseen, places.size];
        """)
        assert unseen == []
        assert scrolled > 5
