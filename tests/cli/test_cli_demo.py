"""`demo` from the archive: a page full of figures, new visits every second, nothing left behind."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from lab.browser import Browser
from lab.processes import wait_until
from tests.cli.cases import Program
from tests.support.week import SAMPLES, week_files

Running = tuple[subprocess.Popen[bytes], str, int]
SECONDS = 60.0


@pytest.fixture
def temporary(place: Path) -> Path:
    """The folder for temporary files."""
    folder = place / "tmp"
    folder.mkdir()
    return folder


@contextmanager
def running(program: Program, temporary: Path, *options: object, **more: str) -> Iterator[Running]:
    """The demo, from the moment that it says where its page is; ended by SIGKILL at the latest."""
    child = subprocess.Popen(
        program.command("demo", *options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=program.environment | {"TMPDIR": str(temporary)} | more,
        cwd=program.home,
    )
    assert child.stderr is not None
    try:
        said = ""
        while not (found := re.search(r"The dashboard: http://([\d.]+):(\d+)/", said)):
            line = child.stderr.readline().decode()
            assert line, f"it ended: {said}"
            said += line
        yield child, found[1], int(found[2])
    finally:
        child.kill()
        child.wait()
        child.stderr.close()


def get(address: tuple[str, int], path: str) -> Any:
    with Browser(address) as browser:
        answer = browser.ask("GET", "localhost", path)
    assert answer.status == 200, path
    return json.loads(answer.body)


def counted(address: tuple[str, int]) -> int:
    return int(get(address, "/api/v1/status")["lines"]["counted"])


def days_with_visits(address: tuple[str, int]) -> int:
    """Of the trend that the page shows for today."""
    today = next(
        one["aggValue"]
        for one in get(address, "/api/v1/periods")["periods"]
        if one["aggKind"] == "D"
    )
    trend = get(address, f"/api/v1/periods/D/{today}")["trend"]
    return sum(one["hasData"] for one in trend)


def stopped(child: subprocess.Popen[bytes], number: int, temporary: Path) -> None:
    """A signal ends it, and nothing is left."""
    child.send_signal(number)
    assert child.wait(timeout=SECONDS) == 0
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_living_page(program: Program, temporary: Path, number: int) -> None:
    """Full of the days before, with new lines counted every second; a signal removes all of it.

    SIGHUP is what a process gets whose terminal is closed. HOME stays empty, too.
    """
    with running(program, temporary, "--port", 0, "--weeks", 2) as (child, host, port):
        assert days_with_visits((host, port)) >= 6
        before = counted((host, port))
        assert before > 4000
        wait_until(lambda: counted((host, port)) >= before + 5, "new visits", SECONDS)
        name = get((host, port), "/api/v1/status")["site"]["name"]
        assert name == "Demo school"
        stopped(child, number, temporary)
    assert list(program.home.iterdir()) == []


def test_a_second_signal_leaves_nothing_either(program: Program, temporary: Path) -> None:
    """It ends the process at once."""
    with running(program, temporary, "--port", 0, "--weeks", 1) as (child, _, _):
        child.send_signal(signal.SIGINT)
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=SECONDS) in (0, 128 + signal.SIGTERM)
        assert list(temporary.iterdir()) == []


def test_recorded_logs_as_if_they_ended_now(program: Program, temporary: Path) -> None:
    """What `make run` shows: the week of the samples, its lines coming again."""
    logs = week_files()
    packages = SAMPLES / "packages.yml"
    options = ["--port", 0, "--packages", packages, *logs]
    with running(program, temporary, *options) as (child, host, port):
        assert days_with_visits((host, port)) >= 6
        before = counted((host, port))
        assert before > 5000
        wait_until(lambda: counted((host, port)) > before, "new lines", SECONDS)
        stopped(child, signal.SIGINT, temporary)


def test_nothing_else_is_touched(program: Program, temporary: Path, place: Path) -> None:
    """Whatever the environment of an installed one says: files, port and switch are its own."""
    database = place / "metrics.db"
    taken = socket.create_server(("127.0.0.1", 0))
    environment = {
        "DATABASE_URL": str(database),
        "PACKAGE_CONF_FILE": str(place / "none.yml"),
        "PORT": str(taken.getsockname()[1]),
        "REVERSE_PROXY_LOGS_LOCATION": str(place / "none"),
        "REVERSE_PROXY_LOGS_PATTERN": "other*.json",
        "READER": "filebeat",
        "PROCESSING_DISABLED": "true",
    }
    with running(program, temporary, "--weeks", 1, **environment) as (child, host, port):
        before = counted((host, port))
        wait_until(lambda: counted((host, port)) > before, "new visits", SECONDS)
        stopped(child, signal.SIGINT, temporary)
    taken.close()
    assert not database.exists()


def test_another_port_where_the_default_one_is_used(program: Program, temporary: Path) -> None:
    """The next free one is taken, unless a port was asked for: then it is an error."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # something else has it: just as good
            other.bind(("127.0.0.1", 8000))
            other.listen()
        with running(program, temporary, "--weeks", 0) as (child, _, port):
            assert 8000 < port < 8100
            stopped(child, signal.SIGINT, temporary)
        taken = other.getsockname()[1] or 8000
        result = program.run("demo", "--port", taken, "--weeks", 0, TMPDIR=str(temporary))
        result.failed(1, f"cannot listen on 127.0.0.1:{taken}")
        assert list(temporary.iterdir()) == []


def test_what_cannot_be_shown(program: Program, temporary: Path, place: Path) -> None:
    """Each with what is wrong and a way out, and nothing is left."""
    wrong = place / "wrong.json"
    wrong.write_text("hello\n")
    log = week_files()[0]
    empty, bad = place / "empty.yml", place / "bad.yml"
    empty.write_text("packages: []\n")
    bad.write_text("packages: [{kind: zim, title: X, url: nonsense}]\n")
    commands, expected = [], []
    for code, words, options in (
        (66, "none.json", ["--packages", SAMPLES / "packages.yml", place / "none.json"]),
        (65, "no line of Caddy", ["--packages", SAMPLES / "packages.yml", wrong]),
        (78, "packages file /conf/packages.yml is not there", [log]),
        (78, "none.yml is not there", ["--packages", place / "none.yml"]),
        (78, "no entry can be used", ["--packages", empty]),
        (78, "X", ["--packages", bad]),
        (2, "--weeks", ["--weeks", "-1"]),
        (2, "--timezone", ["--timezone", "Mars"]),
    ):
        commands.append(("demo", "--port", 0, *options))
        expected.append((code, words))
    results = program.run_each(commands, TMPDIR=str(temporary))
    for result, (code, words) in zip(results, expected, strict=True):
        result.failed(code, words)
    assert list(temporary.iterdir()) == []


def test_a_full_disk(program: Program, place: Path) -> None:
    """Of the folder for temporary files: an error with a way out, and it is empty again."""
    temporary = place / "tmp"
    temporary.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=1777", "none", str(temporary)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        result = program.run("demo", "--port", 0, TMPDIR=str(temporary))
        result.failed(74, "No space left on device", "TMPDIR")
        assert list(temporary.iterdir()) == []
    finally:
        subprocess.run(["umount", str(temporary)], check=True)
