"""The browsers, and a hotspot that most tests look at."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright

from tests.browser.browsers import launched, started_playwright
from tests.browser.hotspot import Hotspot, random_weeks, running
from tests.support.archive import require_current

SEED = 20260614


@pytest.fixture(scope="session", autouse=True)
def _current_program() -> None:
    require_current()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with started_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with launched(playwright) as browser:
        yield browser


@pytest.fixture(scope="session")
def whole_browser(playwright: Playwright) -> Iterator[Browser]:
    with launched(playwright, whole=True) as browser:
        yield browser


@pytest.fixture(scope="session")
def files_of_weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of some weeks of visitors, made once in a run; tests must not change them."""
    base = tmp_path_factory.getbasetemp()
    whole_run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = whole_run / "weeks", whole_run / "weeks.done"
    with (whole_run / "weeks.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            random_weeks(folder, SEED)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def hotspot(files_of_weeks: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotspot]:
    """Some weeks of visitors, served; tests must not stop it."""
    folder = shutil.copytree(files_of_weeks, tmp_path_factory.mktemp("hotspot") / "weeks")
    with running(Hotspot(folder)) as hotspot:
        yield hotspot


@pytest.fixture
def own_hotspot(files_of_weeks: Path, tmp_path: Path) -> Hotspot:
    """The same visitors on a hotspot that a test starts, stops and fills for itself."""
    return Hotspot(shutil.copytree(files_of_weeks, tmp_path / "weeks"))
