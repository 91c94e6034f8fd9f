"""One client connection, with deadlines that a clock jump cannot move and strict parsing.

In: bytes of a client, and the time as an argument or from the server's `monotonic`. Out: requests
for the worker threads.
Must not: hold a thread for a slow client, or repeat in an error what was sent.

Owned by the thread that runs the server's loop, except for what waitress locks itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import sys
import termios
from collections.abc import Callable
from typing import Any, Final

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask, WSGITask

from engine.api.answers import error_answer
from engine.api.waiting import PIECE_BYTES, FilePieces, Pieces

REQUEST_SECONDS: Final = 15.0
"""From the first byte of a request to its last."""
IDLE_SECONDS: Final = 30.0
"""Between two requests of one connection, and before the first."""
STALLED_SECONDS: Final = 20.0
"""While an answer waits and the client takes none of it."""
ANSWER_SECONDS: Final = 300.0
"""For a whole answer, however steadily it trickles."""

MAX_HEADER_BYTES: Final = 16 * 1024
MAX_BODY_BYTES: Final = 16 * 1024
"""No route reads a body; a polite client's small one is taken and thrown away."""

_TURN_BYTES = 1024 * 1024
"""So much is sent to one client before the others have their turn."""
_MAX_LENGTH_DIGITS = 10
_ERROR_DETAILS = {
    400: "Bad Request",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
}


class RequestParser(HTTPRequestParser):
    """Waitress's parser, which refuses a little more: what two servers could read differently."""

    def parse_header(self, header_plus: bytes) -> None:
        """Raise `ParsingError` for whatever is not plainly one request."""
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # a length of thousands of digits, a broken address in brackets
            raise ParsingError("Malformed request") from error
        length = self.headers.get("CONTENT_LENGTH", "")
        if self.chunked and length:
            raise ParsingError("Both a length and chunks")
        if "TRANSFER_ENCODING" in self.headers:  # waitress takes it out for HTTP/1.1 only
            raise ParsingError("Chunks before HTTP/1.1")
        if len(length) > _MAX_LENGTH_DIGITS:
            raise ParsingError("Absurd length")


class PlainErrorTask(ErrorTask):
    """Answers what never became a request, in the shape and with the headers of all errors."""

    def execute(self) -> None:
        """Send the error and close: what follows on this connection cannot be trusted."""
        request: Any = self.request
        code = request.error.code
        answer = error_answer(code, _ERROR_DETAILS.get(code, "Internal Server Error"))
        self.status = answer.status
        self.response_headers = answer.headers(compressed=False)
        self.set_close_on_finish()
        self.content_length = len(answer.body)
        self.write(answer.body)


class KeepingTask(WSGITask):
    """A task that keeps the connection after a 204 or 304, which waitress would close.

    Those have no body, so there is no length to miss; and a 304 is what pollers get most.
    """

    def set_close_on_finish(self) -> None:
        """Close after this answer, if the client asked for it or its end could not be told."""
        request: Any = self.request
        asked = request.headers.get("CONNECTION", "").lower() == "close"
        if asked or self.has_body or self.version == "1.0":
            super().set_close_on_finish()


