"""The WSGI application: who may ask, what is asked, which copy is sent.

In: requests; `open_report`, `status`, `health`, `metrics`, `now` and the files, all handed over.
Out: a WSGI callable. Each request passes host, method, path, answer, copy (304, gzip, HEAD), CORS.
Must not: read the clock or a file itself, or show an exception to a client.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from wsgiref.util import FileWrapper

from engine.api.answers import Answer, Headers, error_answer
from engine.api.assets import Assets, is_plain
from engine.api.figures import OpenReport
from engine.api.hosts import host_allowed, host_of_origin
from engine.api.reading import Reading, TooBusyError, UnreadableError
from engine.api.routes import Routes, Sources
from engine.http.negotiation import accepts_gzip, etag_matches
from engine.settings.values import ANY_ORIGIN

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger(__name__)

METHODS = "GET, HEAD, OPTIONS"
_READ_METHODS = ("GET", "HEAD")
_REQUEST_HEADERS = "Accept, Cache-Control, Content-Type, If-None-Match"
_HEADER_NAMES = re.compile(r"[\w!#$%&'*+.^`|~-]+(?: *, *[\w!#$%&'*+.^`|~-]+)*", re.ASCII)
_ABSOLUTE_FORM = re.compile(r"[a-z][a-z0-9+.-]*://([^/?#]*)", re.I)
_MAX_HEADER_NAMES = 1000
"""Characters of the list of headers that a page asks for."""
_CONTENT_HEADERS = ("Content-Type", "Content-Length", "Content-Encoding")
_API_PREFIXES = ("/api", "/health", "/metrics")

_NO_NAMES: frozenset[str] = frozenset()


def _no_names() -> frozenset[str]:
    return _NO_NAMES


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """What the operator decides about the HTTP side.

    `allowed_origins`: pages of these origins may read the answers (`ALLOWED_ORIGINS`); `*` is any.
    `allowed_hosts`: names of this hotspot as of now; asked at each request, so it must be quick.
    `max_computations`: answers that are being made at once; beyond it, 503.
    """

    allowed_origins: frozenset[str] = frozenset()
    allowed_hosts: Callable[[], frozenset[str]] = _no_names
    max_computations: int = 8


class Api:
    """The application. Callable from any number of threads at once."""

    def __init__(
        self, settings: ApiSettings, reading: Reading, routes: Routes, assets: Assets
    ) -> None:
        self.reading = reading
        self.routes = routes
        self._assets = assets
        self._origins = settings.allowed_origins
        self._allowed_hosts = settings.allowed_hosts
        self._origin_hosts = frozenset(
            host for origin in settings.allowed_origins if (host := host_of_origin(origin))
        )
        self._vary = ("Vary", "Accept-Encoding, Origin" if self._origins else "Accept-Encoding")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            answer = self._answer(environ)
        except Exception:
            logger.exception("A request could not be answered")
            answer = _INTERNAL_ERROR
        return self._send(answer, environ, start_response)

    def in_memory(self, path: str, query: str) -> bool:
        """True when a request for this can be answered at once: by the thread that listens.

        `path` is decoded bytes dressed as latin-1, as WSGI has it. Errors and files are in memory,
        figures when they are kept and still hold; what is made anew each time is not.
        """
        if path.startswith(_API_PREFIXES):
            found = self.routes.kept(path, query)
            return found is not None and found.settled
        found = self._assets.find(path)
        return found is None or found.settled

    def refusal(self, code: int) -> tuple[str, Headers, bytes]:
        """The error for what never became a request, in the shape of all errors."""
        answer = error_answer(code, _REFUSALS.get(code, "Internal Server Error"))
        return answer.status, answer.headers(compressed=False), answer.body

    def _answer(self, environ: WSGIEnvironment) -> Answer:
        host = _host(environ)
        # Every browser sends a name; probes and other clients of HTTP/1.0 send none.
        if host is not None and not (
            host_allowed(host, self._origin_hosts) or host_allowed(host, self._allowed_hosts())
        ):
            return _UNKNOWN_HOST
        method = environ["REQUEST_METHOD"]
        if method == "OPTIONS":
            return _OPTIONS
        if method not in _READ_METHODS:
            return _METHOD_NOT_ALLOWED
        path = _decoded_path(environ)
        if not is_plain(path):
            return _NOT_FOUND
        try:
            if path.startswith(_API_PREFIXES):
                found = self.routes.answer(path, environ.get("QUERY_STRING", ""))
                if found is not None:
                    return found
            if path.startswith("/api"):
                return _NOT_FOUND
        except TooBusyError:
            return _TOO_BUSY
        except UnreadableError:
            return _UNREADABLE
        return self._assets.find(path) or _NOT_FOUND

    def _send(
        self, answer: Answer, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        compressed = bool(
            accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")) and answer.compressed()
        )
        headers = answer.headers(compressed=compressed)
        headers.append(self._vary)
        if self._origins:
            headers += self._cross_origin(environ)
        known = environ.get("HTTP_IF_NONE_MATCH", "")
        if known and answer.etag and etag_matches(known, answer.tag(compressed=compressed)):
            start_response("304 Not Modified", _without_content(headers))
            return []
        if environ["REQUEST_METHOD"] == "HEAD" or answer is _OPTIONS:
            start_response(answer.status, headers)
            return []
        if answer.large is not None:
            try:
                wrapper: Callable[[IO[bytes]], Iterable[bytes]] = environ.get(
                    "wsgi.file_wrapper", FileWrapper
                )
                file = wrapper(answer.large.open())
            except OSError:
                return self._send(_NOT_FOUND, environ, start_response)
            start_response(answer.status, headers)
            return file
        start_response(answer.status, headers)
        return [answer.compressed() if compressed else answer.body]

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
            asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "").strip()
            if len(asked) > _MAX_HEADER_NAMES or not _HEADER_NAMES.fullmatch(asked):
                asked = _REQUEST_HEADERS
            headers += [
                ("Access-Control-Allow-Methods", METHODS),
                ("Access-Control-Allow-Headers", asked),
                ("Access-Control-Max-Age", "86400"),
            ]
        return headers


def create_app(
    *,
    open_report: OpenReport,
    status: Callable[[], Mapping[str, Any]],
    health: Callable[[], list[str]],
    metrics: Callable[[], str],
    now: Callable[[], int],
    assets: Assets,
    settings: ApiSettings | None = None,
) -> Api:
    """Put the HTTP side together; nothing is opened until the first request.

    `open_report` is called once in each thread that answers, and again after a failure. `status`,
    `health` (reasons why not, empty when healthy) and `metrics` (Prometheus text) are called at
    each request for them, from any thread. `now` gives whole seconds since the epoch.
    """
    settings = settings or ApiSettings()
    reading = Reading(open_report, settings.max_computations)
    routes = Routes(reading, Sources(status=status, health=health, metrics=metrics, now=now))
    return Api(settings, reading, routes, assets)


def _host(environ: WSGIEnvironment) -> str | None:
    """The host that is asked for: of the address, where the request line has a whole one
    (RFC 9112 section 3.2.2), else of the Host header; None where neither is there.
    """
    address = _ABSOLUTE_FORM.match(environ.get("REQUEST_URI", ""))
    return address[1] if address else environ.get("HTTP_HOST")


def _decoded_path(environ: WSGIEnvironment) -> str:
    """The path as text. WSGI hands over bytes dressed as latin-1; wrong UTF-8 shows as U+FFFD."""
    if environ.get("REQUEST_URI", "").startswith("//"):
        # The server folds leading slashes into one; nothing of ours is asked for that way.
        return "//"
    raw: str = environ.get("PATH_INFO", "") or "/"
    return raw if raw.isascii() else raw.encode("latin-1").decode("utf-8", "replace")


def _without_content(headers: Headers) -> Headers:
    return [header for header in headers if header[0] not in _CONTENT_HEADERS]


_REFUSALS = {
    400: "Bad Request",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
}
_NOT_FOUND = error_answer(404, "Not Found")
_METHOD_NOT_ALLOWED = error_answer(405, "Method Not Allowed", ("Allow", METHODS))
_UNKNOWN_HOST = error_answer(
    421,
    "This is not a name of this hotspot. Use its address or its own name, or add the name you "
    "use to ALLOWED_HOSTS.",
)
_INTERNAL_ERROR = error_answer(500, "Internal Server Error")
_TOO_BUSY = error_answer(503, "Too many requests are being computed", ("Retry-After", "1"))
_UNREADABLE = error_answer(503, "The figures cannot be read at the moment", ("Retry-After", "5"))
_OPTIONS = Answer(204, extra=(("Allow", METHODS),))
