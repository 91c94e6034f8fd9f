"""Pictures of hotspots that do not count, as their pages show them.

    .venv/bin/python -m tests.browser.pictures [--program PATH] [--into FOLDER] [NAME...]

For each set-up of tests/verdict/setups.py: dashboard and status, on a phone and a desktop, in
English and Arabic, and a contact sheet of these eight. What the page says is printed, and whether
it is green. An older program, without a verdict, is pictured when it has read its lines.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from html import escape
from itertools import product
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page

from tests.browser.browsers import launched, started_playwright
from tests.browser.failing import fail_now, failing, with_own_clock
from tests.browser.pages import COMPLETE, DESKTOP, PHONE, ROOT
from tests.support.archive import PROGRAM
from tests.verdict.setups import ALL, Setup

VIEWS = {"dashboard": "", "status": "status"}
SCREENS = {"phone": PHONE, "desktop": DESKTOP}
LANGUAGES = ("en", "ar")
SHEET = """<!doctype html><meta charset="utf-8"><style>
body { margin: 16px; width: 1568px; font: 20px sans-serif; background: #888; color: #fff }
main { display: flex; gap: 16px; margin-top: 12px }
div { display: flex; flex-wrap: wrap; gap: 16px; align-content: start }
figure { margin: 0; overflow: hidden }
.phone { flex: none; width: 752px }
figure { width: 368px; height: 1000px }
.desktop figure { width: 100%; height: 492px }
img { width: 100% }
</style>"""


class Picture(NamedTuple):
    """One of the eight of a set-up."""

    view: str
    screen: str
    lang: str

    @property
    def file(self) -> str:
        """Its name in the folder of its set-up."""
        return f"{self.view}-{self.screen}-{self.lang}.png"


PICTURES = [Picture(*one) for one in product(VIEWS, SCREENS, LANGUAGES)]


@contextmanager
def shown(browser: Browser, url: str, picture: Picture) -> Iterator[Page]:
    """The page of a picture, as it is when it has its figures or says why not."""
    context = browser.new_context(
        viewport=SCREENS[picture.screen],
        locale=picture.lang,
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    page = context.new_page()
    with_own_clock(page)
    page.goto(f"{url}/{VIEWS[picture.view]}")
    page.wait_for_selector(COMPLETE)
    page.wait_for_load_state("networkidle")
    yield page
    context.close()


def says(page: Page) -> str:
    """The strip or the verdict of a page, and whether it is green."""
    said = page.locator(":is(.strip, .offline).visible, .verdict")
    text = " | ".join(" ".join(text.split()) for text in said.all_inner_texts())
    green = page.locator(".verdict.good").count()
    return f"{'GREEN: ' if green else ''}{text or 'nothing'}"


def take(browser: Browser, setup: Setup, program: Path, folder: Path) -> dict[Picture, str]:
    """Save the eight pictures of a set-up; what each page says."""
    told = {}
    with tempfile.TemporaryDirectory(prefix="pictures-") as home, ExitStack() as stack:
        hotspot, url = stack.enter_context(failing(setup, Path(home), program))
        pages = {one: stack.enter_context(shown(browser, url, one)) for one in PICTURES}
        fail_now(hotspot, setup, *pages.values())
        for picture, page in pages.items():
            # As tall as all of it: what stays at the foot of the window stands at the foot.
            height = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": SCREENS[picture.screen]["width"], "height": height})
            page.screenshot(path=folder / picture.file)
            told[picture] = says(page)
    return told


def draw_sheet(browser: Browser, setup: Setup, folder: Path) -> None:
    """The pictures of a set-up next to each other, cut where they are long."""
    rows = [
        f'<div class="{screen}">'
        + "".join(
            f'<figure><img src="{one.file}"></figure>' for one in PICTURES if one.screen == screen
        )
        + "</div>"
        for screen in SCREENS
    ]
    file = folder / "sheet.html"
    title = escape(f"{setup.name}: {setup.state} {setup.code}")
    file.write_text(f"{SHEET}{title}<main>{''.join(rows)}</main>", encoding="utf-8")
    page = browser.new_page(viewport={"width": 1600, "height": 1200})
    page.goto(file.resolve().as_uri())
    page.screenshot(path=folder.with_suffix(".png"), full_page=True)
    page.close()
    file.unlink()


def make(setups: Sequence[Setup], program: Path, target: Path) -> None:
    """All pictures of some set-ups, and their sheets."""
    with started_playwright() as playwright, launched(playwright) as browser:
        for setup in setups:
            folder = target / setup.name
            folder.mkdir(parents=True, exist_ok=True)
            try:
                told = take(browser, setup, program, folder)
            except AssertionError as error:  # a program of before does not start without packages
                print(f"{setup.name}: no page: {str(error).strip().splitlines()[-1]}")
                continue
            draw_sheet(browser, setup, folder)
            for picture, text in told.items():
                if picture.lang == "en" and picture.screen == "phone":
                    print(f"{setup.name}, {picture.view}: {text}", flush=True)


def main(arguments: Sequence[str]) -> int:
    """Take the pictures that are asked for."""
    names = {setup.name: setup for setup in ALL}
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*names, []], help="some of the set-ups")
    parser.add_argument("--program", type=Path, default=PROGRAM)
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "pictures")
    wanted = parser.parse_args(arguments)
    make([names[name] for name in wanted.names or names], wanted.program.resolve(), wanted.into)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
