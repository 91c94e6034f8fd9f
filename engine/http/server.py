"""A WSGI application on one TCP address.

`bind` and `stop` are for the thread that owns the process, `run` for the one that serves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.http.listening import bound_socket, has_no_more_than, room_for_connections
from engine.http.loop import SIXTEENTH, WORKERS_SECONDS, Limits, Loop
from engine.http.wsgi import Responder
from engine.wakeup import WakeUp

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class HttpServer:
    """Listens on one address. `Responder` tells which attributes an application may have.

    `port` 0 lets the system choose; after `bind`, `port` is the real one. `monotonic` gives seconds
    that never jump.
    """

    def __init__(
        self,
        app: WSGIApplication,
        host: str,
        port: int,
        limits: Limits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host = host
        self.port = port
        self._app = app
        self._limits = limits or Limits()
        self._monotonic = monotonic
        self.loop: Loop | None = None
        self._stop_within: float | None = None
        self._running = False
        self._finished = threading.Event()

    def bind(self) -> None:
        """Take the address and start to queue connections. Raises `AddressInUse` with a hint."""
        room = room_for_connections(self._limits.max_connections)
        if has_no_more_than(room):
            room -= 2 * (room // SIXTEENTH)
        sock = bound_socket(self.host, self.port)
        self.port = sock.getsockname()[1]
        responder = Responder(self._app, (self.host, self.port))
        limits = replace(self._limits, max_connections=room)
        self.loop = Loop(sock, responder, limits, self._monotonic)

    @property
    def wake_up(self) -> WakeUp:
        """Wakes the thread that serves; for after `bind`."""
        if self.loop is None:
            raise RuntimeError("bind() comes before the server can be woken")
        return self.loop.wake_up

    def run(self) -> None:
        """Serve until `stop`; an exception that ends this ends the service."""
        loop = self.loop
        if loop is None:
            raise RuntimeError("bind() comes before run()")
        self._running = True
        try:
            loop.run(lambda: self._stop_within)
        finally:
            loop.close()
            self._finished.set()

    def stop(self, timeout: float = 5.0) -> bool:
        """Stop listening, finish what is under way, close. From any thread, also before `run`.

        Waits at most `timeout` seconds for answers under way, then cuts them. True when the loop
        has ended. Never raises.
        """
        if self.loop is None:
            return True
        self._stop_within = timeout
        if not self._running:
            self.loop.close()
            return True
        self.loop.wake_up.set()
        return self._finished.wait(timeout + WORKERS_SECONDS + 1.0)
