"""The web application: who may ask, which copy of an answer is sent, and what pages may read it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING

import bottle

from engine.api.answer_cache import AnswerCache, TooBusyError, UnreadableError
from engine.api.answers import Answer, Headers, error_answer, headers_of
from engine.api.assets import Assets, is_plain
from engine.api.hosts import host_allowed, host_of_origin
from engine.api.routes import NOT_FOUND, Routes, Sources, defer
from engine.http.negotiation import accepts_gzip, etag_matches
from engine.settings.values import ANY_ORIGIN

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

logger = logging.getLogger(__name__)

METHODS = "GET, HEAD, OPTIONS"
_READ_METHODS = ("GET", "HEAD")
_REQUEST_HEADERS = "Accept, Cache-Control, Content-Type, If-None-Match"
_HEADER_NAMES = re.compile(r"[\w!#$%&'*+.^`|~-]+(?: *, *[\w!#$%&'*+.^`|~-]+)*", re.ASCII)
_ABSOLUTE_FORM = re.compile(r"[a-z][a-z0-9+.-]*://([^/?#]*)", re.I)
_MAX_HEADER_NAMES = 1000
"""Characters of the list of headers that a page asks for."""

_NO_NAMES: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """What the operator decides about the HTTP side.

    `allowed_origins`: pages of these origins may read the answers (`ALLOWED_ORIGINS`); `*` is any.
    `allowed_hosts`: names of this hotspot as of now; called at each request, so it is quick.
    `max_computations`: answers that are being made at once; beyond it, 503.
    """

    allowed_origins: frozenset[str] = frozenset()
    allowed_hosts: Callable[[], frozenset[str]] = lambda: _NO_NAMES
    max_computations: int = 8


class Api(bottle.Bottle):  # type: ignore[misc]
    """The application. Callable from any number of threads at once; nothing is opened until the
    first request.
    """

    defers = True
    """Answers that are not at hand are left to a worker (`engine.http.wsgi.DEFERRED`)."""

    def __init__(
        self, sources: Sources, assets: Assets, settings: ApiSettings | None = None
    ) -> None:
        super().__init__()
        settings = settings or ApiSettings()
        self.config["catchall"] = False  # what fails is logged here, and answered as all errors
        self.uninstall(True)
        self.install(self._answering)
        self.add_hook("before_request", self._check)
        self.cache = AnswerCache(sources.open_report, settings.max_computations)
        self._origins = settings.allowed_origins
        self._allowed_hosts = settings.allowed_hosts
        self._origin_hosts = frozenset(
            host for origin in settings.allowed_origins if (host := host_of_origin(origin))
        )
        self._vary = ("Vary", "Accept-Encoding, Origin" if self._origins else "Accept-Encoding")
        Routes(self.cache, sources, assets).add_to(self)

    def refusal(self, code: int) -> tuple[str, Headers, bytes]:
        """The error for what never became a request, in the shape of all errors."""
        answer = error_answer(code, _REFUSALS.get(code, "Internal Server Error"))
        return answer.status, answer.headers(compressed=False), answer.body

    def _check(self) -> None:
        """Before any route: whether this is requested of us, in a way that is answered."""
        environ = bottle.request.environ
        host = _host(environ)
        # Every browser sends a name; probes and other clients of HTTP/1.0 send none.
        if host is not None and not (
            host_allowed(host, self._origin_hosts) or host_allowed(host, self._allowed_hosts())
        ):
            raise self._response(_UNKNOWN_HOST)
        method = environ["REQUEST_METHOD"]
        if method == "OPTIONS":
            raise self._response(_OPTIONS)
        if method not in _READ_METHODS:
            raise self._response(_METHOD_NOT_ALLOWED)
        if not is_plain(_decoded_path(environ)):
            raise self._response(NOT_FOUND)

    def _answering(self, make: Callable[..., Answer]) -> Callable[..., bottle.HTTPResponse]:
        """A plugin of Bottle: the response to what a route answers, or fails at."""

        @wraps(make)
        def respond(**arguments: str) -> bottle.HTTPResponse:
            try:
                answer = make(**arguments)
            except TooBusyError:
                answer = _TOO_BUSY
            except UnreadableError:
                answer = _UNREADABLE
            except Exception:
                logger.exception("A request could not be answered")
                answer = _INTERNAL_ERROR
            return self._response(answer)

        return respond

    def _response(self, answer: Answer) -> bottle.HTTPResponse:
        """The copy of an answer that this client takes: compressed, or 304, or without its body."""
        environ = bottle.request.environ
        compressed = accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", ""))
        if compressed and not answer.is_complete:
            defer()
        compressed = compressed and bool(answer.compressed())
        known = environ.get("HTTP_IF_NONE_MATCH", "")
        if known and answer.etag and etag_matches(known, answer.tag(compressed=compressed)):
            headers = self._headers(answer, environ, compressed=compressed)
            return bottle.HTTPResponse(b"", "304 Not Modified", headers)
        if answer.large is not None and environ["REQUEST_METHOD"] == "GET":
            try:
                file = answer.large.open()
            except OSError:
                return self._response(NOT_FOUND)
            headers = self._headers(answer, environ, compressed=False)
            return bottle.HTTPResponse(file, answer.status, headers)
        copy = (compressed, environ.get("HTTP_ORIGIN") if self._origins else None, self._vary)
        response = answer.responses.get(copy)
        if response is None:
            body = answer.compressed() if compressed else answer.body
            headers = self._headers(answer, environ, compressed=compressed)
            response = bottle.HTTPResponse(body, answer.status, headers)
            if not copy[1]:
                answer.responses[copy] = response
        return response

    def _headers(self, answer: Answer, environ: WSGIEnvironment, *, compressed: bool) -> Headers:
        headers = answer.headers(compressed=compressed)
        headers.append(self._vary)
        if self._origins:
            headers += self._cross_origin(environ)
        return headers

    def _cross_origin(self, environ: WSGIEnvironment) -> Headers:
        """Headers for pages of listed origins, and for those of all where `*` is listed."""
        origin = environ.get("HTTP_ORIGIN", "")
        if not origin:
            return []
        if ANY_ORIGIN in self._origins:
            origin = ANY_ORIGIN
        elif origin not in self._origins:
            return []
        headers = [
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", "ETag, Retry-After"),
        ]
        if environ["REQUEST_METHOD"] == "OPTIONS":
            requested = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "").strip()
            if len(requested) > _MAX_HEADER_NAMES or not _HEADER_NAMES.fullmatch(requested):
                requested = _REQUEST_HEADERS
            headers += [
                ("Access-Control-Allow-Methods", METHODS),
                ("Access-Control-Allow-Headers", requested),
                ("Access-Control-Max-Age", "86400"),
            ]
        return headers


def _host(environ: WSGIEnvironment) -> str | None:
    """The requested host: of the request target, where the request line has a whole one
    (RFC 9112 section 3.2.2), else of the Host header; None where neither is there.
    """
    address = _ABSOLUTE_FORM.match(environ.get("REQUEST_URI", ""))
    return address[1] if address else environ.get("HTTP_HOST")


def _decoded_path(environ: WSGIEnvironment) -> str:
    """The path as text. WSGI has bytes as latin-1 text; wrong UTF-8 shows as U+FFFD."""
    if environ.get("REQUEST_URI", "").startswith("//"):
        # The server folds leading slashes into one; nothing of ours is asked for that way.
        return "//"
    raw: str = environ["bottle.raw_path"] or "/"
    return raw if raw.isascii() else raw.encode("latin-1").decode("utf-8", "replace")


_REFUSALS = {
    400: "Bad Request",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
}
_METHOD_NOT_ALLOWED = error_answer(405, "Method Not Allowed", ("Allow", METHODS))
_UNKNOWN_HOST = error_answer(
    421,
    "This is not a name of this hotspot. Use its address or its own name, or add the name you "
    "use to ALLOWED_HOSTS.",
)
_INTERNAL_ERROR = error_answer(500, "Internal Server Error")
_TOO_BUSY = error_answer(503, "Too many requests are being computed", ("Retry-After", "1"))
_UNREADABLE = error_answer(503, "The figures cannot be read at the moment", ("Retry-After", "5"))
_OPTIONS = Answer(204, [*headers_of("", "no-store"), ("Allow", METHODS)])
