"""The package on Debian 13 starts the program as fast as Python 3.11 starts the archive."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install.machine import clean_root
from tests.support.starts import OPTIONS, put_week, ratio

pytestmark = [pytest.mark.full, pytest.mark.timeout(590)]

ALLOWED = 1.15


@pytest.fixture(scope="module")
def installed(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Debian 13 with the package, on a disk and in no layers, as on a hotspot."""
    folder = tmp_path_factory.mktemp("installed")
    root = folder / "root"
    subprocess.run(["cp", "-a", str(clean_root("trixie")), str(root)], check=True)
    shutil.copy(program, root / "root")
    command = ["apt-get", "install", "--yes", "--no-install-recommends", f"/root/{program.name}"]
    subprocess.run(["chroot", str(root), *command], check=True, capture_output=True)
    put_week(root, folder)
    yield root
    subprocess.run(["rm", "-rf", str(root)], check=True)


@pytest.mark.parametrize("command", OPTIONS)
def test_the_start_on_debian_13(installed: Path, command: str) -> None:
    """`kpis` of a week, and a start of `serve` and its end: the least of several runs in turn takes
    at most 1.15 times as much of the processor.
    """
    assert ratio(installed, command) <= ALLOWED
