"""The logo of a hotspot, which its operator has put into a folder, is on the page."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, expect

from lab.zims import png
from tests.browser.hotspot import Hotspot, running
from tests.browser.pages import DESKTOP, PHONE, SCHEMES, opened, violations
from tests.support.archive import PROGRAM

LOGO = ".site-header img.logo"
MARK = ".site-header svg.mark"


def branded(folder: Path, *logos: str, content: bytes = b"") -> Hotspot:
    """A hotspot with these files of branding."""
    ui = folder / "ui"
    ui.mkdir(parents=True)
    for number, name in enumerate(logos):
        (ui / name).parent.mkdir(exist_ok=True)
        (ui / name).write_bytes(content or png(200, 30, 30, side=64 + number))
    hotspot = Hotspot(folder, program=("env", f"UI_LOCATION={ui}", PROGRAM))
    hotspot.fill(iter(()))
    return hotspot


def test_the_logo_is_shown_in_place_of_ours(browser: Browser, tmp_path: Path) -> None:
    """The owner's logo is drawn in the head of the page, on a phone and a desktop, light and dark,
    under the policy that forbids everything from elsewhere, and is no hindrance to anybody.
    """
    names = ("branding/square-logo-light.png", "offspot.branding/square-logo-light.png")
    with (
        running(branded(tmp_path, *names)) as hotspot,
        opened(browser, hotspot.url) as (page, watch),
    ):
        logo = page.locator(LOGO)
        expect(logo).to_have_attribute("src", "/branding/square-logo-light.png")
        expect(page.locator(MARK)).to_have_count(0)
        page.wait_for_function(f"() => document.querySelector('{LOGO}').naturalWidth === 64")
        for viewport, scheme in product((PHONE, DESKTOP), SCHEMES):
            page.set_viewport_size(viewport)
            page.emulate_media(color_scheme=scheme)
            assert logo.bounding_box() is not None
            assert violations(page) == []
        page.emulate_media(media="print")
        paper = page.locator(".print-logo").bounding_box()
        assert paper is not None
        assert min(paper["width"], paper["height"]) > 20
        assert watch.errors == []


def test_without_a_logo_or_with_a_broken_one_ours_is_shown(
    browser: Browser, tmp_path: Path
) -> None:
    """A file that is no picture leaves no hole; where there is no logo, none is asked for."""
    name = "offspot.branding/horizontal-logo-light.png"
    with (
        running(branded(tmp_path / "broken", name, content=b"no picture")) as hotspot,
        opened(browser, hotspot.url) as (page, _),
    ):
        expect(page.locator(MARK)).to_be_visible()
        expect(page.locator(LOGO)).to_have_count(0)
    with (
        running(branded(tmp_path / "none")) as hotspot,
        opened(browser, hotspot.url) as (page, watch),
    ):
        expect(page.locator(MARK)).to_be_visible()
        assert watch.errors == []
