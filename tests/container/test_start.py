"""Python 3.13 of the image starts the program as fast as 3.11, whose byte code the archive has."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.images import Image
from tests.support.archive import PROGRAM

pytestmark = [pytest.mark.full, pytest.mark.timeout(400)]

ROOT = Path(__file__).resolve().parents[2]
WEEK = sorted((ROOT / "samples/week").glob("*.gz"))
ALLOWED = 1.15
ROUNDS = 15


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


@pytest.mark.parametrize("command", ["kpis", "serve"])
def test_the_start_on_313_takes_no_longer_than_on_311(
    unpacked: Callable[[str], Image], tmp_path: Path, command: str
) -> None:
    """`kpis` of a week, and a start of `serve` and its end: the least of several runs in turn takes
    at most 1.15 times as much of the processor.
    """
    python = shutil.which("python3.11", path="/usr/bin")
    if python is None:
        pytest.skip("no Python 3.11 on this machine")
    root = unpacked("amd64").root
    data = tmp_path / "data"
    data.mkdir()
    packages = ROOT / "samples/packages.yml"
    replay = [str(PROGRAM), "replay", "--quiet", "--packages", str(packages)]
    replay += ["--database", str(data / "metrics.db"), *map(str, WEEK)]
    subprocess.run(replay, check=True, capture_output=True)
    shutil.copytree(data, root / "data", dirs_exist_ok=True)
    shutil.copy(packages, root / "conf/packages.yml")
    if not (root / "dev/null").exists():
        os.mknod(root / "dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))

    options = {
        "kpis": ["--period", "2026-06-10"],
        "serve": ["--port", "0", "--host", "127.0.0.1", "--reader", "tail"],
    }[command]
    until = {"kpis": b"", "serve": b"Dashboard:"}[command]
    image = ["chroot", str(root), "/usr/bin/offspot-metrics", command, *options]
    archive = [python, "-I", "-S", str(PROGRAM), command, *options]
    places = {"database": "data/metrics.db", "logs": "reverse-proxy-logs"}
    places |= {"packages": "conf/packages.yml"}
    for name in ("database", *(("logs", "packages") if command == "serve" else ())):
        image += [f"--{name}", f"/{places[name]}"]
        archive += [f"--{name}", str(root / places[name])]
    on_313, on_311 = [], []
    for _ in range(ROUNDS):
        on_313.append(processor_seconds(image, until=until))
        on_311.append(processor_seconds(archive, until=until))
    ratio = min(on_313) / min(on_311)
    print(f"{command}: {min(on_313):.3f} s on 3.13, {min(on_311):.3f} s on 3.11: {ratio:.2f}")
    assert ratio <= ALLOWED