class Channel(HTTPChannel):
    """A connection that knows since when it waits, and for what. `opened` comes first."""

    parser_class = RequestParser
    task_class = KeepingTask
    error_task_class = PlainErrorTask

    receiving = False
    """Inside `received`."""
    ready = False
    """A request became complete inside `received`."""
    _rest = b""
    """What came together with a request and belongs to the next ones."""

    def opened(
        self,
        monotonic: Callable[[], float],
        hand_on: Callable[[Channel], None],
        closed: Callable[[Channel], None],
        origin: str = "",
    ) -> None:
        """Start the clocks. `monotonic` gives seconds that never jump, `hand_on` takes requests,
        `closed` is told of the end. `origin`: what this connection is counted under.
        """
        ours: Any = self
        ours.outbufs = [Pieces()]
        self.origin = origin
        self.used = self.turn = 0
        self._monotonic = monotonic
        self._hand_on = hand_on
        self._closed = closed
        self._idle_since = self._request_since = self._progress_at = monotonic()
        self._timed_request: object = None
        self._answer_since: float | None = None
        self._queued = 0

    def received(self, data: bytes) -> bool:
        """Take bytes of the client; the clock of a request starts with its first one.

        `add_task` is called inside, with a lock held: what became ready is handed on after it.
        """
        self._idle_since = self._monotonic()
        self.receiving = True
        try:
            taken = self._parse(data)
        finally:
            self.receiving = False
        if self.request is not self._timed_request:
            self._timed_request = self.request
            self._request_since = self._idle_since
        if self.ready:
            self.ready = False
            self.used += 1
            self._hand_on(self)
        return taken

    def _parse(self, data: bytes) -> bool:
        """As waitress does it, but one request at a time, when the last answer was taken.

        A client can send hundreds at once: parsed, they take fifty times the room, and answers to
        them, which nobody may ever read, a thousand times that.
        """
        ours: Any = self  # the stubs know neither the lock nor that the list is one
        with ours.requests_lock:
            data, self._rest = self._rest + data, b""
            if self.will_close or self.close_when_flushed:
                return False
            while data:
                if self.requests:
                    self._rest = data
                    break
                request: Any = self.request or self.parser_class(self.adj)
                self.request = request
                taken = request.received(data)
                awaited = request.headers_finished and not request.completed
                if request.expect_continue and awaited and not self.sent_continue:
                    self.send_continue()
                if request.completed:
                    self.sent_continue = False
                    self.request = None
                    if not request.empty:
                        ours.requests.append(request)
                        ours.server.add_task(self)
                data = data[taken:]
        return True

    def writable(self) -> bool:
        """True while there is something to send, or to go on with once all was sent."""
        return bool(super().writable() or (self._rest and not self.requests))

    def handle_write(self) -> None:
        """Send; when all is sent, go on with what came together with the last request."""
        super().handle_write()
        under_way = self.requests or self.total_outbufs_len or self.will_close
        if self._rest and self.connected and not under_way:
            self.received(b"")

    def _flush_some(self, *, do_close: bool = True) -> bool:
        """Send what the client takes, but leave the others their turn. True when it took some."""
        sent = 0
        buffers: Any = self.outbufs
        while sent < _TURN_BYTES:
            if not len(buffers[0]):
                if len(buffers) == 1:
                    break
                buffers.pop(0).close()
                continue
            taken = self.send(buffers[0].get(PIECE_BYTES), do_close)
            if not taken:
                break
            buffers[0].skip(taken, True)
            self.total_outbufs_len -= taken
            sent += taken
        return sent > 0

    def write_soon(self, data: Any) -> int:
        """Keep a part of an answer, or a file, until the client takes it."""
        if not self.connected:
            raise ClientDisconnected
        if not data:
            return 0
        ours: Any = self
        buffers: Any = self.outbufs
        with self.outbuf_lock:
            if isinstance(data, FilePieces):
                buffers += (data, Pieces())
            else:
                buffers[-1].append(data)
            size = len(data)
            self.total_outbufs_len += size
            _, failed = ours._flush_exception(self._flush_some, do_close=False)  # noqa: SLF001
            if failed or self.total_outbufs_len:
                self.server.pull_trigger()
        return size

    def send_continue(self) -> None:
        """Tell the client to send its body; one that has gone away is no error."""
        request: Any = self.request
        request.expect_continue = False
        self.sent_continue = True
        with contextlib.suppress(ClientDisconnected):
            self.write_soon(b"HTTP/1.1 100 Continue\r\n\r\n")

    def bodies(self) -> list[Any]:
        """What is in memory for this client. Waits for a worker that sends to it at the moment."""
        buffers: Any = self.outbufs
        with self.outbuf_lock:
            return [b for part in buffers if isinstance(part, Pieces) for b in part.bodies()]

    @property
    def body_bytes(self) -> int:
        """What is in memory for this client: each body as a whole, until its last byte is taken."""
        buffers: Any = self.outbufs
        parts = [part for part in tuple(buffers) if isinstance(part, Pieces)]
        return sum(len(body) for part in parts for body in part.bodies())

    @property
    def holds_file(self) -> bool:
        """Whether a file is open that this client has not taken to its end."""
        buffers: Any = self.outbufs
        return any(isinstance(part, FilePieces) for part in tuple(buffers))

    def precedence(self) -> tuple[int, int, float]:
        """The smallest one leaves first when there are too many connections.

        First those that wait between two requests, the most used one before the others; then all
        that have a request or an answer under way, or never sent anything, by when they last
        came forward: a new connection is the last of them.
        """
        if self.total_outbufs_len:
            return (1, 0, self._progress_at)
        if self.requests or self.request is not None:
            return (1, 0, self._request_since)
        return (0 if self.used else 1, -self.used, self._idle_since)

    @property
    def taken_at(self) -> float:
        """When the client last took something of what is sent to it."""
        return self._progress_at

    def send(self, data: Any, do_close: bool = True) -> int:
        """Send what the client takes, and note that it did."""
        if not len(data):  # a file that is shorter than it was: the rest never comes
            self.will_close = True
            return 0
        sent: int = super().send(data, do_close)
        if sent:
            self._idle_since = self._progress_at = self._monotonic()
        return sent

    def overdue(self, now: float, patience: float = 1.0) -> bool:
        """True when this connection has waited too long; called again and again.

        `now` is monotonic, seconds. `patience` below 1 shortens all waits.
        """
        if self.total_outbufs_len:
            if self._answer_since is None:
                self._answer_since = self._progress_at = now
            if (queued := self._queued_bytes()) != self._queued:
                self._queued, self._progress_at = queued, now
            self._idle_since = now
            stalled = now - self._progress_at
            return bool(
                stalled > STALLED_SECONDS * patience
                or now - self._answer_since > ANSWER_SECONDS * patience
            )
        self._answer_since = None
        if self.requests:
            self._idle_since = self._request_since = now
            return False
        if self.request is not None:
            self._idle_since = now
            return bool(now - self._request_since > REQUEST_SECONDS * patience)
        return bool(now - self._idle_since > IDLE_SECONDS * patience)

    def _queued_bytes(self) -> int:
        """Bytes the system holds that the client has not taken: megabytes, on a slow network."""
        if self.socket is None:
            return 0
        try:
            raw = fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4))
        except OSError:
            return 0
        return int.from_bytes(raw, sys.byteorder)

    def busy(self) -> bool:
        """True while a request is being answered or its answer is on the way."""
        waits = self.requests or self._rest
        return bool(waits or self.total_outbufs_len or self.close_when_flushed)

    def handle_close(self) -> None:
        """Close; after a complete answer, with an orderly end that even a sending client sees."""
        if self.socket is not None:
            if self.will_close:
                with contextlib.suppress(OSError):
                    self.socket.shutdown(socket.SHUT_WR)
            self._closed(self)
        super().handle_close()

    def handle_error(self) -> None:
        """Something unforeseen in this connection ends this connection only."""
        self.logger.warning(
            "Connection closed after an unforeseen error",
            exc_info=True,  # noqa: LOG014  called while the exception is handled
        )
        self.handle_close()
