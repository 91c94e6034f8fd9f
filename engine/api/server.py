"""Listens on one address and answers with a WSGI application: waitress with its own deadlines.

In: the application, a host and a port. Out: answers, until stopped.
Must not: know what is served; start threads of its own (waitress's workers are the only ones);
use the wall clock, which on a hotspot jumps by months: every wait here is monotonic.

`bind` and `stop` are for the thread that owns the process, `run` for the one that serves.
"""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher
from waitress.trigger import trigger

from engine.api.bounds import above_memory, above_share, first_to_leave, senders_above
from engine.api.channel import MAX_BODY_BYTES, MAX_HEADER_BYTES, Channel
from engine.api.listening import bound_socket, has_no_more_than, room_for_connections
from engine.api.peers import Peers
from engine.api.turns import one_round
from engine.settings.values import Network

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

THREADS: Final = 4
MAX_CONNECTIONS: Final = 1000
BACKLOG: Final = 4096
"""Connections that the system takes before we do; it has a bound of its own (`somaxconn`)."""
SHARE: Final = 8
"""One address may have one connection in so many."""
WAITING_BYTES: Final = 16 * 1024 * 1024
"""So much of answers may be in memory for all clients together."""
_SIXTEENTH: Final = 16
"""Files that are being sent from disk are at most one for so many connections; and so many more
are taken at once when all are taken, before as many end.
"""

_SWEEP_SECONDS = 1.0
"""How often waiting connections are looked at; without any, the loop sleeps until called."""
_ASLEEP_SECONDS = 60.0
_CROWDED_SHARE = 0.9
_CROWDED_PATIENCE = 0.2
"""With nine tenths of all connections taken, every wait is cut to a fifth: new ones get in."""
_RETRY_ACCEPT_SECONDS = 1.0
_ROUNDS_OF_ACCEPTS = 8
_WORKERS_SECONDS = 1
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class _Wakeup(trigger):
    """Wakes the loop. Once closed it stays silent: its number may be another file's by then."""

    def __init__(self, sockets: Any) -> None:
        self._gate = threading.Lock()
        self._open = True
        super().__init__(sockets)

    def pull_trigger(self, thunk: Any = None) -> None:
        with self._gate:
            if self._open:
                super().pull_trigger(thunk)

    def close(self) -> None:
        with self._gate:
            self._open = False
            super().close()


