"""What the buttons next to the period open: clean for axe, and within the window."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.browser.hotspot import Hotspot
from tests.browser.pages import DESKTOP, PHONE, Scheme, opened, outside, settled, violations
from tests.support.sizes import quick

STRETCH = "2026-08-20..2026-09-10"
LOOKS = [(lang, scheme) for lang in ("en", "ar") for scheme in ("light", "dark")]


def buttons(page: Page) -> list[Locator]:
    """Those that open a panel and are seen: keys are for those who have a keyboard."""
    return [it for it in page.locator(".disclosure > button").all() if it.is_visible()]


@pytest.mark.parametrize(("lang", "scheme"), quick(LOOKS, ("ar", "dark")))
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_every_panel_is_clean(
    browser: Browser, hotspot: Hotspot, viewport: ViewportSize, lang: str, scheme: Scheme
) -> None:
    """Axe finds nothing in the calendar, the form of a stretch and its terms, the exports and the
    keys; all of them lie within the window, and targets are 44 pixels high.
    """
    found: list[str] = []
    url = f"{hotspot.url}/{STRETCH}"
    with opened(browser, url, viewport=viewport, lang=lang, scheme=scheme) as (page, watch):
        settled(page)
        opening = buttons(page)
        assert len(opening) == 4
        for button in opening:
            button.click()
            panel = page.locator(".panel")
            expect(panel.locator("a, button, input").first).to_be_visible()
            name = button.get_attribute("aria-label")
            if panel.locator("form.jump input[type=text]").count():
                panel.locator("form.jump input[type=text]").fill("T1")
                panel.locator("form.jump button").click()
                expect(panel.locator(".term")).to_have_count(1)
                # The last day before the first one.
                dates = panel.locator("form.stretch input")
                dates.nth(0).fill("2026-09-10")
                dates.nth(1).fill("2026-09-01")
                expect(panel.locator(".wrong")).not_to_be_empty()
            found += [f"{name}: {text}" for text in violations(page) + outside(page)]
            small = panel.locator("a, button, input, textarea").evaluate_all(
                """(all) => all.filter((e) => e.getBoundingClientRect().height < 43.5)
                .map((e) => e.outerHTML.slice(0, 90))"""
            )
            found += [f"{name}: {html}" for html in small]
            page.keyboard.press("Escape")
            expect(panel).to_have_count(0)
        assert watch.errors == []
        assert page.evaluate("window.policyViolations") == []
    assert not found, "\n".join(found)
