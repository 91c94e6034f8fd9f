"""`healthcheck`: exit 0 when `serve` is well, 1 with the reasons when it is not, within seconds."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.healthcheck import SECONDS
from engine.runtime.clock import monotonic
from tests.cli.cases import Program, invoke
from tests.reliability.serving import Serving

READY = ("--probe", "ready")


def test_a_serve_that_is_well(tmp_path: Path) -> None:
    """Exit 0 and not a word; by option and by variable, on all addresses too."""
    with Serving(tmp_path) as serving:
        serving.wait(lambda: invoke("healthcheck", *READY, "--port", serving.port).code == 0)
        for options in ((), READY, ("--host", "0.0.0.0"), ("--host", "localhost")):
            result = invoke("healthcheck", "--port", serving.port, *options)
            assert (result.code, result.out, result.err) == (0, "", "")
        serving.stop()
    assert invoke("healthcheck", "--port", serving.port).code == 1


def test_a_serve_that_is_not_ready(program: Program, tmp_path: Path) -> None:
    """Without packages it is live and not ready; the built archive says why."""
    options = ("--reader", "tail", "--packages", str(tmp_path / "none.yml"))
    with Serving(tmp_path, *options) as serving:
        port = str(serving.port)
        assert program.run("healthcheck", PORT=port).code == 0
        result = program.run("healthcheck", *READY, PORT=port, HOST="0.0.0.0")
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith("offspot-metrics: nothing is counted: packages file ")
        assert len(result.err.splitlines()) == 1
        serving.stop()


@contextlib.contextmanager
def answering(answer: bytes, *, drips: bool = False) -> Iterator[int]:
    """A server that sends this to whoever asks; then nothing, or a byte at a time if it drips."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def answer_one() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(1000)
                connection.sendall(answer)
                for _ in range(60 if drips else 0):
                    if done.wait(0.2):
                        break
                    connection.sendall(b" ")

        thread = threading.Thread(target=answer_one)
        thread.start()
        yield server.getsockname()[1]
        done.set()
        thread.join(30)


HEAD = b"HTTP/1.0 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        *(b"", b"SSH-2.0-x\r\n", HEAD, HEAD + b"hello", HEAD + b"[]", HEAD + b'{"reasons": 1}'),
        b'HTTP/1.0 404 No\r\n\r\n{"reasons": []}',
        b'HTTP/1.0 503 No\r\n\r\n{"reasons": []}',
        HEAD + b"[" * 60_000,
        HEAD + b"x" * 200_000,
    ],
)
def test_another_program_is_not_well(answer: bytes) -> None:
    """Whatever it answers: one message, exit 1."""
    with answering(answer) as port:
        result = invoke("healthcheck", "--port", port)
    assert (result.code, result.out) == (1, "")
    assert len(result.err.splitlines()) == 1


def test_it_does_not_wait_for_long() -> None:
    """Not for a server that never answers, nor for one that goes on for ever."""
    begin = monotonic()
    with answering(HEAD, drips=True) as port:
        result = invoke("healthcheck", "--port", port)
        assert result.code == 1
        assert "no whole answer in 3 seconds" in result.err
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert invoke("healthcheck", "--port", server.getsockname()[1]).code == 1
    assert 2 * SECONDS <= monotonic() - begin < 6 * SECONDS


def test_it_is_told_where_to_ask() -> None:
    """A port that nobody listens on, no port, a probe that there is not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    result = invoke("healthcheck", "--port", port)
    assert (result.code, result.err) == (
        1,
        f"offspot-metrics: 127.0.0.1 port {port}: Connection refused\n",
    )
    assert invoke("healthcheck", "--host", "no.such.host.invalid", "--port", port).code == 1
    invoke("healthcheck", "--port", "0").failed(2, "port 0", "--port")
    invoke("healthcheck", "--probe", "dead").failed(2, "live, ready")
