"""A browser's connection: it sends exactly the bytes that it is given."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Self

from lab.processes import ANSWER_SECONDS, LOOPBACK


@dataclass(frozen=True)
class Answer:
    """What came back: status, headers by lower-case name (the last of each), body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Header = tuple[str, str | bytes]


class Browser:
    """One keep-alive connection that sends exactly the bytes it is told, as any client may."""

    def __init__(
        self, address: tuple[str, int], headers: Iterable[Header] = (), source: str = LOOPBACK
    ) -> None:
        self._address = address
        self._headers = tuple(headers)
        self._source = source
        self.requests = 0
        """How many requests have been answered."""
        self._socket: socket.socket | None = None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def ask(
        self,
        method: str,
        host: str,
        target: str | bytes,
        headers: Iterable[Header] = (),
        body: bytes | None = None,
    ) -> Answer:
        """Send one request with the given Host header and wait for its whole answer.

        Headers given here take the place of the browser's own of the same name.
        """
        lines = [method.encode("ascii") + b" " + _bytes(target) + b" HTTP/1.1"]
        lines.append(b"Host: " + host.encode("utf-8"))
        given = tuple(headers)
        replaced = {name.lower() for name, _ in given}
        usual = (header for header in self._headers if header[0].lower() not in replaced)
        for name, value in (*usual, *given):
            lines.append(name.encode("ascii") + b": " + _bytes(value))
        if body is not None:
            lines.append(b"Content-Length: " + str(len(body)).encode("ascii"))
        if self._socket is None:
            self._socket = socket.create_connection(
                self._address, timeout=ANSWER_SECONDS, source_address=(self._source, 0)
            )
        self._socket.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + (body or b""))
        answer = HTTPResponse(self._socket, method=method)
        answer.begin()
        content = answer.read()
        keep = not answer.will_close
        headers_back = {name.lower(): value for name, value in answer.getheaders()}
        answer.close()
        self.requests += 1
        if not keep:
            self.close()
        return Answer(answer.status, headers_back, content)

    def get(self, host: str, target: str | bytes, headers: Iterable[Header] = ()) -> Answer:
        return self.ask("GET", host, target, headers)

    def follow(self, host: str, target: str, headers: Iterable[Header] = ()) -> list[str]:
        """GET a page and, as a browser does, what it redirects to; every path asked for."""
        asked = [target]
        answer = self.get(host, target, headers)
        while answer.status in (301, 302, 303, 307, 308) and len(asked) < 10:
            asked.append(re.sub(r"^https?://[^/]+", "", answer.headers["location"]))
            answer = self.get(host, asked[-1], headers)
        return asked


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8")
