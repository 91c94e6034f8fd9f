"""Paths that want out, as bytes over a real connection."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.api.server import HttpServer
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
