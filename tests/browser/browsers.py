"""The browsers that pages are opened in.

Chromium's headless shell where it is installed: the same engine without the windows, which starts a
page with a third of the work. What is measured in time or bytes is measured in the whole of
Chromium; TEST_BROWSER=/usr/bin/chromium runs all of it there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from lab.clock import FAKED

CHROMIUM = "/usr/bin/chromium"
SHELL = "/usr/bin/chromium-headless-shell"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@contextmanager
def started_playwright() -> Iterator[Playwright]:
    """What drives browsers, on the real clock: a browser hangs under libfaketime."""
    with pytest.MonkeyPatch.context() as patch:
        for name in FAKED:
            patch.delenv(name, raising=False)
        started = sync_playwright().start()
    yield started
    started.stop()


@contextmanager
def launched(playwright: Playwright, *, whole: bool = False) -> Iterator[Browser]:
    """A browser; `whole`: Chromium as people have it."""
    usual = SHELL if Path(SHELL).exists() else CHROMIUM
    program = CHROMIUM if whole else os.environ.get("TEST_BROWSER") or usual
    browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
    yield browser
    browser.close()
