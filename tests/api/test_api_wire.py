"""Paths that want out, as bytes over a real connection."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.http.server import HttpServer
from tests.api.sockets import Connection, serving
from tests.api.test_api_security import PATHS_OUT
from tests.api.web import Hotspot, an_app

SECRET = b"what nobody may read"


@pytest.fixture
def server(hotspot: Hotspot, tmp_path: Path) -> Iterator[HttpServer]:
    """A server of a week of figures, with a file beside its database."""
    (tmp_path / "secret.txt").write_bytes(SECRET)
    with serving(an_app(hotspot.open_report)) as found:
        yield found


@pytest.mark.parametrize("path", [*PATHS_OUT, "/../secret.txt", "/%2e%2e/secret.txt", "{folder}"])
def test_paths_that_want_out_get_nothing_over_the_wire(
    server: HttpServer, tmp_path: Path, path: str
) -> None:
    """404, or 400 where no path can have such bytes; where a line ends within it, what comes before
    is asked for, which is the page. Nothing of a file, and no header of the asker's (S10).
    """
    raw = path.format(folder=f"{tmp_path}/secret.txt").encode("latin-1")
    with Connection(server) as client:
        client.send(b"GET " + raw + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = client.answer()
    if set(raw) & set(b"\r\t"):
        assert answer.status == 200
        assert b"<html" in answer.body
    else:
        assert answer.status in (400, 404)
        assert answer.body in (b'{"detail":"Not Found"}', b'{"detail":"Bad Request"}')
    assert SECRET not in answer.body
    assert b"root:" not in answer.body
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("line", "headers", "status"),
    [
        ("GET http://evil.example/health HTTP/1.1", "Host: localhost", 421),
        ("GET HTTPS://evil.example:8000/health HTTP/1.1", "Host: localhost", 421),
        ("GET http://evil.example?/health HTTP/1.1", "Host: localhost", 421),
        ("GET http://evil.example/health HTTP/1.0", "Accept: */*", 421),
        ("GET http:///health HTTP/1.1", "Host: localhost", 421),
        ("GET http://localhost:8000/health HTTP/1.1", "Host: localhost:8000", 200),
        ("GET http://localhost/health HTTP/1.1", "Host: evil.example", 200),
        ("GET /health HTTP/1.0", "Accept: */*", 200),
    ],
)
def test_a_whole_address_in_the_request_line_names_the_host(
    server: HttpServer, line: str, headers: str, status: int
) -> None:
    """It goes before the Host header (RFC 9112 section 3.2.2), so it is what is looked up."""
    with Connection(server) as client:
        client.send(f"{line}\r\n{headers}\r\n\r\n".encode())
        assert client.answer().status == status
