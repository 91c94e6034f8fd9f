"""Fixtures: the archive, built when it has to be; a packages file; a folder that all may enter."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.cases import PACKAGES, VARIABLES, Program, SetUp, visits
from tests.support.archive import stale

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the developer's own settings, and a HOME of the test's own."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "own-home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))


@pytest.fixture(scope="session")
def public() -> Iterator[Path]:
    """A folder that every user may enter (those of pytest are its user's own)."""
    folder = Path(tempfile.mkdtemp(prefix="offspot-metrics-tests-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def archive(public: Path) -> Path:
    """The archive of this tree; built if it is older than its sources."""
    command = [sys.executable, str(ROOT / "tools/build_zipapp.py")]
    program = public / "offspot-metrics"
    with (ROOT / "zipapp.spec").open("rb") as turn:  # one test process at a time
        fcntl.flock(turn, fcntl.LOCK_EX)
        if stale():
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        shutil.copy2(ROOT / "dist/offspot-metrics", program)
    return program


@pytest.fixture
def place(public: Path) -> Iterator[Path]:
    """An empty folder of this test that every user may enter."""
    folder = Path(tempfile.mkdtemp(dir=public))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def program(archive: Path, place: Path) -> Program:
    """The archive in an empty HOME."""
    home = place / "home"
    home.mkdir()
    home.chmod(0o777)
    return Program(archive, home)


@pytest.fixture
def packages(place: Path) -> Path:
    """A valid packages file."""
    path = place / "packages.yml"
    path.write_text(PACKAGES)
    return path


@pytest.fixture
def setup(place: Path, packages: Path) -> SetUp:
    """Packages, a folder with a log of thirty visits, no database yet."""
    made = SetUp(place, packages, place / "logs", place / "metrics.db")
    made.logs.mkdir()
    made.log(visits(600, 30))
    return made