class Listener(TcpWSGIServer):
    """Waitress's server with our connections; owned by the thread that runs the loop."""

    def __init__(
        self,
        app: WSGIApplication,
        in_memory: Callable[[str, str], bool],
        sock: socket.socket,
        monotonic: Callable[[], float],
        max_connections: int,
        threads: int,
        trusted: tuple[Network, ...] | None,
    ) -> None:
        self._monotonic = monotonic
        self._peers = Peers(trusted, max(1, max_connections // SHARE))
        self._senders: dict[int, Channel] = {}
        """Connections that files are sent to, and some that they were sent to."""
        self._max_connections = max_connections
        self._at_once = self._open_files = max(1, max_connections // _SIXTEENTH)
        self._in_memory = in_memory
        self._answering = False
        self._accept_from = 0.0
        self.sockets: dict[int, Any] = {}
        self.channels: dict[int, Channel] = {}
        workers = ThreadedTaskDispatcher()
        super().__init__(
            app,
            self.sockets,
            False,
            sock,
            dispatcher=workers,
            adj=_adjustments(sock, threads),
            sockinfo=(sock.family, sock.type, sock.proto, sock.getsockname()),
            bind_socket=False,
        )
        ours: Any = self  # the stubs type these three attributes as something else
        ours.active_channels = self.channels
        ours.trigger.close()
        self.wakeup = ours.trigger = _Wakeup(self.sockets)
        workers.set_thread_count(threads)
        self.accept_connections()

    def add_task(self, task: Any) -> None:
        """Called by waitress when a request is complete, from the loop or from a worker."""
        if task.receiving:
            task.ready = True
        else:
            self.task_dispatcher.add_task(task)

    def _hand_on(self, channel: Channel) -> None:
        """Answer at once what is in memory, leave to the workers what must be computed.

        Handing a request to another thread costs more than sending a ready answer, and a ready
        answer must not wait because all workers compute.
        """
        request: Any = channel.requests[0]
        if not request.error and not self._in_memory(request.path, request.query):
            task: Any = channel
            self.task_dispatcher.add_task(task)
            return
        self._answering = True
        try:
            channel.service()
        finally:
            self._answering = False
        if channel.holds_file:
            self._senders[id(channel)] = channel
            self._bound_files()

    def pull_trigger(self) -> None:
        """Wake the loop. While it answers it is awake, and looks at everything before it sleeps."""
        if not self._answering:
            self.wakeup.pull_trigger()

    def readable(self) -> bool:
        """True unless descriptors ran out. Replaces waitress's rounds by the wall clock."""
        return bool(self.accepting and self._monotonic() >= self._accept_from)

    def handle_accept(self) -> None:
        """Take all that wait, not one a round: each round looks at every connection."""
        try:
            for _ in range(_ROUNDS_OF_ACCEPTS):
                if not self._accept_some():
                    break
        except OSError as error:
            if error.errno in _OUT_OF_DESCRIPTORS:
                # The socket stays readable: without a pause the loop would spin.
                self._accept_from = self._monotonic() + _RETRY_ACCEPT_SECONDS
                self._end_first(self._at_once)

    def _accept_some(self) -> bool:
        """Take a few that wait, and end as many when there are too many. False: no more wait."""
        origins: set[str] = set()
        now = self._monotonic()
        pair = None
        for _ in range(self._at_once):
            pair = self.accept()
            if pair is None:
                break
            connection, address = pair
            origin = self._peers.origin(address[0])
            if not self._peers.admits(
                origin, now, full=len(self.channels) >= self._max_connections
            ):
                connection.close()
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            channel = Channel(self, connection, address, self.adj, map=self.sockets)
            channel.opened(self._monotonic, self._hand_on, self._left, origin)
            self._peers.enter(origin)
            origins.add(origin)
        _close(above_share(list(self.channels.values()), origins, self._peers))
        if surplus := max(0, len(self.channels) - self._max_connections):
            self._end_first(surplus)
        return pair is not None

    def _end_first(self, number: int) -> None:
        """Close so many connections."""
        _close(first_to_leave(list(self.channels.values()), number, self._peers))

    def _left(self, channel: Channel) -> None:
        """A connection has ended."""
        self._peers.leave(channel.origin)
        self._senders.pop(id(channel), None)

    def _bound_files(self) -> None:
        """When too many files are being sent, end those whose clients took nothing for longest."""
        if len(self._senders) > self._open_files:
            senders = [channel for channel in self._senders.values() if channel.holds_file]
            self._senders = {id(channel): channel for channel in senders}
            _close(senders_above(senders, self._open_files))

    def bound_waiting(self) -> None:
        """When too much is in memory for clients, end those who took nothing for longest."""
        _close(above_memory(self.channels.values(), WAITING_BYTES))

    def urgency(self, socket: Any) -> tuple[int, int]:
        """The listening socket comes first, then addresses with few connections, and of equals
        whoever had no turn for longest.
        """
        if not isinstance(socket, Channel):
            return (-1, 0)
        return (self._peers.weight(socket.origin), socket.turn)

    def sweep(self) -> None:
        """Close every connection that has waited too long."""
        crowded = len(self.channels) >= self._max_connections * _CROWDED_SHARE
        patience = _CROWDED_PATIENCE if crowded else 1.0
        now = self._monotonic()
        for channel in list(self.channels.values()):
            if channel.overdue(now, patience):
                channel.handle_close()

    def close_idle(self) -> None:
        """Close every connection that has nothing under way."""
        for channel in list(self.channels.values()):
            if not channel.busy():
                channel.handle_close()

    def stop_listening(self) -> None:
        """New connections are refused from here on; those open go on."""
        wasyncore.dispatcher.close(self)

    def close_all(self) -> None:
        """End the workers and close every socket; a worker that hangs is left to the process."""
        self.stop_listening()
        for channel in list(self.channels.values()):
            channel.handle_close()
        self.task_dispatcher.shutdown(cancel_pending=True, timeout=_WORKERS_SECONDS)
        self.wakeup.close()


class HttpServer:
    """A WSGI application on one TCP address.

    When the application has a method `in_memory(path, query)`, requests for which it is true are
    answered by the thread of `run`, all others by the workers.
    `port` 0 lets the system choose; after `bind`, `port` is the real one. `monotonic` gives seconds
    that never jump. `trusted`: proxies whose connections are not bounded per address; None for
    loopback and the gateway.
    """

    def __init__(
        self,
        app: WSGIApplication,
        host: str,
        port: int,
        *,
        threads: int = THREADS,
        max_connections: int = MAX_CONNECTIONS,
        monotonic: Callable[[], float] = time.monotonic,
        trusted: tuple[Network, ...] | None = None,
    ) -> None:
        self.host = host
        self._trusted = trusted
        self.port = port
        self._app = app
        self._threads = threads
        self._max_connections = max_connections
        self._monotonic = monotonic
        self._listener: Listener | None = None
        self._stop_within: float | None = None
        self._running = False
        self._finished = threading.Event()

    def bind(self) -> None:
        """Take the address and start to queue connections. Raises `AddressInUse` with a hint."""
        room = room_for_connections(self._max_connections)
        if has_no_more_than(room):
            room -= 2 * (room // _SIXTEENTH)
        sock = bound_socket(self.host, self.port)
        self.port = sock.getsockname()[1]
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        in_memory = getattr(self._app, "in_memory", _never)
        self._listener = Listener(
            self._app, in_memory, sock, self._monotonic, room, self._threads, self._trusted
        )

    @property
    def connections(self) -> int:
        """Open connections, for `/metrics`."""
        return len(self._listener.channels) if self._listener else 0

    def run(self) -> None:
        """Serve until `stop`; an exception that ends this ends the service."""
        listener = self._listener
        if listener is None:
            raise RuntimeError("bind() comes before run()")
        self._running = True
        try:
            self._serve(listener)
        finally:
            listener.close_all()
            self._finished.set()

    def stop(self, timeout: float = 5.0) -> bool:
        """Stop listening, finish what is under way, close. From any thread, also before `run`.

        Waits at most `timeout` seconds for answers under way, then cuts them. True when the loop
        has ended. Never raises.
        """
        listener = self._listener
        if listener is None:
            return True
        self._stop_within = timeout
        if not self._running:
            listener.close_all()
            return True
        listener.wakeup.pull_trigger()
        return self._finished.wait(timeout + _WORKERS_SECONDS + 1.0)

    def _serve(self, listener: Listener) -> None:
        next_sweep, turn = 0.0, 0
        give_up_at: float | None = None
        while True:
            now = self._monotonic()
            if self._stop_within is not None:
                if give_up_at is None:
                    give_up_at = now + self._stop_within
                    listener.stop_listening()
                listener.close_idle()
                if not listener.channels or now >= give_up_at:
                    return
            if now >= next_sweep:
                listener.sweep()
                next_sweep = now + _SWEEP_SECONDS
            wait = _SWEEP_SECONDS if listener.channels else _ASLEEP_SECONDS
            if give_up_at is not None:
                wait = min(wait, give_up_at - now)
            turn += 1
            one_round(turn, max(wait, 0.0), listener.sockets, listener.urgency)
            listener.bound_waiting()


def _close(channels: Iterable[Channel]) -> None:
    for channel in list(channels):
        channel.handle_close()


def _never(_path: str, _query: str) -> bool:
    return False


def _adjustments(sock: socket.socket, threads: int) -> Adjustments:
    return Adjustments(
        sockets=[sock],
        threads=threads,
        backlog=BACKLOG,
        ident=None,
        expose_tracebacks=False,
        log_socket_errors=False,
        clear_untrusted_proxy_headers=True,
        max_request_header_size=MAX_HEADER_BYTES,
        max_request_body_size=MAX_BODY_BYTES,
    )
