"""The program as it is shipped, built when it is older than its sources."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.security.cases import FILEBEAT, ROOT
from tests.support.archive import PROGRAM


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    """The archive and Filebeat are there."""
    command = [sys.executable, str(ROOT / "tools/build_zipapp.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert PROGRAM.exists()
    assert FILEBEAT.exists(), "`make filebeat` builds it"
