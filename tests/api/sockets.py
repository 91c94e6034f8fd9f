"""Real sockets for the tests of the server: one that serves, clients that behave and that do not.

No waiting by the clock: every wait is for bytes, the end of a connection or an event, each with a
deadline that only a failure reaches.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from engine.http.loop import Limits
from engine.http.server import HttpServer

DEADLINE = 30.0
"""Seconds; far more than any test needs."""


class Clock:
    """Monotonic seconds that pass when told to."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        """Let time pass. The server looks at it within a second."""
        self.at += seconds


@contextlib.contextmanager
def serving(
    app: Any, monotonic: Callable[[], float] = time.monotonic, **limits: Any
) -> Iterator[HttpServer]:
    """A server on a free port of this machine, stopped at the end and seen to have stopped."""
    server = HttpServer(app, "127.0.0.1", 0, Limits(**limits), monotonic)
    server.bind()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            server.run()
        except BaseException as failure:
            failures.append(failure)
            raise

    thread = threading.Thread(target=run, name="http")
    thread.start()
    try:
        yield server
    finally:
        stopped = server.stop(5)
        thread.join(DEADLINE)
        assert not thread.is_alive()
        assert stopped
        assert failures == []


@dataclass(frozen=True)
class Answer:
    """One answer as it came over the wire. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """A client that can send anything, slowly, and read as it likes."""

    def __init__(
        self, server: HttpServer, *, receive_buffer: int | None = None, source: str = "127.0.0.1"
    ) -> None:
        self.socket = socket.socket()
        self.socket.bind((source, 0))
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        try:
            self.socket.connect(("127.0.0.1", server.port))
        except OSError:
            self.socket.close()
            raise
        self._rest = b""

    def send(self, data: bytes) -> None:
        """Send, and mind it not when the server has hung up."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)

    def get(self, target: str, *headers: str) -> Answer:
        """Ask and read one answer."""
        lines = [f"GET {target} HTTP/1.1", "Host: localhost", *headers]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        return self.answer()

    def answer(self, *, bodiless: bool = False) -> Answer:
        """Read one answer, its body by Content-Length."""
        while b"\r\n\r\n" not in self._rest:
            self._more()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(": ")
            assert name.lower() not in headers
            headers[name.lower()] = value
        length = 0 if bodiless else int(headers.get("content-length", 0))
        while len(self._rest) < length:
            self._more()
        body, self._rest = self._rest[:length], self._rest[length:]
        return Answer(int(first.split()[1]), headers, body)

    def _more(self) -> None:
        data = self.socket.recv(65536)
        assert data, "the server closed the connection before a whole answer"
        self._rest += data

    def rest(self) -> bytes:
        """All that still comes until the server closes."""
        found, self._rest = self._rest, b""
        with contextlib.suppress(ConnectionError):
            while data := self.socket.recv(65536):
                found += data
        return found

    def closed(self) -> bool:
        """True when the server closes without a further byte."""
        return self.rest() == b""

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
