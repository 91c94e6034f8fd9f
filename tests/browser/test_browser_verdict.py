"""Anything but counting is seen on every page and on the tab, in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.pages import DESKTOP, PHONE, opened, outside, settled, violations
from tests.verdict.setups import SETUPS, Hotspot, Setup

BY_NAME = {setup.name: setup for setup in SETUPS}
VIEWS = ("", "2026", "packages", "when", "about")


@contextmanager
def failing(setup: Setup, folder: Path) -> Iterator[tuple[Hotspot, str]]:
    """A hotspot that fails in one way, and its address."""
    hotspot = Hotspot(folder)
    setup.before(hotspot)
    with hotspot:
        setup.after(hotspot)
        hotspot.wait(lambda: setup.code in hotspot.verdict()["codes"])
        yield hotspot, f"http://127.0.0.1:{hotspot.port}"


def tab_icon(page: Page) -> str:
    """The address of the icon of the tab: drawn by the page where it has a dot."""
    href: str = page.evaluate("document.querySelector('link[rel~=icon]').href")
    return "dot" if href.startswith("data:") else href.rsplit("/", 1)[-1]


@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.name)
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


@pytest.mark.parametrize("lang", ["en", "ar"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_strip_is_on_every_page(
    browser: Browser, tmp_path: Path, viewport: dict[str, int], lang: str
) -> None:
    """With the reason, within the window, without an obstacle for anybody."""
    with failing(BY_NAME["renamed"], tmp_path) as (_, url):
        for view in VIEWS:
            address = f"{url}/{view}?lang={lang}"
            with opened(browser, address, viewport=viewport, lang=lang) as (page, _watch):  # type: ignore[arg-type]
                expect(page.locator(".strip.visible")).to_contain_text("kiwix.new.hotspot")
                settled(page)
                assert violations(page) == []
                assert outside(page) == []


def test_a_server_that_is_gone_is_not_shown_as_counting(browser: Browser, tmp_path: Path) -> None:
    """It was counting; now it is not known, since when is said, and the tab has its dot."""

    def with_own_clock(page: Page) -> None:
        page.clock.install()

    with Hotspot(tmp_path) as hotspot:
        hotspot.visits(30)
        hotspot.wait(lambda: hotspot.verdict()["state"] == "counting")
        url = f"http://127.0.0.1:{hotspot.port}"
        with opened(browser, f"{url}/status", prepare=with_own_clock) as (page, _):
            expect(page.locator(".verdict.good")).to_be_visible()
            assert page.locator(".strip.visible").count() == 0
            assert tab_icon(page) == "favicon.svg"
            assert hotspot.stop()[0] == 0
            page.clock.fast_forward(61_000)
            strip = page.locator(".strip.visible")
            expect(strip).to_contain_text(re.compile(r"No answer since \d\d:\d\d"))
            expect(page.locator(".verdict")).to_contain_text("not known")
            assert page.locator(".verdict.good").count() == 0
            assert tab_icon(page) == "dot"


def test_a_hotspot_that_counts_has_no_strip(browser: Browser, tmp_path: Path) -> None:
    """When the packages file comes, the strip and the dot go by themselves."""

    def with_own_clock(page: Page) -> None:
        page.clock.install()

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
        page.clock.fast_forward(61_000)
        expect(page.locator(".strip.visible")).to_have_count(0)
        assert tab_icon(page) == "favicon.svg"
