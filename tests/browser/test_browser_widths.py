"""The widest labels on the narrowest screens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from tests.browser.hotspot import NOW, TITLES, Hotspot, line, running
from tests.browser.pages import go, opened, outside, settled
from tests.support.sizes import quick

LANGUAGES = ("en", "fr", "es", "ar")
NARROW: ViewportSize = {"width": 320, "height": 640}
WIDTHS = [320, 344, 393, 480, 608, 799, 801, 900, 1024, 1280]
SOME_WIDTHS = [320, 393, 608, 801, 1280]
LONG = (
    "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz",
    "W" * 200,
    "ويكيبيديا_العربية_للمدارس_الابتدائية_والثانوية",
)
"""Titles without a place to break at."""


def days() -> list[date]:
    """A day of each month up to `NOW`, and of each weekday."""
    today = datetime.fromtimestamp(NOW, UTC).date()
    found = [today - timedelta(days=30 * back + back % 7) for back in range(12)]
    assert {day.month for day in found} == set(range(1, 13))
    assert {day.weekday() for day in found} == set(range(7))
    return found


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotspot]:
    """A hotspot with visits in each month, of packages with long titles too."""
    titles = (*LONG, *TITLES)
    hotspot = Hotspot(tmp_path_factory.mktemp("year"), titles)
    visits = sorted(
        datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + 8 * 3600 + 599 * number
        for day in days()
        for number in range(20)
    )
    hotspot.fill(
        line(at, f"/content/package_{number % len(titles)}/")
        for number, at in enumerate(visits)
        for _ in range(1 + (150 if number % 7 == 0 else 40 * (number % 3)))
    )
    with running(hotspot):
        yield hotspot


def large(page: Page) -> None:
    """A browser that is set to write at twice the size."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Page.setFontSizes", {"fontSizes": {"standard": 32}})


@pytest.mark.parametrize("browser_is_set", [False, True], ids=["", "large"])
@pytest.mark.parametrize("lang", quick(LANGUAGES, "fr", "ar"))
def test_each_weekday_and_month_fits_the_narrowest_phone(
    browser: Browser, year: Hotspot, lang: str, browser_is_set: bool
) -> None:
    """At 320 pixels, with text of its own and of twice the size, no name of a day or month in any
    language, and nothing else, is wider than the window or leaves its card.
    """
    labels = [text for day in days() for text in (f"{day}", f"{day:%Y-%m}")]
    prepare = large if browser_is_set else None
    found: list[str] = []
    start = f"{year.url}/about"
    with opened(browser, start, viewport=NARROW, lang=lang, prepare=prepare) as (page, _):
        settled(page)
        for label in [*labels, "2026-W38", "2026"]:
            go(page, f"/{label}")
            sizes = [""] if browser_is_set else ["", "200%"]
            found += [f"{label}: {text}" for text in outside(page, sizes)]
    assert not found, "\n".join(found[:200])


@pytest.mark.parametrize("widths", quick([SOME_WIDTHS, WIDTHS], SOME_WIDTHS))
@pytest.mark.parametrize("lang", quick(LANGUAGES, "fr", "ar"))
def test_every_view_fits_at_any_width(
    browser: Browser, year: Hotspot, lang: str, widths: Sequence[int]
) -> None:
    """From 320 pixels on, every view, its tables and its panels stay within the window, with text
    of its own and of twice the size.
    """
    today = datetime.fromtimestamp(NOW, UTC).date()
    week = f"{today:%G-W%V}"
    paths = ["/", f"/{week}", f"/popularity/{week}", f"/usage/{today:%Y-%m}", "/2026", "/2020"]
    paths += [f"/package/{week}?title={quote(LONG[0])}", f"/when/{week}", "/2026-07-01..2026-09-16"]
    # Panels differ by view; in the full size they are opened in every period too.
    of_views = ["/", f"/usage/{today:%Y-%m}", f"/package/{week}?title={quote(LONG[0])}"]
    with_panels = of_views if widths == SOME_WIDTHS else paths
    assert {*with_panels} <= {*paths}
    found: list[str] = []
    with opened(browser, f"{year.url}/about", viewport=NARROW, lang=lang) as (page, _):
        settled(page)

        def look(what: str, widths: Sequence[int] = (320, 801)) -> None:
            for width in widths:
                page.set_viewport_size({"width": width, "height": 800})
                found.extend(f"{what} at {width}: {text}" for text in outside(page, ("", "200%")))

        look("/about", widths)
        for path in ["/status", *paths]:
            go(page, path)
            look(path, widths)
            for button in page.locator(".twin-button").all():
                button.click()
            look(f"{path} as tables")
            if path in with_panels:
                for button in page.locator(".disclosure > button").all():
                    button.click()
                    look(f"{path} with a panel")
                page.keyboard.press("Escape")
    assert not found, "\n".join(found[:200])


@pytest.mark.parametrize("lang", quick(LANGUAGES, "fr", "ar"))
def test_buttons_stand_in_one_row_on_the_narrowest_windows(
    browser: Browser, year: Hotspot, lang: str
) -> None:
    """From 320 pixels on, the four buttons below the steps share a line, at even distances."""
    with opened(browser, year.url, viewport=NARROW, lang=lang) as (page, _):
        settled(page)
        for width in (320, 344, 360, 384, 385, 393):
            page.set_viewport_size({"width": width, "height": 640})
            found = [one.bounding_box() for one in page.locator(".tools .button").all()]
            boxes = sorted((box["x"], box["width"], box["y"]) for box in found if box)
            assert len(boxes) == 4
            assert len({y for _, _, y in boxes}) == 1, f"{lang} at {width}: {boxes}"
            edges = [(box[0] + box[1], after[0]) for box, after in pairwise(boxes)]
            assert {round(start - end) for end, start in edges} == {8}, f"{lang} at {width}"
