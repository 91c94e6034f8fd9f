"""The archive does the same on every Python that it supports, if there is one on this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.archive import PROGRAM, require_current
from tests.support.sizes import quick

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.11", "3.12", "3.13")
SMOKE = tomllib.loads((ROOT / "zipapp.spec").read_text())["smoke"]["commands"]
WEEK = sorted((ROOT / "samples/week").glob("*.gz"))


def pythons() -> dict[str, Path]:
    """A Python of each version, by where distributions, pyenv and uv put them."""
    found: dict[str, Path] = {}
    for version in VERSIONS:
        places = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
        places += sorted(
            Path.home().glob(f".local/share/uv/python/*{version}*/bin/python{version}")
        )
        if known := shutil.which(f"python{version}", path="/usr/local/bin:/usr/bin"):
            places.insert(0, Path(known))
        if places:
            found[version] = places[0]
    return found


PYTHONS = pythons()


def run(version: str, folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Python of a version without anything installed in it, in a folder that is its HOME too."""
    if version not in PYTHONS:
        pytest.skip(f"no Python {version} on this machine")
    require_current()
    return subprocess.run(
        [str(PYTHONS[version]), "-I", "-S", *map(str, arguments)],
        cwd=folder,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )


@pytest.fixture(scope="module")
def weeks() -> dict[str, Any]:
    """What was found of the recorded week, by version."""
    return {}


# Other versions than that of the archive's byte code compile whatever they load, once a process.
ONE_AFTER_ANOTHER = """
import json, sys
sys.path.insert(0, sys.argv[1])
import offspot_metrics
for arguments in json.loads(sys.argv[2]):
    assert offspot_metrics.main(arguments) == 0, arguments
"""


@pytest.mark.parametrize("version", quick(VERSIONS, "3.13"))
def test_smoke_commands_pass(version: str, tmp_path: Path) -> None:
    """The commands that the build runs on its own Python: the archive starts and does each."""
    for arguments in (
        [PROGRAM, *SMOKE[0]],
        [PROGRAM, *SMOKE[-1]],
        ["-c", ONE_AFTER_ANOTHER, PROGRAM, json.dumps(SMOKE)],
    ):
        done = run(version, tmp_path, *arguments)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        assert "Warning" not in done.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_the_recorded_week_is_the_same(version: str, tmp_path: Path, weeks: dict[str, Any]) -> None:
    """`replay` of a week of real logs gives the same JSON on each."""
    options = ["--format", "json", "--packages", ROOT / "samples/packages.yml"]
    done = run(version, tmp_path, PROGRAM, "replay", *options, *WEEK)
    assert done.returncode == 0, done.stderr
    weeks[version] = json.loads(done.stdout)
    first = next(iter(weeks))
    assert weeks[version] == weeks[first]
    assert weeks[version]["lines"]["read"] > 10_000
