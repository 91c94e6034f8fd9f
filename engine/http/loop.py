"""The loop of the one thread that owns all connections: accepts, receives, sends and closes them.

Workers only compute: they take a request and hand over its response. All waits are monotonic, as
the wall clock of a hotspot jumps by months.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from selectors import EVENT_READ, DefaultSelector
from typing import Any, Final

from engine.http.bounds import above_share, files_above, first_to_close, memory_above
from engine.http.connection import Connection
from engine.http.parsing import RequestParser
from engine.http.peers import Network, Peers
from engine.http.workers import Workers
from engine.http.wsgi import Responder, Response
from engine.wakeup import WakeUp

logger = logging.getLogger(__name__)

BACKLOG: Final = 4096
"""Connections that the system takes before we do; it has a bound of its own (`somaxconn`)."""
SHARE: Final = 8
"""One address may have one connection in so many."""
WAITING_BYTES: Final = 16 * 1024 * 1024
"""So much of answers may be in memory for all clients together."""
SIXTEENTH: Final = 16
"""Files that are being sent from disk are at most one for so many connections; and so many more
are taken at once when all are taken, before as many are closed.
"""
PER_ROUND: Final = 128
"""So many connections have their turn before new ones are looked for again."""
WORKERS_SECONDS: Final = 1.0

_SWEEP_SECONDS = 1.0
"""How often waiting connections are looked at; without any, the loop sleeps until called."""
_ASLEEP_SECONDS = 60.0
_CROWDED_SHARE = 0.9
_CROWDED_PATIENCE = 0.2
"""With nine tenths of all connections taken, every wait is cut to a fifth: new ones get in."""
_RETRY_ACCEPT_SECONDS = 1.0
_ROUNDS_OF_ACCEPTS = 8
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass(frozen=True, slots=True)
class Limits:
    """`trusted`: proxies whose connections are not bounded per address; None for loopback and the
    gateway.
    """

    threads: int = 4
    max_connections: int = 1000
    trusted: tuple[Network, ...] | None = None


class Loop:
    """All connections of one listening socket."""

    def __init__(
        self,
        listening: socket.socket,
        responder: Responder,
        limits: Limits,
        monotonic: Callable[[], float],
    ) -> None:
        self._responder = responder
        self._monotonic = monotonic
        self._max_connections = limits.max_connections
        self._peers = Peers(limits.trusted, max(1, limits.max_connections // SHARE))
        self._at_once = self._open_files = max(1, limits.max_connections // SIXTEENTH)
        self.connections: dict[Connection, None] = {}
        """In the order in which they came."""
        self._sending: dict[Connection, None] = {}
        self._responses: deque[tuple[Connection, Response]] = deque()
        self._accept_from: float | None = None
        """Until when no connection is accepted for want of descriptors."""
        self._turn = 0
        self._listening: socket.socket | None = listening
        listening.setblocking(False)
        self._workers = Workers(limits.threads)
        self._selector = DefaultSelector()
        self.wake_up = WakeUp()
        self._selector.register(self.wake_up, EVENT_READ)
        self._selector.register(listening, EVENT_READ)
        listening.listen(BACKLOG)

    # One round

    def run(self, stop_within: Callable[[], float | None]) -> None:
        """Serve. Once `stop_within` gives a number of seconds, stop listening, finish what is under
        way for so long, and return.
        """
        next_sweep, give_up_at = 0.0, None
        while True:
            now = self._monotonic()
            if (seconds := stop_within()) is not None:
                give_up_at = give_up_at or now + seconds
                self.stop_listening()
                self._close(c for c in self.connections if not c.under_way)
                if not self.connections or now >= give_up_at:
                    return
            if now >= next_sweep:
                self.sweep(now)
                next_sweep = now + _SWEEP_SECONDS
            self._accept_again(now)
            wait = _SWEEP_SECONDS if self.connections or self._accept_from else _ASLEEP_SECONDS
            if give_up_at is not None:
                wait = min(wait, give_up_at - now)
            self._round(max(wait, 0.0))

    def _round(self, seconds: float) -> None:
        """Wait for events, at most so long, and handle them, the most urgent first."""
        self._turn += 1
        found = self._selector.select(seconds)
        if len(found) > PER_ROUND:
            found = sorted(found, key=self._urgency)[:PER_ROUND]
        for key, events in found:
            connection = key.data
            if isinstance(connection, Connection):
                if not connection.closed:  # else one before it has closed it
                    ready = connection.receive if events & EVENT_READ else connection.flush
                    self._serve(connection, ready)
            elif key.fileobj is self.wake_up:
                self.wake_up.clear()
            else:
                self._accept()
        for _ in range(len(self._responses)):  # not those that come meanwhile, or it goes on and on
            connection, response = self._responses.popleft()
            self._workers.taken()
            if not connection.closed:
                self._serve(connection, partial(connection.respond, response))
            elif response.file:
                response.file.close()
        self._close(memory_above(self._sending, WAITING_BYTES))

    def _urgency(self, found: Any) -> tuple[int, int]:
        """The listening socket comes first, then addresses with few connections, and of equals
        whoever had no turn for longest.
        """
        connection = found[0].data
        if not isinstance(connection, Connection):
            return (-1, 0)
        return (self._peers.weight(connection.origin), connection.turn)

    # One connection

    def _serve(self, connection: Connection, step: Callable[[float], None]) -> None:
        """Let a connection take a step, answer what it has received, and wait for what is next."""
        connection.turn = self._turn
        now = self._monotonic()
        try:
            step(now)
            request = connection.next_request(now)
            if request is not None:
                self._answer(connection, request, now)
        except OSError:
            self._close([connection])
        except Exception:
            logger.warning("Connection closed after an unforeseen error", exc_info=True)
            self._close([connection])
        if connection.finished:
            self._close([connection])
        if not connection.closed:
            self._watch(connection)

    def _answer(self, connection: Connection, request: RequestParser, now: float) -> None:
        """Send at once what is in memory, leave to the workers what must be computed.

        Passing a request to another thread costs more than sending a ready answer, and a ready
        answer must not wait because all workers compute.
        """
        response = self._responder.respond_at_once(request, connection.address)
        if response is not None:
            connection.respond(response, now)
        else:
            self._watch(connection)
            self._workers.submit(partial(self._compute, connection, request))

    def _compute(self, connection: Connection, request: RequestParser) -> None:
        """In a worker."""
        response = self._responder.respond(request, connection.address)
        self._responses.append((connection, response))
        self.wake_up.set()

    def _watch(self, connection: Connection) -> None:
        """Have the selector look for what this connection waits for."""
        if connection.sending:
            self._sending[connection] = None
            if connection.sends_file:
                self._close(files_above(self._sending, self._open_files))
        else:
            self._sending.pop(connection, None)
        wanted, watched = connection.wanted_events, connection.events
        if connection.closed or wanted == watched:
            return
        connection.events = wanted
        if not watched:
            self._selector.register(connection.socket, wanted, connection)
        elif not wanted:
            self._selector.unregister(connection.socket)
        else:
            self._selector.modify(connection.socket, wanted, connection)

    def _close(self, connections: Iterable[Connection]) -> None:
        for connection in list(connections):
            if not connection.closed:
                if connection.events:
                    self._selector.unregister(connection.socket)
                connection.close()
                self.connections.pop(connection, None)
                self._sending.pop(connection, None)
                self._peers.leave(connection.origin)

    # All connections

    def _accept(self) -> None:
        """Take all that wait, not one a round."""
        if self._listening is None:  # it has stopped in this round
            return
        try:
            for _ in range(_ROUNDS_OF_ACCEPTS):
                self._accept_some(self._listening)
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            if error.errno in _OUT_OF_DESCRIPTORS:
                # The socket stays readable: without a pause the loop would spin.
                self._selector.unregister(self._listening)
                self._accept_from = self._monotonic() + _RETRY_ACCEPT_SECONDS
                self._close(first_to_close(self.connections, self._at_once, self._peers))

    def _accept_some(self, listening: socket.socket) -> None:
        """Take a few that wait, and close as many when there are too many."""
        origins: set[str] = set()
        try:
            for _ in range(self._at_once):
                self._admit(*listening.accept(), origins)
        finally:
            self._close(above_share(self.connections, origins, self._peers))
            if surplus := max(0, len(self.connections) - self._max_connections):
                self._close(first_to_close(self.connections, surplus, self._peers))

    def _admit(self, sock: socket.socket, address: tuple[Any, ...], origins: set[str]) -> None:
        """Take a new connection and add where it is from to `origins`, or refuse it."""
        now = self._monotonic()
        origin = self._peers.origin(address[0])
        full = len(self.connections) >= self._max_connections
        if not self._peers.admits(origin, now, full=full):
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock, address, origin, now)
        self.connections[connection] = None
        self._peers.enter(origin)
        origins.add(origin)
        self._watch(connection)

    def _accept_again(self, now: float) -> None:
        """After a pause for want of descriptors."""
        if self._accept_from is not None and now >= self._accept_from:
            self._accept_from = None
            if self._listening is not None:
                self._selector.register(self._listening, EVENT_READ)

    def sweep(self, now: float) -> None:
        """Close every connection that has waited too long."""
        crowded = len(self.connections) >= self._max_connections * _CROWDED_SHARE
        patience = _CROWDED_PATIENCE if crowded else 1.0
        self._close(c for c in self.connections if c.overdue(now, patience))

    def stop_listening(self) -> None:
        """New connections are refused from here on; those open go on."""
        if self._listening is not None:
            if self._accept_from is None:
                self._selector.unregister(self._listening)
            self._listening.close()
            self._listening = None

    def close(self) -> None:
        """Close every socket and end the workers."""
        self.stop_listening()
        self._close(self.connections)
        self._workers.stop(WORKERS_SECONDS)
        self._selector.close()
        self.wake_up.close()
