"""What a root of a container gives up, in real processes with the capabilities of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.runtime.rights import BIND_LOW_PORTS, OUR_USER, READ_ALL_FILES

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = (
    "chown,dac_override,fsetid,fowner,mknod,net_raw,setgid,setuid,setfcap,setpcap,"
    "net_bind_service,sys_chroot,kill,audit_write"
)
"""The capabilities that Docker grants."""
READ, BIND = 1 << READ_ALL_FILES, 1 << BIND_LOW_PORTS
CODE = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from engine.runtime import rights
def show():
    lines = open('/proc/self/status').read().splitlines()
    found = {line.partition(':')[0]: line.partition(':')[2].split() for line in lines}
    names = ('CapEff', 'CapPrm', 'CapInh', 'CapAmb', 'CapBnd')
    return {'ids': found['Uid'] + found['Gid'], 'new': found['NoNewPrivs'][0]} | {
        name: int(found[name][0], 16) for name in names}
before = show()
rights.leave_root()
after = show()
rights.keep_reading_only()
bound = show()
rights.give_up_all()
print(json.dumps([before, after, bound, show()]))
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("metrics.db", "metrics.db-wal", "photo.jpg"):
        (folder / name).touch(mode=0o600)
    return folder


def run(data: Path, capabilities: str, *options: str) -> list[dict[str, Any]]:
    """Rights before, after root was left, after the port was bound, and of a waiting process."""
    bounds = (
        f"-all,{','.join(f'+{one}' for one in capabilities.split(','))}" if capabilities else ""
    )
    command = ["setpriv", *([f"--bounding-set={bounds}"] if bounds else []), *options]
    command += [sys.executable, "-I", "-c", CODE, str(ROOT)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={"DATABASE_URL": f"sqlite+pysqlite:///{data}/metrics.db", "HOME": "/"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def owners(data: Path) -> dict[str, int]:
    return {path.name: path.lstat().st_uid for path in (data, *data.iterdir())}


def test_with_the_rights_of_docker_it_stays_root_with_none(data: Path) -> None:
    """Without the capability to read every file nobody else could read root's logs."""
    _, after, bound, waiting = run(data, DEFAULTS)
    assert after["ids"] == ["0"] * 8
    assert (after["CapEff"], after["CapPrm"], after["CapBnd"]) == (BIND, BIND, BIND)
    assert (bound["CapEff"], bound["CapPrm"], bound["new"]) == (0, 0, "1")
    assert waiting["CapPrm"] == 0
    assert set(owners(data).values()) == {0}


def test_with_the_right_to_read_it_becomes_another_user(data: Path) -> None:
    """The folder of the database and its files become that user's, and nothing else does; what is
    started from it may read every file too.
    """
    (data / "metrics.db.backup").symlink_to("/etc/passwd")
    os.link(data / "photo.jpg", data / "metrics.db.second-name")
    _, after, bound, waiting = run(data, f"{DEFAULTS},dac_read_search")
    assert after["ids"] == [str(OUR_USER)] * 8
    assert (after["CapEff"], after["CapPrm"]) == (READ | BIND, READ | BIND)
    assert (bound["CapEff"], bound["CapPrm"], bound["CapAmb"]) == (READ, READ, READ)
    assert bound["new"] == "1"
    assert (waiting["CapEff"], waiting["CapPrm"], waiting["CapAmb"]) == (0, 0, 0)
    theirs = {name for name, owner in owners(data).items() if owner == OUR_USER}
    assert theirs == {"data", "metrics.db", "metrics.db-wal"}
    assert Path("/etc/passwd").stat().st_uid == 0


def test_the_user_of_the_folder_is_taken(data: Path) -> None:
    """A folder that is not root's stays with its user, whom the program becomes."""
    os.chown(data, 1000, 1000)
    _, after, _, _ = run(data, f"{DEFAULTS},dac_read_search")
    assert after["ids"] == ["1000"] * 8
    assert owners(data)["metrics.db"] == 1000
    assert owners(data)["photo.jpg"] == 0


def test_a_folder_that_cannot_be_given_away_keeps_its_root(data: Path) -> None:
    """Without the right to change owners root stays root, as nobody else could write there."""
    _, after, bound, _ = run(data, "setuid,setgid,dac_read_search,net_bind_service")
    assert after["ids"] == ["0"] * 8
    assert after["CapEff"] == READ | BIND
    assert bound["CapEff"] == READ


@pytest.mark.parametrize("call", ["capset", "prctl", "setresuid"])
def test_what_a_profile_refuses_is_said_and_no_obstacle(
    data: Path, tmp_path: Path, call: str
) -> None:
    """Where a system call is refused the program goes on, with one line that says so."""
    under = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
    under += ["-e", f"inject={call}:error=EPERM"]
    code = CODE.replace("print(", "open(sys.argv[2], 'w').write(")
    done = subprocess.run(
        [*under, sys.executable, "-I", "-c", code, str(ROOT), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
        env={"DATABASE_URL": str(data / "metrics.db"), "HOME": "/"},
    )
    assert done.returncode == 0, done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith("WARNING: the rights of root could not be given up: ")
    assert "Operation not permitted" in line


def test_another_user_and_a_full_root_stay_what_they_are(data: Path) -> None:
    """Who was started as another user has nothing to give up; root outside of a container, which
    does not call `leave_root`, is not touched when the port is bound.
    """
    data.parent.chmod(0o755)
    steps = run(data, "", "--reuid=1000", "--regid=1000", "--clear-groups")
    assert all(step["ids"] == ["1000"] * 8 for step in steps)
    assert all(step["new"] == "0" for step in steps)
    code = CODE.replace("rights.leave_root()", "")
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(ROOT)], capture_output=True, text=True, check=True
    )
    before, _, bound, waiting = json.loads(done.stdout)
    assert before == bound == waiting
