"""What the device decides: its region, its colours, its size of text."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from tests.browser.hotspot import NOW, Hotspot, line, running
from tests.browser.pages import go, opened, settled, violations

NARROW: ViewportSize = {"width": 320, "height": 640}
VISITS = 1234


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotspot]:
    """A hotspot with more than a thousand visits on one day, and none before."""
    hotspot = Hotspot(tmp_path_factory.mktemp("busy"))
    hotspot.fill(line(NOW - 3000 + number, "/content/package_0/") for number in range(VISITS))
    with running(hotspot):
        yield hotspot


def text_of(page: Page) -> str:
    return page.locator("main").inner_text().replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("region", "number", "date"),
    [
        ("en-US", "1,234", "September 16, 2026"),
        ("en-GB", "1,234", "16 September 2026"),
        ("es-ES", "1234", "16 de septiembre de 2026"),
        ("es-MX", "1,234", "16 de septiembre de 2026"),
        ("fr-FR", "1 234", "16 septembre 2026"),
        ("ar-EG", "١٬٢٣٤", "١٦ سبتمبر ٢٠٢٦"),
        ("ar-SA", "١٬٢٣٤", "١٦ سبتمبر ٢٠٢٦"),
    ],
)
def test_numbers_and_dates_are_those_of_the_region(
    browser: Browser, busy: Hotspot, region: str, number: str, date: str
) -> None:
    """Not only of the language: Mexico and Spain write other numbers; months are Gregorian."""
    with opened(browser, busy.url, lang=region) as (page, _):
        settled(page)
        text = text_of(page)
        assert number in text
        assert date in page.locator("h1").inner_text().replace("، ", " ")


def test_forced_colours_leave_nothing_invisible(browser: Browser, busy: Hotspot) -> None:
    """Bars and cells take the colours of the device, and axe has no objection."""
    with opened(browser, busy.url, forced_colors="active") as (page, _):
        settled(page)
        for path in ("packages", "when"):
            go(page, f"/{path}")
            page.wait_for_selector(".heat-cell, .package-rows td.last")
            assert violations(page) == []
        borders = page.evaluate(
            "getComputedStyle(document.querySelector('.heat-cell')).borderTopWidth"
        )
        assert borders == "1px"
        go(page, "/packages")
        page.wait_for_selector(".package-rows td.last")
        colors = page.evaluate(
            """['.package-rows .bar-fill', 'body'].map((name) => {
              const style = getComputedStyle(document.querySelector(name));
              return name === 'body' ? [style.color, style.backgroundColor] : style.fill;
            })"""
        )
        assert colors[0] == colors[1][0] != colors[1][1]


@pytest.mark.parametrize("lang", ["en", "fr", "es", "ar"])
def test_the_navigation_grows_with_the_text(browser: Browser, busy: Hotspot, lang: str) -> None:
    """At 200 % its names are twice as large, whole, and inside the window."""
    names = ".views a span"
    size = f"parseFloat(getComputedStyle(document.querySelector('{names}')).fontSize)"
    with opened(browser, f"{busy.url}/about", viewport=NARROW, lang=lang) as (page, _):
        settled(page)
        before = page.evaluate(size)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert page.evaluate(size) == pytest.approx(2 * before)
        cut = page.evaluate(
            f"""[...document.querySelectorAll('{names}')].filter((e) => {{
              const box = e.getBoundingClientRect();
              return e.scrollWidth > e.clientWidth + 1 || box.left < 0 || box.right > 320
                || box.bottom > innerHeight;
            }}).map((e) => e.textContent)"""
        )
        assert cut == []
        bar = page.locator(".views").bounding_box()
        assert bar is not None
        assert bar["height"] < 220
