"""Calls the application for one request and turns its answer into bytes to be sent.

Nothing here knows a socket: it runs in the thread that owns the connections or in a worker.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any, Final

from engine.http.parsing import RequestParser

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

Headers = list[tuple[str, str]]
Environ = dict[str, Any]
Refusal = tuple[str, Headers, bytes]
"""Status line, headers and body of an error that the server itself answers."""

_FILE_BYTES: Final = 64 * 1024
_VERSIONS = ("1.0", "1.1")
_WITHOUT_BODY = ("1", "204", "304")


DEFERRED: Final = "http.deferred"
"""In the environment of a request that is answered by the thread of the loop: an exception to raise
when the answer is not at hand. A worker then asks again, without it.
"""


class Deferred(BaseException):
    """The application must compute this answer. No Exception, so that nothing catches it."""


class FileBody:
    """`wsgi.file_wrapper`: a file on disk, sent by the system without passing through memory."""

    def __init__(self, file: IO[bytes], block_size: int = _FILE_BYTES) -> None:
        self.file = file
        self._block_size = block_size

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.file.read(self._block_size), b"")

    def close(self) -> None:
        """Close the file."""
        self.file.close()


@dataclass(slots=True)
class Response:
    """What is to be sent for one request: bytes, then `file_bytes` of a file."""

    parts: list[bytes]
    close: bool
    """Whether the connection ends after it."""
    file: IO[bytes] | None = None
    file_bytes: int = 0


class Responder:
    """Calls one application. All methods may be called from any thread.

    The application may have two more attributes. `defers`: whether it knows `DEFERRED`; else
    workers make all its answers. `refusal(status)`: the answer to what never became a request, and
    to one that the application failed at.
    """

    def __init__(self, app: WSGIApplication, server: tuple[str, int]) -> None:
        self._app = app
        self._server_name, self._server_port = server[0], str(server[1])
        self._refusal: Callable[[int], Refusal] = getattr(app, "refusal", plain_refusal)
        self._defers: bool = getattr(app, "defers", False)

    def respond_at_once(self, request: RequestParser, address: tuple[Any, ...]) -> Response | None:
        """The response when it is at hand; None when a worker must make it. Never raises."""
        if request.refused is None and not self._defers:
            return None
        try:
            return self.respond(request, address, {DEFERRED: Deferred})
        except Deferred:
            return None

    def respond(
        self, request: RequestParser, address: tuple[Any, ...], extra: Environ | None = None
    ) -> Response:
        """The response to a request of the client at `address`. Raises nothing but `Deferred`."""
        if request.refused is not None:
            return self._refuse(request, request.refused)
        try:
            return self._call(request, self._environ(request, address) | (extra or {}))
        except Exception:
            logger.exception("The application failed")
            return self._refuse(request, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _refuse(self, request: RequestParser, code: int) -> Response:
        status, headers, body = self._refusal(code)
        return Response([_head(request, status, headers, close=True), body], close=True)

    def _call(self, request: RequestParser, environ: Environ) -> Response:
        parts: list[bytes] = []
        started: list[tuple[str, Headers]] = []

        def start_response(status: str, headers: Headers, exc_info: Any = None) -> Any:
            if started and not exc_info:
                raise AssertionError("start_response called twice")
            started[:] = [(status, list(headers))]
            return parts.append

        result: Any = self._app(environ, start_response)
        file = result.file if isinstance(result, FileBody) else None
        try:
            if file is None:
                parts += [part for part in result if part]
        finally:
            if file is None and hasattr(result, "close"):
                result.close()
        try:
            [(status, headers)] = started
            return _response(request, status, headers, parts, file)
        except Exception:
            if file is not None:
                file.close()
            raise

    def _environ(self, request: RequestParser, address: tuple[Any, ...]) -> Environ:
        path = request.path
        environ: Environ = {
            "REMOTE_ADDR": address[0],
            "REMOTE_HOST": address[0],
            "REMOTE_PORT": str(address[1]),
            "REQUEST_METHOD": request.command,
            "SERVER_NAME": self._server_name,
            "SERVER_PORT": self._server_port,
            "SERVER_PROTOCOL": f"HTTP/{_version(request)}",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/" + path.lstrip("/") if path.startswith("/") else path,
            "REQUEST_URI": request.request_uri,
            "QUERY_STRING": request.query,
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.input": request.get_body_stream(),
            "wsgi.input_terminated": True,
            "wsgi.file_wrapper": FileBody,
        }
        for name, value in request.headers.items():
            plain = name in ("CONTENT_LENGTH", "CONTENT_TYPE")
            environ.setdefault(name if plain else f"HTTP_{name}", value)
        return environ


def plain_refusal(code: int) -> Refusal:
    """What a client is told when the application has no words for it."""
    body = HTTPStatus(code).phrase.encode()
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    return f"{code} {HTTPStatus(code).phrase}", headers, body


def _version(request: RequestParser) -> str:
    return request.version if request.version in _VERSIONS else "1.0"


def _response(
    request: RequestParser, status: str, headers: Headers, parts: list[bytes], file: Any
) -> Response:
    """A response whose length is always known: all of it is in memory, or in a file."""
    has_body = not status.startswith(_WITHOUT_BODY)
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    if file is not None:
        sent = int(lengths[0]) if lengths else os.fstat(file.fileno()).st_size
    else:
        sent = sum(map(len, parts))
    if not has_body:
        headers = [header for header in headers if header[0].lower() != "content-length"]
    elif not lengths:
        headers.append(("Content-Length", str(sent)))
    elif int(lengths[0]) != sent and request.command != "HEAD":
        raise ValueError(f"the application gave {sent} bytes and announced {lengths[0]}")
    connection = request.headers.get("CONNECTION", "").lower()
    close = connection == "close"
    if _version(request) == "1.0":
        close = connection != "keep-alive" or not has_body
        if not close:
            headers.append(("Connection", "Keep-Alive"))
    head = _head(request, status, headers, close=close)
    if not has_body or request.command == "HEAD":
        return Response([head], close)
    return Response([head, *parts], close, file, sent if file else 0)


def _head(request: RequestParser, status: str, headers: Headers, *, close: bool) -> bytes:
    """Status line and headers, sorted by name."""
    headers = [(_capitalized(name), value) for name, value in headers]
    if close:
        headers.append(("Connection", "close"))
    headers.append(("Date", _date(int(time.time()))))
    headers.sort(key=lambda header: header[0])
    lines = [f"HTTP/{_version(request)} {status}", *(f"{name}: {value}" for name, value in headers)]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a line break in a header")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@lru_cache(maxsize=256)
def _capitalized(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
