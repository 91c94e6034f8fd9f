"""Hotspots that do not count, or may not, as somebody sees them who opens their page."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.support.archive import PROGRAM
from tests.verdict.setups import Hotspot, Setup

MINUTE = 61_000
"""Milliseconds: a little more than the page waits between two looks."""
OLDER_SECONDS = 10.0
"""How long a program without a verdict is given to read its lines."""


@contextmanager
def failing(setup: Setup, folder: Path, program: Path = PROGRAM) -> Iterator[tuple[Hotspot, str]]:
    """A hotspot that fails in one way, and its address."""
    hotspot = Hotspot(folder, program)
    setup.before(hotspot)
    with hotspot:
        setup.after(hotspot)
        _wait_for_verdict(hotspot, setup)
        yield hotspot, f"http://127.0.0.1:{hotspot.port}"


def _wait_for_verdict(hotspot: Hotspot, setup: Setup) -> None:
    """Until the program knows. One that makes no verdict has read its lines, if it ever does."""
    hotspot.wait(lambda: bool(hotspot.status()))
    if "verdict" in hotspot.status():
        hotspot.wait(lambda: _is_told(hotspot.verdict(), setup))
        return
    lines = hotspot.log.read_bytes().count(b"\n") if hotspot.log.exists() else 0
    with contextlib.suppress(AssertionError):  # it may not read them at all
        hotspot.wait(hotspot.counted(lines), OLDER_SECONDS)


def _is_told(verdict: dict[str, Any], setup: Setup) -> bool:
    return setup.code in verdict["codes"] if setup.code else verdict["state"] == "counting"


def with_own_clock(page: Page) -> None:
    """Time passes in the page when the test says so; network and server go on as ever."""
    page.clock.install()


def fail_now(hotspot: Hotspot, setup: Setup, *pages: Page) -> None:
    """What happens while pages are open, until each has looked again."""
    if setup.when_open is None:
        return
    setup.when_open(hotspot)
    for page in pages:
        page.clock.fast_forward(MINUTE)
        expect(page.locator(":is(.strip, .offline).visible")).to_be_visible()
