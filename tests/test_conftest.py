"""What a run of the tests repeats, refuses and says: tried on small runs of pytest itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.archive import stale
from tools import build_zipapp

ROOT = Path(__file__).resolve().parent.parent

SETTINGS = """\
[tool.pytest.ini_options]
timed_tests = ["tests/test_timed.py", "tests/pages"]
allowed_skips = ["^no loop device"]
"""
FAILS_ONCE = """\
from pathlib import Path

def test_once():
    mark = Path(__file__).with_suffix(".tried")
    tried = mark.exists()
    mark.touch()
    assert tried

def test_other():
    pass
"""
SKIPS = """\
import pytest

def test_one():
    pytest.skip("{reason}")

def test_other():
    pass
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with our rules for test runs, and no tests yet."""
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    (tmp_path / "tests" / "pages").mkdir(parents=True)
    shutil.copy2(ROOT / "tests" / "conftest.py", tmp_path / "tests")
    return tmp_path


def run(tree: Path, *options: str, ci: bool = False) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    kept["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # most of a second each, for nothing here
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", "-q", *options, "tests"],
        cwd=tree,
        env={**kept, "CI": "true"} if ci else kept,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "processes"), [("test_timed.py", "0"), ("pages/test_page.py", "1")]
)
def test_a_timed_test_that_passes_the_second_time_is_named(
    tree: Path, name: str, processes: str
) -> None:
    """What failed and is held to times runs once more, alone, and is noted by name."""
    (tree / "tests" / name).write_text(FAILS_ONCE)
    assert run(tree, "-n", processes).returncode == 1
    again = run(tree, "--second-chance")
    assert again.returncode == 0, again.stdout
    assert "1 passed" in again.stdout
    assert (tree / "build" / "second-chance").read_text() == f"tests/{name}::test_once\n"


def test_any_other_failure_is_final(tree: Path) -> None:
    """A failure of a test that is not held to times stands, whatever else could be repeated."""
    for name in ("test_figures.py", "test_timed.py"):
        (tree / "tests" / name).write_text(FAILS_ONCE)
    assert run(tree).returncode == 1
    again = run(tree, "--second-chance")
    assert again.returncode == 1
    said = again.stdout + again.stderr
    assert "no second chance: ['tests/test_figures.py::test_once']" in said
    assert not (tree / "build" / "second-chance").exists()


def test_a_run_that_broke_off_has_no_second_chance(tree: Path) -> None:
    """Where no test failed and the run did all the same, there is nothing to repeat."""
    (tree / "tests" / "test_timed.py").write_text("def test_other():\n    pass\n")
    assert run(tree, "--second-chance").returncode == 1


@pytest.mark.parametrize(
    ("reason", "code", "processes"),
    [("mounting takes root", 1, "1"), ("no loop device here", 0, "0")],
)
def test_a_skip_is_told_and_fails_in_ci(tree: Path, reason: str, code: int, processes: str) -> None:
    """What was not run is listed with the reason; in CI only reasons of the list may skip."""
    (tree / "tests" / "test_figures.py").write_text(SKIPS.format(reason=reason))
    here = run(tree, "-n", processes)
    assert here.returncode == 0
    assert f"1 x {reason}" in here.stdout
    assert run(tree, "-n", processes, ci=True).returncode == code


def test_random_examples_are_fixed_in_ci(tree: Path) -> None:
    """Two runs in CI draw the same examples: a loss that one of them finds, both find."""
    (tree / "tests" / "test_figures.py").write_text(
        "from hypothesis import given, strategies\n\n"
        "@given(strategies.integers())\n"
        "def test_all(number):\n"
        "    with open('drawn', 'a') as drawn:\n"
        "        print(number, file=drawn)\n"
    )
    drawn = []
    for _ in range(2):
        (tree / "drawn").unlink(missing_ok=True)
        assert run(tree, ci=True).returncode == 0
        drawn.append((tree / "drawn").read_text())
        shutil.rmtree(tree / ".hypothesis", ignore_errors=True)
    assert drawn[0] == drawn[1]


def test_an_archive_older_than_its_sources_is_refused(tmp_path: Path) -> None:
    """The tests of the built program fail when a source has changed since it was built."""
    tree = tmp_path / "tree"
    shutil.copytree(
        ROOT, tree, symlinks=True, ignore=shutil.ignore_patterns(".venv", "build", "node_modules")
    )
    (tree / "static" / "node_modules").mkdir(exist_ok=True)
    for name in ("node_modules/.complete", "dist/index.html"):
        (tree / "static" / name).touch()
    build_zipapp.build(tree, tree / "dist" / "offspot-metrics", ROOT / "build" / "zipapp")
    assert stale(tree) == ""
    for changed, older in (
        ("engine/times.py", "dist/"),
        ("static/src/styles/base.css", "static/dist"),
    ):
        stale.cache_clear()
        with (tree / changed).open("a") as source:
            source.write("\n")
        reason = stale(tree)
        assert "older than its sources" in reason
        assert reason.startswith(older)
