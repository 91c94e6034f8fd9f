"""One client connection: requests out of its bytes, responses into its socket, deadlines.

Owned by the thread that runs the loop; `now` is monotonic seconds, so that no jump of the wall
clock moves a deadline. It takes one request at a time: a client can send hundreds at once, and
answers to them, which it may never read, would take a thousand times their room.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import sys
import termios
from collections import deque
from selectors import EVENT_READ, EVENT_WRITE
from typing import IO, Any, Final

from engine.http.parsing import RequestParser
from engine.http.wsgi import Response

REQUEST_SECONDS: Final = 15.0
"""From the first byte of a request to its last."""
IDLE_SECONDS: Final = 30.0
"""Between two requests of one connection, and before the first."""
STALLED_SECONDS: Final = 20.0
"""While an answer waits and the client takes none of it."""
ANSWER_SECONDS: Final = 300.0
"""For a whole answer, however steadily it trickles."""

_RECEIVED_BYTES = 8192
_TURN_BYTES = 1024 * 1024
"""So much is sent to one client before the others have their turn."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection:
    """A client. What is called here may raise OSError, which ends the connection."""

    def __init__(self, sock: socket.socket, address: tuple[Any, ...], origin: str, now: float):
        self.socket = sock
        self.address = address
        self.origin = origin
        """What this connection is counted under (`Peers.origin`)."""
        self.turn = self.used = self.events = 0
        """The last round in which it was served, its requests, and what the selector looks for."""
        self.request: RequestParser | None = None
        """The request that is being answered."""
        self.closed = False
        self._parser: RequestParser | None = None
        self._continued = False
        self._rest = b""
        """What came together with a request and belongs to the next ones."""
        self._out: deque[memoryview] = deque()
        self._file: IO[bytes] | None = None
        self._file_bytes = 0
        """How much of the file is still to be sent."""
        self._last = False
        """Whether it ends when everything is sent."""
        self._idle_since = self._request_since = self.progress_at = now
        self._answer_since: float | None = None
        self._queued = 0

    # Requests

    def receive(self, now: float) -> None:
        """Take what the client has sent."""
        data = self.socket.recv(_RECEIVED_BYTES)
        if not data:
            raise ConnectionResetError("the client has closed its side")
        self._rest += data
        self._idle_since = now

    def next_request(self, now: float) -> RequestParser | None:
        """The next request, once it is complete and the last answer was sent."""
        while self._rest and not (self.request or self.sending or self._last):
            if self._parser is None:
                self._parser = RequestParser()
                self._request_since = now
            parser = self._parser
            self._rest = self._rest[parser.received(self._rest) :]
            if parser.awaits_continue and not self._continued:
                self._continued = True
                self._out.append(memoryview(_CONTINUE))
                self.flush(now)
            if parser.completed:
                self._parser = None
                self._continued = False
                if not parser.empty:
                    self.request = parser
                    self.used += 1
        return self.request

    # Responses

    def respond(self, response: Response, now: float) -> None:
        """Send the response to the request that is being answered."""
        self.request = None
        self._out.extend(map(memoryview, filter(None, response.parts)))
        self._file, self._file_bytes = response.file, response.file_bytes
        self._last = response.close
        self._idle_since = now
        self.flush(now)

    def flush(self, now: float) -> None:
        """Send as much as the client takes, but leave the others their turn."""
        try:
            sent = self._send_file() if not self._out else self._send_bytes()
            if self._file and not self._out and not self._file_bytes:
                self._close_file()
        except (BlockingIOError, InterruptedError):
            return
        if sent:
            self._idle_since = self.progress_at = now

    def _send_bytes(self) -> int:
        room, pieces = _TURN_BYTES, []
        for piece in self._out:
            pieces.append(piece[:room])
            room -= len(pieces[-1])
            if room <= 0:
                break
        left = sent = self.socket.sendmsg(pieces)
        while left:
            piece = self._out.popleft()
            if left < len(piece):
                self._out.appendleft(piece[left:])
            left -= min(left, len(piece))
        return sent

    def _send_file(self) -> int:
        if self._file is None:
            return 0
        count = min(_TURN_BYTES, self._file_bytes)
        sent = os.sendfile(self.socket.fileno(), self._file.fileno(), None, count)
        if not sent:
            raise OSError("the file is shorter than it was")
        self._file_bytes -= sent
        return sent

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def sending(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._out or self._file)

    @property
    def sends_file(self) -> bool:
        """Whether a file is open that this client has not taken to its end."""
        return self._file is not None

    @property
    def bodies(self) -> list[Any]:
        """What is in memory for this client, each body whole until its last byte is taken."""
        return [piece.obj for piece in self._out]

    # What it waits for

    @property
    def wanted_events(self) -> int:
        """What the selector is to look for; nothing while a worker computes."""
        if self.request:
            return 0
        return EVENT_WRITE if self.sending or self._rest else EVENT_READ

    @property
    def finished(self) -> bool:
        """Whether the last answer was sent."""
        return self._last and not self.sending

    @property
    def under_way(self) -> bool:
        """Whether a request is being answered or its answer is being sent."""
        return bool(self.request or self._rest or self.sending)

    def precedence(self) -> tuple[int, int, float]:
        """The smallest one closes first when there are too many connections.

        First those that wait between two requests, the most used one before the others; then all
        that have a request or an answer under way, or never sent anything, by when they last
        made progress: a new connection is the last of them.
        """
        if self.sending:
            return (1, 0, self.progress_at)
        if self.request or self._parser:
            return (1, 0, self._request_since)
        return (0 if self.used else 1, -self.used, self._idle_since)

    def overdue(self, now: float, patience: float = 1.0) -> bool:
        """Whether it has waited too long; called again and again. `patience` below 1 shortens all
        waits.
        """
        if self.sending:
            return self._sends_too_slowly(now, patience)
        self._answer_since = None
        if self.request:
            self._idle_since = self._request_since = now
            return False
        if self._parser:
            self._idle_since = now
            return now - self._request_since > REQUEST_SECONDS * patience
        return now - self._idle_since > IDLE_SECONDS * patience

    def _sends_too_slowly(self, now: float, patience: float) -> bool:
        if self._answer_since is None:
            self._answer_since = self.progress_at = now
        if (queued := self._queued_bytes()) != self._queued:
            self._queued, self.progress_at = queued, now
        self._idle_since = now
        return (
            now - self.progress_at > STALLED_SECONDS * patience
            or now - self._answer_since > ANSWER_SECONDS * patience
        )

    def _queued_bytes(self) -> int:
        """Bytes the system has and the client has not taken: megabytes, on a slow network."""
        try:
            raw = fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4))
        except OSError:
            return 0
        return int.from_bytes(raw, sys.byteorder)

    def close(self) -> None:
        """Close; after a complete answer, with an orderly end that even a sending client sees."""
        if self.finished:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
        self.closed = True
        self._out.clear()
        self._close_file()
        self.socket.close()
