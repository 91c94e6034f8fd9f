"""Anything but counting is seen on every page and on the tab, in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.failing import MINUTE, fail_now, failing, with_own_clock
from tests.browser.pages import DESKTOP, PHONE, go, opened, outside, settled, violations
from tests.browser.pictures import draw_sheet, take
from tests.support.archive import PROGRAM
from tests.support.sizes import quick
from tests.verdict.setups import ALL, GONE, SETUPS, Setup

BY_NAME = {setup.name: setup for setup in ALL}
QUICK = [BY_NAME[name] for name in ("renamed", "broken-packages", "clock", "no-packages")]
VIEWS = ("", "2026", "packages", "when", "about")


def tab_icon(page: Page) -> str:
    """The address of the icon of the tab: drawn by the page where it has a dot."""
    href: str = page.evaluate("document.querySelector('link[rel~=icon]').href")
    return "dot" if href.startswith("data:") else href.rsplit("/", 1)[-1]


@pytest.mark.parametrize("setup", quick(SETUPS, *QUICK), ids=lambda setup: setup.name)
def test_a_page_of_a_hotspot_that_does_not_count(
    browser: Browser, setup: Setup, tmp_path: Path
) -> None:
    """The strip has the state and the worst reason, and leads to what to do about it."""
    with failing(setup, tmp_path) as (_, url), opened(browser, url) as (page, watch):
        strip = page.locator(".strip.visible")
        expect(strip).to_be_visible()
        assert tab_icon(page) == "dot"
        strip.get_by_role("link").click()
        settled(page)
        reason = page.locator(f'.verdict [data-code="{setup.code}"]')
        expect(reason.locator(".reason")).not_to_be_empty()
        expect(reason.locator(".remedy")).not_to_be_empty()
        assert "{" not in page.locator(".verdict").inner_text()
        assert page.locator(".verdict.good").count() == 0
        assert watch.errors == []
        assert outside(page) == []
        if setup.name == "clock":
            expect(reason.locator(".reason")).to_contain_text("changed by 200 days")


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a hotspot whose lines are for another name."""
    with failing(BY_NAME["renamed"], tmp_path_factory.mktemp("renamed")) as (_, url):
        yield url


@pytest.mark.parametrize(
    ("lang", "viewport"),
    quick(product(["en", "ar"], [PHONE, DESKTOP]), ("en", PHONE), ("ar", DESKTOP)),
)
def test_the_strip_is_on_every_page(
    browser: Browser, renamed: str, lang: str, viewport: ViewportSize
) -> None:
    """With the reason, within the window of a phone and a desktop, an obstacle for nobody."""
    with opened(browser, f"{renamed}/?lang={lang}", viewport=viewport, lang=lang) as (page, _):
        for view in VIEWS:
            go(page, f"/{view}?lang={lang}")
            expect(page.locator(".strip.visible")).to_contain_text("kiwix.new.hotspot")
            assert violations(page) == []
            assert outside(page) == []


@pytest.mark.full
def test_pictures_are_taken_of_every_set_up(browser: Browser, tmp_path: Path) -> None:
    """Eight of each, and a sheet of them; the page that is pictured is never green."""
    for setup in ALL:
        folder = tmp_path / setup.name
        folder.mkdir()
        told = take(browser, setup, PROGRAM, folder)
        assert {file.name for file in folder.iterdir()} == {picture.file for picture in told}
        assert not any(text.startswith(("GREEN", "nothing")) for text in told.values())
        draw_sheet(browser, setup, folder)
        assert (tmp_path / f"{setup.name}.png").exists()


def test_a_server_that_is_gone_is_not_shown_as_counting(browser: Browser, tmp_path: Path) -> None:
    """It was counting; now it is not known, since when is said, and the tab has its dot."""
    with (
        failing(GONE, tmp_path) as (hotspot, url),
        opened(browser, f"{url}/status", prepare=with_own_clock) as (page, _),
    ):
        expect(page.locator(".verdict.good")).to_be_visible()
        assert page.locator(".strip.visible").count() == 0
        assert tab_icon(page) == "favicon.svg"
        fail_now(hotspot, GONE, page)
        strip = page.locator(".strip.visible")
        expect(strip).to_contain_text(re.compile(r"No answer since \d{1,2}:\d\d\s[AP]M:"))
        expect(page.locator(".verdict")).to_contain_text("not known")
        assert page.locator(".verdict.good").count() == 0
        assert tab_icon(page) == "dot"


def test_a_hotspot_that_counts_has_no_strip(browser: Browser, tmp_path: Path) -> None:
    """When the packages file comes, the strip and the dot go by themselves."""
    setup = BY_NAME["no-packages"]
    with (
        failing(setup, tmp_path) as (hotspot, url),
        opened(browser, url, prepare=with_own_clock) as (page, _),
    ):
        expect(page.locator(".strip.visible")).to_contain_text("packages file")
        hotspot.replace_packages(
            'packages: [{kind: zim, title: Bees, url: "//lib.box/viewer#bees_en"}]'
        )
        hotspot.wait(hotspot.counted(30))
        page.clock.fast_forward(MINUTE)
        expect(page.locator(".strip.visible")).to_have_count(0)
        assert tab_icon(page) == "favicon.svg"
