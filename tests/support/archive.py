"""The built program that tests start: never one that is older than its sources."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.build_zipapp import is_current

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("OFFSPOT_METRICS", ROOT / "dist" / "offspot-metrics"))
"""The built program; the variable names another build to look at, which is taken as it is."""

# The `python3` that it looks for is the one that runs the tests. That of a version manager may be a
# script, which starts twenty programs before each program.
_PYTHON = str(Path(sys.executable).resolve().parent)
if os.environ["PATH"].partition(os.pathsep)[0] != _PYTHON:
    os.environ["PATH"] = os.pathsep.join([_PYTHON, os.environ["PATH"]])


@functools.cache
def stale(root: Path = ROOT) -> str:
    """Why the archive of a checkout is not that of its sources; empty when it is."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    page = ["make", "--question", "static/dist/index.html"]
    if subprocess.run(page, cwd=root, env=clean, capture_output=True, check=False).returncode:
        return "static/dist is older than its sources"
    if not is_current(root, root / "dist" / "offspot-metrics"):
        return "dist/offspot-metrics is not there, or older than its sources"
    return ""


def require_current() -> None:
    """Fail the test unless the program is the one that the sources make."""
    if "OFFSPOT_METRICS" not in os.environ and (reason := stale()):
        pytest.fail(f"{reason}: run `make build`")
