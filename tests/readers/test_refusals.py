"""Why a log may not be read, and what would let it, for users of every kind."""

from __future__ import annotations

import grp
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.sources.refusals import refusal

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
ADM = grp.getgrnam("adm").gr_gid
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}")
WITHOUT_OVERRIDE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
CODE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from engine.sources.refusals import refusal
found = refusal(Path(sys.argv[2]))
print(*found or ["may be read", ""], sep="\\n")
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def log() -> Iterator[Path]:
    """A log of root's that everybody may read, in a folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp(prefix="offspot-metrics-tests-"))
    folder.chmod(0o755)
    log = folder / "caddy" / "access.json"
    log.parent.mkdir(mode=0o755)
    log.touch(mode=0o644)
    yield log
    shutil.rmtree(folder)


def told(path: Path, *under: str) -> tuple[str, str]:
    """Reason and remedy that a user is told."""
    command = [*under, sys.executable, "-I", "-c", CODE, str(ROOT), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    reason, remedy = done.stdout.removesuffix("\n").split("\n")
    return reason, remedy


def test_a_log_that_may_be_read(log: Path) -> None:
    """There is nothing to tell, and neither is there of a log that is not there."""
    assert told(log, *AS_NOBODY, "--clear-groups") == ("may be read", "")
    assert told(log.parent, *AS_NOBODY, "--clear-groups") == ("may be read", "")
    assert refusal(log.with_name("none.json")) is None


@pytest.mark.parametrize("what", ["log", "folder"])
def test_a_group_that_may(log: Path, what: str) -> None:
    """It is named, with the command that adds this user to it; in it, the log may be read."""
    path, mode = (log, 0o640) if what == "log" else (log.parent, 0o750)
    os.chown(path, 0, ADM)
    path.chmod(mode)
    reason, remedy = told(path, *AS_NOBODY, "--clear-groups")
    assert reason == f"{path} is of root:adm, mode {mode:04o}; this is user nobody"
    assert "usermod -aG adm nobody" in remedy
    assert f"group_add {ADM}" in remedy
    assert told(path, *AS_NOBODY, f"--groups={ADM}") == ("may be read", "")


def test_only_its_user_may(log: Path) -> None:
    """Of a log, the remedies are the right to read every file, and what Caddy can do."""
    log.chmod(0o600)
    reason, remedy = told(log, *AS_NOBODY, "--clear-groups")
    assert reason == f"{log} is of root:root, mode 0600; this is user nobody"
    assert "cap_add DAC_READ_SEARCH" in remedy
    assert "read-root-logs.conf" in remedy
    assert "`mode 0644`" in remedy


@pytest.mark.parametrize("mode", [0o700, 0o744])
def test_a_folder_on_the_way(log: Path, mode: int) -> None:
    """It is the folder that may not be entered which is named, not the log in it."""
    log.parent.chmod(mode)
    reason, remedy = told(log, *AS_NOBODY, "--clear-groups")
    assert reason == f"{log.parent} is of root:root, mode {mode:04o}; this is user nobody"
    assert f"chmod a+rx {log.parent}" in remedy


def test_root_without_its_capabilities(log: Path) -> None:
    """As in a container by default: a group would not help, the capability does."""
    os.chown(log, 1000, ADM)
    log.chmod(0o640)
    reason, remedy = told(log, *WITHOUT_OVERRIDE)
    assert reason == f"{log} is of {_name(1000)}:adm, mode 0640; this is user root"
    assert "cap_add DAC_READ_SEARCH" in remedy
    assert "usermod" not in remedy


def _name(number: int) -> str:
    done = subprocess.run(["id", "-nu", str(number)], capture_output=True, text=True, check=False)
    return done.stdout.strip() or str(number)


def test_with_the_capability_every_log_may_be_read(log: Path) -> None:
    """Whatever the mode says."""
    log.chmod(0)
    added = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    assert told(log, *AS_NOBODY, "--clear-groups", *added) == ("may be read", "")
