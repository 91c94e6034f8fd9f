"""Every view, on a phone and a desktop, left to right and right to left, light and dark."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.hotspot import Hotspot
from tests.browser.pages import (
    DESKTOP,
    PHONE,
    Scheme,
    go,
    opened,
    settled,
    violations,
    wider_than_window,
)
from tests.support.sizes import quick

VIEWS = ("", "popularity", "usage", "packages", "package", "when", "status", "about")

Look = tuple[ViewportSize, Scheme]
SAME: tuple[Look, ...] = ((PHONE, "light"), (DESKTOP, "dark"))
OTHER: tuple[Look, ...] = ((PHONE, "dark"), (DESKTOP, "light"))
"""Windows and schemes: with one language each, every two of the three occur together."""
LOOKS = (("en", SAME), ("ar", OTHER), ("en", OTHER), ("ar", SAME))


@pytest.mark.parametrize(("lang", "looks"), quick(LOOKS, *LOOKS[:2]))
def test_every_view_is_clean(
    browser: Browser,
    hotspot: Hotspot,
    lang: str,
    looks: Iterable[Look],
) -> None:
    """On a phone and a desktop, light and dark: axe finds nothing, the policy is kept, nothing
    leaves the host, nothing scrolls sideways.
    """
    week = hotspot.newest("W")["aggValue"].replace(" ", "-")
    found: list[str] = []
    with opened(browser, f"{hotspot.url}/about", viewport=PHONE, lang=lang) as (page, watch):
        settled(page)
        for view in VIEWS:
            path = f"/{view}" if view in {"status", "about"} else f"/{view}/{week}"
            path += "?title=Bees" if view == "package" else ""
            go(page, path.replace("//", "/"))
            expect(page.locator("html")).to_have_attribute("dir", "rtl" if lang == "ar" else "ltr")
            for viewport, scheme in looks:
                page.set_viewport_size(viewport)
                page.emulate_media(color_scheme=scheme)
                assert wider_than_window(page) <= 0, path
                found += [f"{viewport['width']} {scheme} {text}" for text in violations(page)]
            assert page.evaluate("window.policyViolations") == [], path
            assert watch.errors == [], path
        page.wait_for_load_state("networkidle")
        assert watch.abroad == []
    assert found == []


def test_the_narrowest_phone_needs_no_sideways_scrolling(
    browser: Browser, hotspot: Hotspot
) -> None:
    """At 320 pixels, and with text of twice the size, a view fits, and targets are 44 pixels."""
    narrow: ViewportSize = {"width": 320, "height": 600}
    with opened(browser, hotspot.url, viewport=narrow) as (page, _):
        settled(page)
        for view in ("", "popularity", "usage", "package?title=Bees", "when", "status", "about"):
            go(page, f"/{view}")
            assert wider_than_window(page) <= 0, view
            small = page.evaluate(
                """[...document.querySelectorAll('a, button, select, input')]
                .filter((e) => e.offsetParent && !e.classList.contains('skip'))
                .map((e) => [e.outerHTML.slice(0, 90), e.getBoundingClientRect()])
                .filter(([, box]) => box.height < 43.5 || box.width < 43.5)
                .map(([html, box]) => `${html} ${box.width}x${box.height}`)"""
            )
            assert small == [], view
            page.evaluate("document.documentElement.style.fontSize = '200%'")
            assert wider_than_window(page) <= 0, view
            page.evaluate("document.documentElement.style.fontSize = ''")


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_panels_open_inside_the_narrowest_phone(
    browser: Browser, hotspot: Hotspot, lang: str
) -> None:
    """At 320 pixels, what the calendar and the export open lies inside the window."""
    narrow: ViewportSize = {"width": 320, "height": 600}
    with opened(browser, hotspot.url, viewport=narrow, lang=lang) as (page, _):
        settled(page)
        for button in page.locator(".disclosure > button").all():
            button.click()
            box = page.locator(".panel").bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= narrow["width"]


@pytest.mark.parametrize("lang", quick(["en", "fr", "es", "ar"], "fr", "ar"))
def test_large_text_leaves_room_for_names(browser: Browser, hotspot: Hotspot, lang: str) -> None:
    """With a browser that writes at twice the size, names keep a width and no view scrolls."""
    narrow: ViewportSize = {"width": 320, "height": 600}
    month = hotspot.newest("M")["aggValue"]

    def large(page: Page) -> None:
        devtools = page.context.new_cdp_session(page)
        devtools.send("Page.setFontSizes", {"fontSizes": {"standard": 32}})

    with opened(browser, hotspot.url, viewport=narrow, lang=lang, prepare=large) as (page, _):
        settled(page)
        for path in (month, f"popularity/{month}", f"usage/{month}", "status", "about"):
            go(page, f"/{path}")
            assert wider_than_window(page) <= 0, path
            widths = page.evaluate(
                """[...document.querySelectorAll('.package-name')]
                .filter((e) => e.offsetParent).map((e) => e.offsetWidth)"""
            )
            assert all(width > 44 for width in widths), path


@pytest.mark.parametrize("kind", ["D", "M", "Y"])
def test_other_lengths_of_period_are_clean_too(
    browser: Browser, hotspot: Hotspot, kind: str
) -> None:
    """A day, a month and a year draw other charts, and axe accepts those and their tables."""
    label = hotspot.newest(kind)["aggValue"]
    with opened(browser, f"{hotspot.url}/{label}") as (page, watch):
        settled(page)
        assert violations(page) == []
        for button in page.locator(".twin-button").all():
            button.click()
            expect(button).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="Choose a period").click()
        assert violations(page) == []
        assert watch.errors == []
