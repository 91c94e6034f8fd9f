"""The browser, and a hotspot that most tests look at.

Pages are opened in Chromium's headless shell where it is installed: the same engine without the
windows, which starts a page with a third of the work. What is measured in time or bytes is measured
in the whole of Chromium; TEST_BROWSER=/usr/bin/chromium runs all of it there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from lab.clock import FAKED
from tests.browser.hotspot import Hotspot, random_weeks, running
from tests.support.archive import require_current

CHROMIUM = "/usr/bin/chromium"
SHELL = "/usr/bin/chromium-headless-shell"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SEED = 20260614


@pytest.fixture(scope="session", autouse=True)
def _current_program() -> None:
    require_current()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    # A browser hangs under libfaketime; its pages have a clock of their own.
    with pytest.MonkeyPatch.context() as patch:
        for name in FAKED:
            patch.delenv(name, raising=False)
        started = sync_playwright().start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    program = os.environ.get("TEST_BROWSER") or (SHELL if Path(SHELL).exists() else CHROMIUM)
    browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def whole_browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def hotspot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotspot]:
    """Some weeks of visitors, served; tests must not stop it."""
    with running(random_weeks(tmp_path_factory.mktemp("hotspot"), SEED)) as hotspot:
        yield hotspot
