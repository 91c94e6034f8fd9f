"""What a run leaves out is written down, with the reason (`make test-full` prints it)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

TESTS = """
import pytest

def test_quick(): pass

@pytest.mark.skip(reason="needs a moon")
def test_skipped(): pass

@pytest.mark.timeout(3600)
def test_patient(): pass

@pytest.mark.full
def test_full(request): assert request.node.get_closest_marker("timeout").args == (720.0,)

@pytest.mark.full
@pytest.mark.timeout(601)
def test_endless(): assert False
"""


def test_full_sizes_of_hours_are_left_out_and_named(tmp_path: Path) -> None:
    """`--within 600` leaves out a full size that may take longer, and nothing else; it and what
    was skipped are in build/not-run once, however many processes and runs there were. The others
    have four times their limit, as they share the processors.
    """
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path / "tests")
    (tmp_path / "tests" / "test_x.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = full\ntimeout = 180\n")
    command = [sys.executable, "-m", "pytest", "-p", "xdist", "-p", "pytest_timeout", "-q"]
    command += ["--within", "600"]
    environment = {name: value for name, value in os.environ.items() if "XDIST" not in name}
    environment.pop("CI", None)
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # most of a second each, for nothing here
    for processes in (["-n", "2"], []):  # the first one writes both notes
        done = subprocess.run(
            [*command, *processes],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        assert "3 passed, 1 skipped" in done.stdout
        assert noted(tmp_path) == [
            "1 x needs a moon",
            "tests/test_x.py::test_endless: may take 601 s",
        ]


def noted(folder: Path) -> list[str]:
    """What was not run, by the notes."""
    return sorted((folder / "build" / "not-run").read_text().splitlines())
