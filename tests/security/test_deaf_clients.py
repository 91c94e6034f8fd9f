"""Clients that ask and never read (S14), alone: what each of them may cost."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from tests.security.cases import MEGABYTE, SECONDS, MemoryWatch, Serve, line
from tests.security.crowd import Crowd, Visitor
from tests.security.test_hostile_load import PATHS, largest_script
from tests.support.chain import LOOPBACK
from tests.support.measured import measured

MAX_RESIDENT = 100 * MEGABYTE


@pytest.mark.parametrize("clients", [300, pytest.param(900, marks=pytest.mark.full)])
def test_a_deaf_client_costs_one_answer(tmp_path: Path, clients: int) -> None:
    """S14: each sends forty requests for the largest file at once and reads nothing."""
    with Serve(tmp_path) as serve:
        serve.log.write_bytes(line())
        serve.wait_for_lines(1)
        crowd = Crowd(serve.port, slow=0, deaf=clients, large=largest_script(serve))
        visitor = Visitor(serve.port, [path for path in PATHS if "kpis" not in path])
        with MemoryWatch(serve.pid) as memory, crowd:
            serve.wait_for(lambda: crowd.opened >= clients, "the crowd", SECONDS)
            with visitor:
                serve.wait_for(lambda: visitor.answers >= 500, "answers", SECONDS)
        assert serve.stop() == 0
    p95 = visitor.percentile(0.95)
    measured(deaf=clients, own_mb=memory.own / MEGABYTE, p95_ms=p95 * 1000)
    assert visitor.failures == []
    assert p95 < 1.0
    assert memory.own <= MAX_RESIDENT


def test_deaf_clients_do_not_keep_the_workers(tmp_path: Path) -> None:
    """S14: sixteen ask two hundred times for the largest file and read nothing; others compute."""
    with Serve(tmp_path) as serve, contextlib.ExitStack() as stack:
        request = f"GET {largest_script(serve)} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        for _ in range(16):
            deaf = stack.enter_context(contextlib.closing(socket.socket()))
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.settimeout(SECONDS)
            deaf.connect((LOOPBACK, serve.port))
            deaf.sendall(request * 200)
        visitor = Visitor(serve.port, [])
        paths = [f"/api/v1/periods/D/2026-06-{day:02d}" for day in range(1, 29)]
        visitor.waits = [visitor.ask(path) for path in paths]  # each has to be computed
        assert visitor.failures == []
        measured(deaf=16, worst_ms=max(visitor.waits) * 1000)
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
