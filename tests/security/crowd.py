"""Malicious clients, in one thread, and one visitor who opens the dashboard.

The visitor's waiting times and responses are recorded. Slow clients send one byte of a request at a
time and reconnect when they are closed; the others request the largest file many times and never
read.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import threading
from dataclasses import dataclass, field
from time import monotonic
from typing import Self

from lab.processes import LOOPBACK

BYTE_SECONDS = 5.0
REQUEST = b"GET /api/v1/aggregations/D HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"a" * 4000
PIPELINED = 40


@dataclass
class _Client:
    connection: socket.socket
    reads: bool
    sent: int = 0


@dataclass
class Crowd:
    """Slow clients and clients that never read, until closed."""

    port: int
    slow: int
    non_reading: int
    large: str
    """The path of a large file."""
    opened: int = 0
    closed_by_server: int = 0
    _clients: dict[int, _Client] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()

    @property
    def all_there(self) -> bool:
        """Whether as many as should be are connected."""
        return len(self._clients) >= self.slow + self.non_reading

    def _open(self, poll: select.poll, *, reads: bool) -> None:
        connection = socket.socket()
        if not reads:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        try:
            connection.connect((LOOPBACK, self.port))
            if not reads:
                request = f"GET {self.large} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
                connection.sendall(request * PIPELINED)
        except OSError:
            connection.close()
            return
        connection.setblocking(False)
        self.opened += 1
        self._clients[connection.fileno()] = _Client(connection, reads)
        poll.register(connection, select.POLLIN if reads else select.POLLHUP)

    def _run(self) -> None:
        poll = select.poll()
        turn = monotonic()
        while not self._stop.is_set():
            here = sum(client.reads for client in self._clients.values())
            for _ in range(min(50, self.slow - here)):
                self._open(poll, reads=True)
            for _ in range(min(10, self.non_reading - (len(self._clients) - here))):
                self._open(poll, reads=False)
            for number, _ in poll.poll(50):
                self._leave(poll, number)
            if monotonic() >= turn:
                turn = monotonic() + BYTE_SECONDS
                self._drip(poll)
        for client in self._clients.values():
            client.connection.close()
        self._clients.clear()

    def _drip(self, poll: select.poll) -> None:
        for number, client in list(self._clients.items()):
            if client.reads:
                try:
                    client.connection.send(REQUEST[client.sent : client.sent + 1])
                    client.sent += 1
                except OSError:
                    self._leave(poll, number)

    def _leave(self, poll: select.poll, number: int) -> None:
        """The server has shown a client out."""
        client = self._clients.pop(number)
        poll.unregister(number)
        client.connection.close()
        self.closed_by_server += 1


@dataclass
class Visitor:
    """Asks again and again, each time over a new connection."""

    port: int
    paths: list[str]
    waits: list[float] = field(default_factory=list)
    bodies: dict[str, set[bytes]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()

    def ask(self, path: str) -> float:
        """Ask for a page; how long it took."""
        begin = monotonic()
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != http.HTTPStatus.OK:
                self.failures.append(f"{path}: {answer.status}")
        self.bodies.setdefault(path, set()).add(body)
        return monotonic() - begin

    def _run(self) -> None:
        while not self._stop.is_set():
            for path in self.paths:
                try:
                    self.waits.append(self.ask(path))
                except (OSError, http.client.HTTPException) as error:
                    self.failures.append(f"{path}: {error!r}")

    @property
    def answers(self) -> int:
        """How many there were."""
        return len(self.waits)

    def percentile(self, share: float) -> float:
        """The wait that so many were not above, in seconds."""
        waits = sorted(self.waits)
        return waits[min(len(waits) - 1, int(len(waits) * share))]
