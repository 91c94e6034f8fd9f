"""One HTTP answer, ready to be sent many times: plain and compressed, with all its headers.

Tags are made from the bytes themselves: a restart, another thread or another compressed copy never
gives two contents one tag, and a save that changed nothing visible costs a poller nothing.
"""

from __future__ import annotations

import gzip
import json
from hashlib import blake2b
from http import HTTPStatus
from typing import IO, Any, Final, Protocol

STRICT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""Content-Security-Policy of all that we make ourselves."""

FOREIGN_PAGE_POLICY: Final = "default-src 'self' 'unsafe-inline' data:"
"""Content-Security-Policy of a page that the operator put in `UI_LOCATION`."""

JSON_TYPE: Final = "application/json"
TEXT_TYPE: Final = "text/plain; charset=utf-8"
HTML_TYPE: Final = "text/html; charset=utf-8"

REVALIDATE: Final = "no-cache"
NEVER_STORE: Final = "no-store"
FOREVER: Final = "public, max-age=31536000, immutable"

_COMPRESS_FROM_BYTES = 500
"""Below this, headers and one packet dominate and gzip saves nothing."""
_COMPRESS_LEVEL = 6
_COMPRESSIBLE = ("text/", "application/json", "application/javascript", "image/svg+xml")

Headers = list[tuple[str, str]]


class LargeFile(Protocol):
    """A file that is sent from disk, piece by piece."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def tag(self) -> str:
        """Another text for another content."""

    def open(self) -> IO[bytes]:
        """Open it; raises OSError when it is no longer there, or another one."""


def headers_of(content_type: str, cache_control: str, policy: str = STRICT_POLICY) -> Headers:
    """What every answer has; `content_type` may be empty."""
    return [
        *([("Content-Type", content_type)] if content_type else []),
        ("Cache-Control", cache_control),
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
    ]


class Answer:
    """Status, headers and body; the compressed copy is made when first asked for, then cached.

    `tagged` answers have an entity tag, others are never compared. Two threads asking for the first
    compressed copy at once may both make it: the copies are equal. A body that is a `LargeFile` is
    not in memory.
    """

    __slots__ = (
        "_gzip_body",
        "_headers",
        "body",
        "etag",
        "large",
        "responses",
        "status",
    )

    def __init__(
        self,
        status: int,
        headers: Headers,
        body: bytes | LargeFile = b"",
        gzip_body: bytes | None = None,
        *,
        tagged: bool = False,
    ) -> None:
        self.status = f"{status} {HTTPStatus(status).phrase}"
        self.large = None if isinstance(body, bytes) else body
        self.body = body if isinstance(body, bytes) else b""
        self.etag = ""
        """The opaque part of a strong tag."""
        if tagged:
            self.etag = self.large.tag if self.large else _digest(self.body)
        name, content_type = headers[0]
        compressible = name == "Content-Type" and content_type.startswith(_COMPRESSIBLE)
        compressible = compressible and len(self.body) >= _COMPRESS_FROM_BYTES
        self._gzip_body = gzip_body or (None if compressible else b"")
        self._headers = headers
        self.responses: dict[Any, Any] = {}
        """Copies of it that are ready to be sent (`app`)."""

    def tag(self, *, compressed: bool) -> str:
        """The tag of one of the two copies: bytes that differ must have tags that differ."""
        return f"{self.etag}-gzip" if compressed else self.etag

    @property
    def is_complete(self) -> bool:
        """True when nothing is left to compute: the compressed copy is made, or there is none."""
        return self._gzip_body is not None

    def compressed(self) -> bytes:
        """The gzip copy; empty when there is none, as for small bodies and images."""
        if self._gzip_body is None:
            self._gzip_body = gzip.compress(self.body, _COMPRESS_LEVEL, mtime=0)
        return self._gzip_body

    def headers(self, *, compressed: bool) -> Headers:
        """A new list of the headers that go with one of the two copies."""
        headers = [*self._headers]
        if not self.status.startswith("204"):
            size = self.large.size if self.large else len(self.body)
            headers.append(("Content-Length", str(len(self.compressed()) if compressed else size)))
        if self.etag:
            headers.append(("ETag", f'"{self.tag(compressed=compressed)}"'))
        if compressed:
            headers.append(("Content-Encoding", "gzip"))
        return headers


def json_bytes(value: object) -> bytes:
    """Compact JSON in UTF-8. A lone surrogate, which UTF-8 cannot hold, becomes `?`."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")


def json_answer(value: object, *, status: int = 200, live: bool = False) -> Answer:
    """A JSON object. `live` answers (state of the process) are not to be stored by anyone."""
    if live or status != HTTPStatus.OK:
        return Answer(status, headers_of(JSON_TYPE, NEVER_STORE), json_bytes(value))
    return cached_answer(json_bytes(value), JSON_TYPE)


def cached_answer(body: bytes, content_type: str) -> Answer:
    """200 that a client may keep, and asks about each time."""
    return Answer(200, headers_of(content_type, REVALIDATE), body, tagged=True)


def error_answer(status: int, detail: object, *extra: tuple[str, str]) -> Answer:
    """`{"detail": ...}` as clients of v1 expect it; never holds anything the client sent."""
    headers = [*headers_of(JSON_TYPE, NEVER_STORE), *extra]
    return Answer(status, headers, json_bytes({"detail": detail}))


def invalid_parameter(place: str, name: str, message: str, kind: str) -> dict[str, Any]:
    """What is wrong with one parameter, in the words of FastAPI. `place` is `path` or `query`."""
    return {"loc": [place, name], "msg": message, "type": kind}


def invalid_answer(*problems: dict[str, Any]) -> Answer:
    """422 that lists every problem found."""
    return error_answer(422, list(problems))


def redirect_answer(location: str) -> Answer:
    """307 to a path on this host; the Host header is never used to build it."""
    return Answer(307, [*headers_of(TEXT_TYPE, NEVER_STORE), ("Location", location)])


def _digest(body: bytes) -> str:
    return blake2b(body, digest_size=12).hexdigest()
