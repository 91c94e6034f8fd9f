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

from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask, WSGITask

from engine.api.answers import error_answer

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

    def opened(self, monotonic: Callable[[], float], hand_on: Callable[[Channel], None]) -> None:
        """Start the clocks. `monotonic` gives seconds that never jump, `hand_on` takes requests."""
        self._monotonic = monotonic
        self._hand_on = hand_on
        self._idle_since = self._request_since = self._progress_at = monotonic()
        self._timed_request: object = None
        self._answer_since: float | None = None
        self._queued = self._kept = 0

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
                if request.expect_continue and request.headers_finished and not self.sent_continue:
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
        if self._rest and not (self.requests or self.total_outbufs_len or self.will_close):
            self.received(b"")

    def _flush_some(self, *, do_close: bool = True) -> bool:
        """Send what the client takes; let go of an answer that was sent.

        Waitress keeps it until the next one: a megabyte for each eight clients that just wait.
        """
        theirs: Any = super()
        kept: Any = self.outbufs
        flushed = bool(theirs._flush_some(do_close=do_close))  # noqa: SLF001 (we extend it)
        if not self.total_outbufs_len and kept[-1].buf is not None:
            kept.pop().close()
            kept.append(OverflowableBuffer(self.adj.outbuf_overflow))
        return flushed

    def write_soon(self, data: bytes) -> int:
        """Keep a part of an answer until the client takes it."""
        self._kept = len(data) + (self._kept if self.total_outbufs_len else 0)
        return int(super().write_soon(data))

    @property
    def kept_bytes(self) -> int:
        """What is in memory for this client: all of an answer, until the last byte is taken."""
        return self._kept if self.total_outbufs_len else 0

    @property
    def taken_at(self) -> float:
        """When the client last took something of what is sent to it."""
        return self._progress_at

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send what the client takes, and note that it did."""
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
        if self.socket is not None and self.will_close:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
        super().handle_close()

    def handle_error(self) -> None:
        """Something unforeseen in this connection ends this connection only."""
        self.logger.warning(
            "Connection closed after an unforeseen error",
            exc_info=True,  # noqa: LOG014  called while the exception is handled
        )
        self.handle_close()
