"""The page in a real browser, as people see it: on a phone, on a desk, in the dark, on paper."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fedlocal.report import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.extras

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
OVERFLOWING = """() => [...document.body.querySelectorAll("*")].filter((each) => {
  const box = each.getBoundingClientRect();
  const scrolled = each.parentElement.closest(".scroll");
  return !scrolled && box.width > 0 && (box.right > innerWidth + 0.5 || box.left < -0.5);
}).map((each) => each.outerHTML.slice(0, 100))"""
CUT = """() => [...document.querySelectorAll("figure svg")].flatMap((svg) => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter((each) => {
    const box = each.getBoundingClientRect();
    return box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1
      || box.bottom > frame.bottom + 1;
  }).map((each) => `${svg.id}: ${each.textContent}`);
})"""
STROKE = "each => getComputedStyle(each).stroke"
CONTRASTS = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).slice(0, 3).map((each) => each / 255)
      .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (each) => {
    for (; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0) return colour;
    }
  };
  const poor = [];
  for (const each of document.body.querySelectorAll("*")) {
    const own = [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || each.closest("title, desc, script, style")) continue;
    const style = getComputedStyle(each);
    const colour = each.closest("svg") ? style.fill : style.color;
    const [a, b] = [colour, behind(each)].map(light).sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(each.outerHTML.slice(0, 80));
  }
  return poor;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is installed")
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=root)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: "Browser", nasty: Path) -> Iterator[Any]:
    """Open the report of runs with nasty words; nothing may be said on the console, or asked of a network."""
    address = write_report([nasty], nasty).as_uri()
    messages: list[str] = []
    pages = []

    def open_page(width: int = 1280, scheme: str = "light") -> "Page":
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        pages.append(page)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("dialog", lambda dialog: messages.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: messages.append(request.url) if request.url != address else None)
        page.goto(address)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert messages == []


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_overflows_and_no_label_is_cut(opened: Any, width: int) -> None:
    page = opened(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate(CUT) == []


def test_a_click_on_a_header_sorts_numbers_as_numbers_and_missing_values_last(opened: Any) -> None:
    page = opened()
    header = page.locator("table.comparison th", has_text="training time")
    number = 1 + header.evaluate("each => each.cellIndex")
    values = "cells => cells.map((cell) => cell.dataset.value ? Number(cell.dataset.value) : null)"
    cells = page.locator(f"table.comparison tbody tr td:nth-child({number})")
    for direction, sign in (("ascending", 1), ("descending", -1)):
        header.locator("button").click()
        assert header.get_attribute("aria-sort") == direction
        shown = cells.evaluate_all(values)
        present = [value for value in shown if value is not None]
        assert len(present) >= 4
        assert present == sorted(present, key=lambda value: sign * value)
        assert shown[: len(present)] == present
    assert page.locator('table.comparison th[aria-sort$="ending"]').count() == 1


def test_the_keyboard_sorts_too(opened: Any) -> None:
    page = opened()
    runs = page.locator("table.runs")
    button = runs.locator("th button", has_text="run")
    button.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    assert runs.locator("th").first.get_attribute("aria-sort") == "descending"
    assert runs.locator("tbody tr td:first-child").all_inner_texts() == list("6543210")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "setting"


def test_figures_are_images_with_a_name_and_a_description_in_the_colours_of_the_page(opened: Any) -> None:
    strokes = []
    for scheme in ("light", "dark"):
        page = opened(scheme=scheme)
        figures = page.get_by_role("img")
        assert figures.count() == page.locator("figure > svg:last-child").count() >= 8
        assert page.get_by_role("img", name="accuracy by round").count() == 1
        strokes.append(page.locator("figure svg path[stroke='var(--s0)']").first.evaluate(STROKE))
    assert len(set(strokes)) == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_have_contrast_in_light_and_dark(opened: Any, scheme: str) -> None:
    page = opened(scheme=scheme)
    assert page.evaluate(CONTRASTS) == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark is (scheme == "dark")


def test_the_page_can_be_printed_on_paper_also_in_the_dark(opened: Any) -> None:
    page = opened(scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.set_viewport_size({"width": 690, "height": 1000})  # what A4 leaves between its margins
    assert page.evaluate("document.documentElement.scrollWidth") <= 690
    assert page.pdf(format="A4").startswith(b"%PDF")
