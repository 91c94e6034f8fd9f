"""What the server relies on in waitress's request parser, which is all it uses of it."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from pathlib import Path

import pytest
from waitress.parser import HTTPRequestParser, ParsingError

from engine.http.parsing import MAX_BODY_BYTES, MAX_HEADER_BYTES, RequestParser

GET = b"GET /a%20b?c=d HTTP/1.1\r\nHost: box\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: box\r\n"


def parsed(data: bytes) -> RequestParser:
    """A parser that has received this."""
    parser = RequestParser()
    while data and not parser.completed:
        data = data[parser.received(data) :]
    return parser


def test_the_version_is_pinned() -> None:
    """Exactly the one that these tests were run with."""
    requirements = Path(__file__).parents[2] / "requirements.in"
    assert f"waitress=={version('waitress')}" in requirements.read_text().splitlines()


def test_what_is_overridden_is_called_in_the_same_way() -> None:
    """`parse_header(header_plus)` raises ParsingError; the constructor takes the limits."""
    assert list(inspect.signature(HTTPRequestParser.parse_header).parameters) == [
        "self",
        "header_plus",
    ]
    assert list(inspect.signature(HTTPRequestParser.__init__).parameters) == ["self", "adj"]
    assert not issubclass(ParsingError, ValueError), "or our own would be raised again as one"


def test_received_tells_how_much_belongs_to_the_request() -> None:
    """What follows a request is left; a part of one is taken whole."""
    parser = RequestParser()
    assert parser.received(GET[:20]) == 20
    assert (parser.completed, parser.empty, parser.headers_finished) == (False, False, False)
    assert parser.received(GET[20:] + b"GET") == len(GET) - 20
    assert (parser.completed, parser.empty, parser.headers_finished) == (True, False, True)
    assert parser.received(b"more") == 0


def test_what_a_request_asks_for() -> None:
    """Decoded path, raw query and address, headers by their WSGI names, repeated ones joined."""
    found = parsed(GET)
    assert found.error is None
    assert found.refused is None
    assert (found.command, found.path, found.query, found.version) == ("GET", "/a b", "c=d", "1.1")
    assert found.request_uri == "/a%20b?c=d"
    assert found.headers == {"HOST": "box", "X_TWO": "1, 2"}
    assert found.get_body_stream().read() == b""


@pytest.mark.parametrize(
    ("framing", "body", "left"),
    [
        (b"Content-Length: 3\r\n\r\n", b"abc", {"CONTENT_LENGTH": "3"}),
        (
            b"Transfer-Encoding: chunked\r\n\r\n",
            b"3\r\nabc\r\n0\r\n\r\n",
            {"CONTENT_LENGTH": "3"},
        ),
    ],
)
def test_a_body_is_taken_with_its_request(framing: bytes, body: bytes, left: object) -> None:
    """Whether its length is given or it comes in chunks, of which no header is left."""
    found = parsed(POST + framing + body)
    assert found.completed
    assert found.chunked == (b"chunked" in framing)
    assert found.headers == {"HOST": "box"} | left  # type: ignore[operator]
    assert found.get_body_stream().read() == b"abc"


def test_blank_lines_are_no_request() -> None:
    """Two line breaks and nothing else."""
    found = parsed(b"\r\n\r\n")
    assert (found.completed, found.empty, found.error) == (True, True, None)


def test_a_client_that_waits_to_send_its_body_is_seen() -> None:
    """With its headers complete and its body not; after the body it waits no more."""
    head = POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    seen = [(found.expect_continue, found.awaits_continue) for found in map(parsed, (b"", head))]
    assert seen == [(False, False), (True, True)]
    assert not parsed(head + b"ab").awaits_continue
    assert not parsed(GET).expect_continue


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x16\x03\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\n\r\n", 400),
        (POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"GET http://[::1/ HTTP/1.1\r\n\r\n", 400),
        (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (POST + b"Content-Length: %d\r\n\r\n" % MAX_BODY_BYTES, 413),
        (POST + b"X: " + b"a" * MAX_HEADER_BYTES, 431),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    ],
)
def test_refusals_have_a_status(data: bytes, code: int) -> None:
    """By waitress or by us; complete, whatever follows."""
    found = parsed(data)
    assert found.completed
    assert found.refused == code
    assert found.version in ("1.0", "1.1")
