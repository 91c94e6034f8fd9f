"""Clients that ask and never read (S14), alone: what each of them may cost."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.processes import LOOPBACK
from tests.security.cases import MEGABYTE, SECONDS, MemoryWatch, Serve, line
from tests.security.crowd import Crowd, Visitor
from tests.security.test_hostile_load import PATHS, largest_script
from tests.support.measured import measured

MAX_RESIDENT = 100 * MEGABYTE
MAX_WAITING = 64 * MEGABYTE
"""16 MiB that wait, what four workers make at the moment, and what Python keeps of both."""


@pytest.mark.parametrize("clients", [300, pytest.param(900, marks=pytest.mark.full)])
def test_a_non_reading_client_costs_one_answer(tmp_path: Path, clients: int) -> None:
    """S14: each sends forty requests for the largest file at once and reads nothing."""
    with Serve(tmp_path) as serve:
        serve.log.write_bytes(line())
        serve.wait_for_lines(1)
        crowd = Crowd(serve.port, slow=0, non_reading=clients, large=largest_script(serve))
        visitor = Visitor(serve.port, [path for path in PATHS if "kpis" not in path])
        with MemoryWatch(serve.pid) as memory, crowd:
            serve.wait_for(lambda: crowd.opened >= clients, "the crowd", SECONDS)
            with visitor:
                serve.wait_for(lambda: visitor.answers >= 500, "answers", SECONDS)
        assert serve.stop() == 0
    p95 = visitor.percentile(0.95)
    measured(non_reading=clients, own_mb=memory.own / MEGABYTE, p95_ms=p95 * 1000)
    assert visitor.failures == []
    assert p95 < 1.0
    assert memory.own <= MAX_RESIDENT


def deleted_files(pid: int) -> list[str]:
    """Files without a name that a process has open: what a temporary file is."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found += [name for name in [str(link.readlink())] if name.endswith("(deleted)")]
    return found


def large_packages(titles: int) -> str:
    """A packages file whose titles make `/api/v1/status` large."""
    entries = (
        f'  - {{kind: files, title: "{number} {"x" * 240}", url: "//{number}.box/"}}\n'
        for number in range(titles)
    )
    return "packages:\n" + "".join(entries)


@dataclass(frozen=True)
class Cost:
    """What a program used for clients that never read."""

    answer_bytes: int
    grew_bytes: int
    temporary_files: int
    visitor: Visitor


def non_reading_clients(tmp_path: Path, clients: int, mebibytes: int, titles: int) -> Cost:
    """So many ask for a file of this size, or for a status with so many titles, and never read."""
    own = tmp_path / "ui"
    own.mkdir()
    path = "/api/v1/status"
    if mebibytes:
        path = "/film.bin"
        (own / "film.bin").write_bytes(b"x" * (mebibytes << 20))
    with pytest.MonkeyPatch.context() as environment, contextlib.ExitStack() as stack:
        environment.setenv("UI_LOCATION", str(own))
        serve = stack.enter_context(Serve(tmp_path, packages=large_packages(titles)))
        least = mebibytes << 20 or titles * 240  # the packages are read while it answers
        serve.wait_for(lambda: len(serve.get(path)) >= least, "the large answer", SECONDS)
        size = len(serve.get(path))
        memory = stack.enter_context(MemoryWatch(serve.pid))
        before = memory.own
        visitor = Visitor(serve.port, [path for path in PATHS if "kpis" not in path])
        opened = []
        for _ in range(clients):
            non_reading = stack.enter_context(contextlib.closing(socket.socket()))
            non_reading.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            non_reading.settimeout(SECONDS)
            non_reading.connect((LOOPBACK, serve.port))
            non_reading.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * 20)
            opened.append(non_reading)
        for client in opened:
            with contextlib.suppress(ConnectionError):
                client.recv(1)
        with visitor:
            serve.wait_for(lambda: visitor.answers >= 40, "answers", SECONDS)
        files = len(deleted_files(serve.pid))
        assert serve.get(path).startswith((b"x", b"{"))
        memory.look()
        grew = memory.own - before
        assert serve.stop() == 0
    measured(
        clients=clients,
        answer_mb=size / MEGABYTE,
        grew_mb=grew / MEGABYTE,
        temporary_files=files,
        worst_ms=visitor.percentile(1) * 1000,
    )
    return Cost(size, grew, files, visitor)


@pytest.mark.parametrize(
    ("mebibytes", "titles"),
    [
        *[(1, 1), (4, 1), (40, 1), (0, 4000)],
        *[pytest.param(*case, marks=pytest.mark.full) for case in [(2, 1), (8, 1), (16, 1)]],
        pytest.param(0, 500, marks=pytest.mark.full),  # a second answer that is made, and smaller
    ],
)
def test_what_waits_has_one_bound(tmp_path: Path, mebibytes: int, titles: int) -> None:
    """S28: 64 clients ask for a file of 1 to 40 MiB, or for answers of megabytes that are made
    for each of them, and never read: 16 MiB wait in memory, and nothing in temporary files.
    """
    found = non_reading_clients(tmp_path, 64, mebibytes, titles)
    assert found.visitor.failures == []
    assert found.temporary_files == 0
    assert found.grew_bytes < MAX_WAITING


def test_non_reading_clients_do_not_keep_the_workers(tmp_path: Path) -> None:
    """S14: sixteen ask two hundred times for the largest file and read nothing; others compute."""
    with Serve(tmp_path) as serve, contextlib.ExitStack() as stack:
        request = f"GET {largest_script(serve)} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        for _ in range(16):
            non_reading = stack.enter_context(contextlib.closing(socket.socket()))
            non_reading.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            non_reading.settimeout(SECONDS)
            non_reading.connect((LOOPBACK, serve.port))
            non_reading.sendall(request * 200)
        visitor = Visitor(serve.port, [])
        paths = [f"/api/v1/periods/D/2026-06-{day:02d}" for day in range(1, 29)]
        visitor.waits = [visitor.ask(path) for path in paths]  # each has to be computed
        assert visitor.failures == []
        measured(non_reading=16, worst_ms=max(visitor.waits) * 1000)
        assert visitor.percentile(0.95) < 1.0
        assert max(visitor.waits) < 5.0, "a worker would wait for twenty seconds"
        assert serve.stop() == 0


def test_a_connection_that_waits_keeps_no_answer(tmp_path: Path) -> None:
    """S14: three hundred clients took the largest file and stay: their answers are let go of."""
    with Serve(tmp_path) as serve, contextlib.ExitStack() as stack:
        path = largest_script(serve)
        size = len(serve.get(path))
        with MemoryWatch(serve.pid) as memory:
            before = memory.own
            for _ in range(300):
                client = stack.enter_context(socket.create_connection((LOOPBACK, serve.port), 30))
                client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                taken = 0
                while taken < size:
                    taken += len(client.recv(1 << 16))
        measured(waiting=300, grew_mb=(memory.own - before) / MEGABYTE)
        assert memory.own - before < 300 * size // 3
        assert serve.stop() == 0
