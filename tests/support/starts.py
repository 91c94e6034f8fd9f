"""How much of the processor a start takes on Python 3.13, compared with the archive on 3.11.

The archive has byte code of 3.11; image and package have that of the Python which they start.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support.archive import PROGRAM

ROOT = Path(__file__).resolve().parents[2]
WEEK = sorted((ROOT / "samples/week").glob("*.gz"))
ROUNDS = 15
OPTIONS = {
    "kpis": ["--period", "2026-06-10"],
    "serve": ["--port", "0", "--host", "127.0.0.1", "--reader", "tail"],
}
READY = {"kpis": b"", "serve": b"Dashboard:"}


def put_week(root: Path, folder: Path) -> None:
    """A database of the week, packages and a folder for logs, at /srv of a root file system."""
    packages = ROOT / "samples/packages.yml"
    (folder / "srv/logs").mkdir(parents=True)
    shutil.copy(packages, folder / "srv/packages.yml")
    replay = [str(PROGRAM), "replay", "--quiet", "--packages", str(packages)]
    replay += ["--database", str(folder / "srv/metrics.db"), *map(str, WEEK)]
    subprocess.run(replay, check=True, capture_output=True)
    shutil.copytree(folder / "srv", root / "srv", dirs_exist_ok=True)
    if not (root / "dev/null").exists():
        os.mknod(root / "dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))


def ratio(root: Path, command: str) -> float:
    """What a command of the program in a root takes, divided by what the archive takes on 3.11:
    the least of several runs in turn. Both are printed.
    """
    python = shutil.which("python3.11", path="/usr/bin")
    if python is None:
        pytest.skip("no Python 3.11 on this machine")
    inside = ["chroot", str(root), "/usr/bin/offspot-metrics", command, *OPTIONS[command]]
    archive = [python, "-I", "-S", str(PROGRAM), command, *OPTIONS[command]]
    places = {"database": "srv/metrics.db"}
    if command == "serve":
        places |= {"logs": "srv/logs", "packages": "srv/packages.yml"}
    for name, place in places.items():
        inside += [f"--{name}", f"/{place}"]
        archive += [f"--{name}", str(root / place)]
    on_313, on_311 = [], []
    for _ in range(ROUNDS):
        on_313.append(processor_seconds(inside, until=READY[command]))
        on_311.append(processor_seconds(archive, until=READY[command]))
    found = min(on_313) / min(on_311)
    print(f"{command}: {min(on_313):.3f} s on 3.13, {min(on_311):.3f} s on 3.11: {found:.2f}")
    return found


def processor_seconds(command: list[str], *, until: bytes) -> float:
    """What a command takes of the processor until it ends; at some output it is told to."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
    )
    assert process.stdout is not None
    with process.stdout as output:
        seen = b""
        for line in output:
            seen += line
            if until and until in line:
                process.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, seen
    assert until in seen, seen
    return usage.ru_utime + usage.ru_stime
