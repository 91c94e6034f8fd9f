"""The image for arm64 at work, emulated by QEMU: it is run, not only built."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.browser import Browser
from lab.images import Image
from lab.processes import LOOPBACK, Child, wait_until
from tests.support.archive import PROGRAM
from tests.support.reading import CURRENT, Following, lines

pytestmark = [pytest.mark.full, pytest.mark.timeout(590)]

ROOT = Path(__file__).resolve().parents[2]
EMULATOR = "qemu-aarch64-static"
SMOKE = tomllib.loads((ROOT / "zipapp.spec").read_text())["smoke"]["commands"]
WEEK = sorted((ROOT / "samples/week").glob("*.gz"))


@pytest.fixture
def image(unpacked: Callable[[str], Image]) -> Image:
    return unpacked("arm64-filebeat")


def command(image: Image, *arguments: object) -> list[str]:
    """The command of the image in an emulator that looks for every path in the image first."""
    entry = image.root / "usr/bin/offspot-metrics"
    python = [EMULATOR, "-L", str(image.root), str(image.root / "usr/bin/python3")]
    return [*python, "-IS", str(entry), *map(str, arguments)]


def run(image: Image, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(image, *arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=580,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
    )


def test_smoke_commands_pass(image: Image, tmp_path: Path) -> None:
    """The commands that every archive must pass, on the processor of a Raspberry Pi."""
    for arguments in SMOKE:
        done = run(image, *arguments, DATABASE_URL=str(tmp_path / "metrics.db"))
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)


def test_it_is_arm64_with_its_own_byte_code(image: Image) -> None:
    """The processor that Python finds is arm64, and the program comes from its byte code."""
    code = (
        "import sys, platform;"
        "sys.path.insert(0, '/usr/lib/offspot-metrics'); import engine.ledger;"
        "import sqlite3, ssl, zlib, ctypes; print(platform.machine(), engine.ledger.__cached__,"
        "engine.ledger.__spec__.loader.get_code('engine.ledger').co_filename)"
    )
    python = str(image.root / "usr/bin/python3")
    done = subprocess.run(
        [EMULATOR, "-L", str(image.root), python, "-IS", "-v", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    machine, cached, source = done.stdout.split()
    assert machine == "aarch64"
    assert cached.endswith("__pycache__/ledger.cpython-313.pyc")
    assert source == "/usr/lib/offspot-metrics/engine/ledger.py"
    assert "matches /usr/lib/offspot-metrics/engine/ledger.py" in done.stderr
    assert "wrote" not in done.stderr


def test_the_sample_week_is_that_of_amd64(image: Image) -> None:
    """`replay` of the recorded week gives the same JSON, figure for figure."""
    arguments = ["replay", "--format", "json", "--packages", ROOT / "samples/packages.yml", *WEEK]
    here = subprocess.run(
        [str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, check=True
    )
    there = run(image, *arguments, "--jobs", "1", DATABASE_URL="/nonexistent/metrics.db")
    assert there.returncode == 0, there.stderr
    assert json.loads(there.stdout) == json.loads(here.stdout)


@contextmanager
def serving(image: Image, folder: Path) -> Iterator[tuple[Child, int]]:
    """`serve` with its reader, and the port that it has found free."""
    (folder / "logs").mkdir()
    (folder / "data").mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PORT": "0",
        "READER": "tail",
        "DATABASE_URL": str(folder / "data/metrics.db"),
        "PACKAGE_CONF_FILE": str(ROOT / "samples/packages.yml"),
        "REVERSE_PROXY_LOGS_LOCATION": str(folder / "logs"),
    }
    with (folder / "serve.log").open("wb") as output:
        process = subprocess.Popen(
            command(image, "serve"), stdout=output, stderr=subprocess.STDOUT, env=environment
        )
    child = Child(process, folder / "serve.log")
    try:
        wait_until(lambda: port_of(child) > 0, "the address", 300, child)
        yield child, port_of(child)
    finally:
        process.kill()
        process.wait()


def port_of(child: Child) -> int:
    assert child.output is not None
    found = re.search(r"http://127\.0\.0\.1:(\d+)/", child.output.read_text())
    return int(found[1]) if found else 0


def answers(port: int, path: str) -> bool:
    try:
        with Browser((LOOPBACK, port)) as browser:
            return browser.get("localhost", path).status == 200
    except OSError:
        return False


def test_serve_is_ready_and_counts_in_little_memory(image: Image, tmp_path: Path) -> None:
    """`serve` answers that it is ready, reads a log of a day, shows the page, ends with 0; the most
    memory that it took, with the emulator's own, is below 150 MB.
    """
    with serving(image, tmp_path) as (child, port):
        process = child.process
        wait_until(lambda: answers(port, "/health/ready"), "the start", 240, child)
        shutil.copy(WEEK[0], tmp_path / "logs/caddy_access_logs-1.json.gz")

        def read() -> int:
            with Browser((LOOPBACK, port)) as browser:
                status = json.loads(browser.get("localhost", "/api/v1/status").body)
            return int(status["lines"]["read"])

        wait_until(lambda: read() > 1000, "lines", 240, child)
        assert answers(port, "/")
        memory = re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{process.pid}/status").read_text())
        assert memory
        print(f"peak memory, emulated: {int(memory[1]) / 1024:.0f} MB")
        assert int(memory[1]) < 150 * 1024
        process.terminate()
        assert process.wait(60) == 0, (tmp_path / "serve.log").read_text()


def test_filebeat_for_arm64_reads(image: Image, tmp_path: Path) -> None:
    """Filebeat of the image, emulated, under the reader of this program: each line arrives once,
    those before it started, those after, and those of a log that took the place of a renamed one.
    """
    emulated = tmp_path / "filebeat"
    program = image.root / "usr/bin/filebeat"
    emulated.write_text(f'#!/bin/sh\nexec {EMULATOR} {program} "$@"\n')
    emulated.chmod(0o755)
    logs = tmp_path / "logs"
    logs.mkdir()
    log = logs / CURRENT
    log.write_bytes(lines(range(100)))
    with Following(logs, "filebeat", filebeat=emulated) as following:
        following.wait_for_lines(lines(range(100)))
        pid = following.wait_for_filebeat()
        assert EMULATOR in Path(f"/proc/{pid}/cmdline").read_text()
        with log.open("ab") as appended:
            appended.write(lines(range(100, 200)))
        following.wait_for_lines(lines(range(200)))
        log.rename(logs / "caddy_access_logs-1.json")
        log.write_bytes(lines(range(200, 210)))
        following.wait_for_lines(lines(range(210)))
