"""Parses requests strictly: whatever two servers could read differently is refused.

Waitress's parser does the work. Its version is pinned, and tests hold each attribute that is used.
"""

from __future__ import annotations

from typing import Any, Final

from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser, ParsingError

MAX_HEADER_BYTES: Final = 16 * 1024
MAX_BODY_BYTES: Final = 16 * 1024
"""No route reads a body; a polite client's small one is received and dropped."""

_MAX_LENGTH_DIGITS = 10


class RequestParser(HTTPRequestParser):
    """Bytes of one request in; then, unless it is refused, these attributes tell what it asks for.

    `path` is percent-decoded bytes as latin-1 text, as WSGI has it; names in `headers` are in upper
    case, with underscores.
    """

    command: Any
    path: str
    query: str
    request_uri: str
    version: Any
    headers: dict[str, str]

    def __init__(self) -> None:
        super().__init__(_LIMITS)

    def parse_header(self, header_plus: bytes) -> None:
        """Raise `ParsingError` for whatever is not plainly one request."""
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # a length of thousands of digits, a broken address in brackets
            raise ParsingError("Malformed request") from error
        length = self.headers.get("CONTENT_LENGTH", "")
        if self.chunked and length:
            raise ParsingError("Both a length and chunks")
        if "TRANSFER_ENCODING" in self.headers:  # waitress removes it for HTTP/1.1 only
            raise ParsingError("Chunks before HTTP/1.1")
        if len(length) > _MAX_LENGTH_DIGITS:
            raise ParsingError("Absurd length")

    @property
    def refused(self) -> int | None:
        """The status of a request that is refused, such as 400; None for a valid one."""
        error: Any = self.error
        return error.code if error else None

    @property
    def awaits_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body."""
        return bool(self.expect_continue and self.headers_finished and not self.completed)


_LIMITS: Final = Adjustments(
    max_request_header_size=MAX_HEADER_BYTES, max_request_body_size=MAX_BODY_BYTES
)
