"""The server over real sockets: deadlines, limits, odd requests, stopping."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from engine.api.assets import load_assets
from engine.errors import AddressInUse
from engine.http.connection import Connection as ServedConnection
from engine.http.peers import Peers, gateways
from engine.http.server import HttpServer
from engine.http.wsgi import DEFERRED, Response
from tests.api.sockets import DEADLINE, Clock, Connection, serving
from tests.api.web import STRICT_POLICY, Hotspot, an_app
from tests.support.measured import measured

HOST = b"Host: localhost\r\n"
LARGE = b"x" * (6 << 20)


@pytest.fixture
def server(hotspot: Hotspot) -> Iterator[HttpServer]:
    """A server of a week of figures."""
    with serving(an_app(hotspot.open_report)) as found:
        yield found


def small(_environ: Any, start_response: Any) -> Iterable[bytes]:
    """The smallest application."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


def large(environ: Any, start_response: Any) -> Iterable[bytes]:
    """Six megabytes at /large, more than the system's buffers take."""
    if environ["PATH_INFO"] != "/large":
        return small(environ, start_response)
    start_response("200 OK", [("Content-Length", str(len(LARGE)))])
    return [LARGE]


def waiting(started: threading.Semaphore, go_on: threading.Event) -> Callable[..., Iterable[bytes]]:
    """An application whose /slow waits to be released."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/slow":
            started.release()
            assert go_on.wait(DEADLINE)
        return small(environ, start_response)

    return app


def connect(server: HttpServer, stack: contextlib.ExitStack, count: int) -> list[Connection]:
    return [stack.enter_context(Connection(server)) for _ in range(count)]


def hung_up(connection: Connection) -> bool:
    """True when the server closes this connection, however that shows."""
    return connection.closed()


# ---------------------------------------------------------------------------- addresses


def test_thousands_may_wait_at_the_system(server: HttpServer) -> None:
    """As many connections as the system allows wait to be taken, up to 4,096: in a crowd, more
    come in a moment than are taken in one.
    """
    assert server.loop is not None
    listening: Any = server.loop._listening
    raw = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    queue = int.from_bytes(raw[28:32], sys.byteorder)  # tcpi_sacked: of one that listens, its limit
    system = int(Path("/proc/sys/net/core/somaxconn").read_text())
    assert queue == min(4096, system)


def test_port_0_is_a_port_of_the_system(server: HttpServer) -> None:
    """The real one is known after `bind`."""
    assert server.port > 0
    with Connection(server) as client:
        assert client.get("/health").status == 200


def test_a_port_in_use_is_a_start_error_with_a_way_out(server: HttpServer) -> None:
    """F26: said with the address, before anything else is started."""
    second = HttpServer(small, "127.0.0.1", server.port)
    with pytest.raises(AddressInUse) as caught:
        second.bind()
    assert str(server.port) in caught.value.message
    assert "--port" in caught.value.hint


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "999.1.1.1"])
def test_an_address_that_is_not_ours(host: str) -> None:
    """Not of this machine, or no address at all: the hint names the option."""
    with pytest.raises(AddressInUse) as caught:
        HttpServer(small, host, 0).bind()
    assert "--host" in caught.value.hint


def test_ipv6_works() -> None:
    """Where the machine has it."""
    server = HttpServer(small, "::1", 0)
    try:
        server.bind()
    except AddressInUse:
        pytest.skip("no IPv6 on this machine")
    thread = threading.Thread(target=server.run)
    thread.start()
    with socket.create_connection(("::1", server.port), DEADLINE) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.recv(15).startswith(b"HTTP/1.0 200 OK")
    assert server.stop()
    thread.join(DEADLINE)


# ---------------------------------------------------------------------------- requests


def test_one_connection_many_requests(server: HttpServer) -> None:
    """Kept open, answered in order, whether computed or from memory, sent apart or together."""
    targets = ["/health", "/", "/api/v1/aggregations/D", "/", "/api/v1/aggregations/D", "/metrics"]
    with Connection(server) as client:
        apart = [client.get(target) for target in targets]
        for target in targets:
            client.send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        together = [client.answer() for _ in targets]
        client.send(
            b"".join(f"GET {t} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for t in targets)
        )
        at_once = [client.answer() for _ in targets]
    bodies = [answer.body for answer in apart]
    assert [answer.status for answer in apart] == [200] * len(targets)
    assert [answer.body for answer in together] == bodies
    assert [answer.body for answer in at_once] == bodies


def test_head_and_304_have_no_body_on_the_wire(server: HttpServer) -> None:
    """The next answer of the connection starts right after the headers."""
    with Connection(server) as client:
        tag = client.get("/api/v1/aggregations/D").headers["etag"]
        assert client.get("/api/v1/aggregations/D", f"If-None-Match: {tag}").status == 304
        client.send(b"HEAD /api/v1/aggregations/D HTTP/1.1\r\n" + HOST + b"\r\n")
        head = client.answer(bodiless=True)
        assert int(head.headers["content-length"]) > 1000
        client.send(b"OPTIONS / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert client.answer().status == 204
        assert client.get("/health").status == 200


@pytest.mark.parametrize("word", ["close", "Close", "CLOSE"])
def test_who_asks_for_an_end_has_one(server: HttpServer, word: str) -> None:
    """However it is written, and after a 304 too, which else keeps the connection."""
    with Connection(server) as client:
        tag = client.get("/").headers["etag"]
        answer = client.get("/", f"If-None-Match: {tag}", f"Connection: {word}")
        assert (answer.status, answer.headers["connection"]) == (304, "close")
        assert client.closed()


def test_what_comes_after_the_last_request_is_dropped(server: HttpServer) -> None:
    """Whoever asks for an end has one answer, whatever else was sent."""
    with Connection(server) as client:
        client.send(GET + b"Connection: close\r\n\r\n" + SMUGGLED * 2)
        assert client.answer().status == 200
        assert client.closed()


def test_nothing_tells_what_runs_here(server: HttpServer) -> None:
    """No Server header, no version, in good answers and bad ones (S22)."""
    for request in (b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", b"garbage\r\n\r\n"):
        with Connection(server) as client:
            client.send(request)
            answer = client.answer()
            assert "server" not in answer.headers
            assert b"waitress" not in answer.body
            assert answer.headers["content-security-policy"] == STRICT_POLICY
            assert answer.headers["content-type"] in (
                "application/json",
                "text/html; charset=utf-8",
            )


GET = b"GET /health HTTP/1.1\r\n" + HOST
SMUGGLED = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
ODD = {
    "no request at all": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "lower-case method": (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "unknown method": (b"FOO / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 405),
    "TRACE": (b"TRACE / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 405),
    "CONNECT": (b"CONNECT evil:80 HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 405),
    "POST with a body": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc",
        405,
    ),
    "1 GiB to come": (GET + b"Content-Length: 1073741824\r\n\r\n" + SMUGGLED, 413),
    "just too large": (GET + b"Content-Length: 16384\r\n\r\n" + SMUGGLED, 413),
    "absurd length": (GET + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n" + SMUGGLED, 400),
    "length with a plus": (GET + b"Content-Length: +10\r\n\r\n" + SMUGGLED, 400),
    "length in hex": (GET + b"Content-Length: 0x1\r\n\r\n" + SMUGGLED, 400),
    "negative length": (GET + b"Content-Length: -1\r\n\r\n" + SMUGGLED, 400),
    "empty length": (GET + b"Content-Length: \r\n\r\n" + SMUGGLED, 400),
    "unicode length": (GET + "Content-Length: ٣\r\n\r\n".encode() + SMUGGLED, 400),
    "two lengths": (GET + b"Content-Length: 3\r\nContent-Length: 30\r\n\r\nabc" + SMUGGLED, 400),
    "the same length twice": (
        GET + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc" + SMUGGLED,
        400,
    ),
    "length and chunks": (
        GET + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        400,
    ),
    "unknown coding": (GET + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 501),
    "hidden coding": (GET + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    "chunks before HTTP/1.1": (
        b"GET / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        400,
    ),
    "bad chunk size": (GET + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + SMUGGLED, 400),
    "chunk longer than said": (
        GET + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n" + SMUGGLED,
        400,
    ),
    "bad chunk extension": (
        GET + b"Transfer-Encoding: chunked\r\n\r\n1;\x00\r\na\r\n" + SMUGGLED,
        400,
    ),
    "bare LF in headers": (b"GET / HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n" + SMUGGLED, 400),
    "bare CR in headers": (b"GET / HTTP/1.1\r\nHost: localhost\rX: y\r\n\r\n" + SMUGGLED, 400),
    "NUL in a header": (GET + b"X: a\x00b\r\n\r\n" + SMUGGLED, 400),
    "space before the colon": (GET + b"Content-Length : 5\r\n\r\n" + SMUGGLED, 400),
    "header without a name": (GET + b": x\r\n\r\n" + SMUGGLED, 400),
    "folded first header": (b"GET / HTTP/1.1\r\n Host: x\r\n\r\n" + SMUGGLED, 400),
    "space in the target": (b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED, 400),
    "broken address in brackets": (
        b"GET http://[::1/ HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
        400,
    ),
    "empty host": (b"GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 421),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", 421),
    "someone else's host": (b"GET / HTTP/1.1\r\nHost: evil.com\r\nConnection: close\r\n\r\n", 421),
    "path that climbs": (
        b"GET /../../etc/passwd HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
        404,
    ),
    "path with two slashes": (
        b"GET //etc/passwd HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
        404,
    ),
    "encoded NUL": (b"GET /%00 HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 404),
    "header too large": (GET + b"X: " + b"a" * 16384 + b"\r\n\r\n" + SMUGGLED, 431),
    "header without end": (GET + b"X: y\r\n" * (4096), 431),
    "target too large": (
        b"GET /" + b"a" * 16384 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        431,
    ),
    "endless chunks": (
        GET + b"Transfer-Encoding: chunked\r\n\r\n" + (b"400\r\n" + b"x" * 1024 + b"\r\n") * 64,
        413,
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_requests_get_one_answer_and_the_door(server: HttpServer, name: str) -> None:
    """S13: refused, closed, and nothing of what follows is taken for a request."""
    request, status = ODD[name]
    with Connection(server) as client:
        client.send(request)
        answer = client.answer()
        assert answer.status == status
        assert set(json.loads(answer.body)) == {"detail"}
        assert answer.headers["connection"] == "close"
        assert client.closed()
    with Connection(server) as other:
        assert other.get("/health").status == 200


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_request_without_a_host_is_answered(server: HttpServer, version: str) -> None:
    """A probe of HTTP/1.0 sends no Host header, and gets its answer."""
    with Connection(server) as client:
        client.send(f"GET /health HTTP/{version}\r\nConnection: close\r\n\r\n".encode())
        assert client.answer().status == 200


def test_a_body_that_is_small_is_ignored(server: HttpServer) -> None:
    """A GET with one is odd and legal; the connection goes on after it."""
    with Connection(server) as client:
        client.send(GET + b"Content-Length: 5\r\n\r\nhello" + SMUGGLED)
        assert [client.answer().status for _ in range(2)] == [200, 200]
        client.send(GET + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + SMUGGLED)
        assert [client.answer().status for _ in range(2)] == [200, 200]


EXPECT = b"POST /x HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\n"
EXPECTING = [
    EXPECT + b"Content-Length: 5\r\n\r\n",
    EXPECT + b"Content-Length: 5\r\n\r\nab",
    EXPECT + b"Content-Length: 0\r\n\r\n",
    EXPECT + b"Transfer-Encoding: chunked\r\n\r\n2\r\n",
    EXPECT,
    (EXPECT + b"Content-Length: 5\r\n\r\n") * 2,
    GET + b"\r\n" + EXPECT + b"Content-Length: 5\r\n\r\n",
    (GET + b"\r\n") * 3 + EXPECT + b"Content-Length: 5\r\n\r\n",
]


@pytest.mark.parametrize("request_bytes", EXPECTING)
def test_who_expects_and_leaves_is_no_error(
    server: HttpServer, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """S35: a client that sends `Expect: 100-continue` and goes away at once, however it does."""
    caplog.set_level(logging.WARNING)
    for number in range(60):
        with Connection(server) as client:
            client.send(request_bytes)
            if number % 3 == 0:  # a reset instead of an orderly end
                client.socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0" + bytes(4)
                )
            elif number % 3 == 1:
                client.socket.shutdown(socket.SHUT_WR)
    wait_for(lambda: len(connections(server)) == 0)
    with Connection(server) as client:
        client.send(EXPECT + b"Content-Length: 2\r\n\r\n")
        assert client.socket.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"ab")
        assert client.answer().status == 405
    assert caplog.records == []


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (GET + b"Expect: 100-continue\r\n\r\n", 200),
        (EXPECT + b"\r\n", 405),
        (EXPECT + b"Content-Length: 0\r\n\r\n", 405),
        (EXPECT + b"Content-Length: -1\r\n\r\n", 400),
        (EXPECT + b"Content-Length: 999999999\r\n\r\n", 413),
        (EXPECT + b"Content-Length: 5\r\n\r\nhello", 405),
        (EXPECT + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (EXPECT + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 405),
    ],
)
def test_who_expects_and_has_nothing_more_to_send_is_answered(
    server: HttpServer, request_bytes: bytes, status: int
) -> None:
    """S35: `Expect: 100-continue` of a request that is whole, or refused, by its headers alone."""
    with Connection(server) as client:
        client.send(request_bytes)
        answer = client.answer()
        if answer.status == 100:  # a body was to come, and came at once
            answer = client.answer()
        assert answer.status == status


def test_each_request_that_expects_is_told_to_go_on_once(server: HttpServer) -> None:
    """However its body comes, and each one of a connection."""
    with Connection(server) as client:
        for _ in range(2):
            client.send(EXPECT + b"Content-Length: 5\r\n\r\n")
            assert client.answer(bodiless=True).status == 100
            client.send(b"ab")
            with Connection(server) as other:  # by its answer the first bytes have been read
                assert other.get("/health").status == 200
            client.send(b"cde")
            assert client.answer().status == 405


def test_endless_bodies_cost_no_memory(server: HttpServer) -> None:
    """A gigabyte announced or in chunks: what is sent after the refusal is thrown away."""
    before = resident_bytes()
    for head in (
        GET + b"Content-Length: 1073741824\r\n\r\n",
        GET + b"Transfer-Encoding: chunked\r\n\r\n",
    ):
        with Connection(server) as client:
            client.send(head)
            chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
            with contextlib.suppress(ConnectionError):
                for _ in range(512):
                    client.socket.sendall(chunk)
    with Connection(server) as client:
        assert client.get("/health").status == 200
    assert resident_bytes() - before < 4 << 20


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


# ---------------------------------------------------------------------------- deadlines


def test_a_request_that_drips_is_cut_off(server_clock: tuple[HttpServer, Clock]) -> None:
    """Fifteen seconds from its first byte, however steadily bytes come; others go on."""
    server, clock = server_clock
    with Connection(server) as slow, Connection(server) as body, Connection(server) as good:
        slow.send(b"GET / HTTP/1.1\r\n")
        body.send(b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\n")
        assert good.get("/").status == 200
        for _ in range(3):
            clock.advance(4.5)
            slow.send(b"X: y\r\n")
            body.send(b"x")
            assert good.get("/").status == 200
        clock.advance(3)
        assert hung_up(slow)
        assert hung_up(body)
        assert good.get("/").status == 200


def test_the_time_of_a_request_begins_with_its_first_byte(
    server_clock: tuple[HttpServer, Clock],
) -> None:
    """Not with the connection, nor with the request before: whoever was silent for twenty seconds
    has fifteen from then on.
    """
    server, clock = server_clock
    with Connection(server) as slow, Connection(server) as good:
        for late in (10, 16):
            assert slow.get("/").status == 200
            clock.advance(20)
            assert good.get("/").status == 200
            slow.send(b"GET / HTTP/1.1\r\n")
            wait_for(lambda: sum(c._parser is not None for c in connections(server)) == 1)
            clock.advance(late)
            assert good.get("/").status == 200
            clock.advance(1)
            assert good.get("/").status == 200
            slow.send(HOST + b"\r\n")
            if late < 15:
                assert slow.answer().status == 200
        assert hung_up(slow)


def test_an_idle_connection_is_closed(server_clock: tuple[HttpServer, Clock]) -> None:
    """Thirty seconds after the last answer, or after connecting without a word."""
    server, clock = server_clock
    with Connection(server) as silent, Connection(server) as kept, Connection(server) as good:
        assert kept.get("/").status == 200
        assert good.get("/").status == 200
        clock.advance(29)
        assert good.get("/").status == 200
        clock.advance(2)
        assert hung_up(silent)
        assert hung_up(kept)
        assert good.get("/").status == 200


def test_a_client_that_does_not_read_is_cut_off(server_clock: tuple[HttpServer, Clock]) -> None:
    """Twenty seconds without taking a byte of its answer."""
    server, clock = server_clock
    with Connection(server, receive_buffer=4096) as non_reading, Connection(server) as good:
        non_reading.send(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")
        assert good.get("/").status == 200
        wait_for(lambda: any(c.sending for c in connections(server)))
        begin = clock()
        while len(connections(server)) == 2 and clock() < begin + 300:
            clock.advance(4)
            assert good.get("/").status == 200
        assert 20 < clock() - begin < 40
        assert len(non_reading.rest()) < len(LARGE)


def test_a_body_that_many_wait_for_is_in_memory_once() -> None:
    """Five clients that take nothing of one answer of six megabytes are fewer than the 16 MiB that
    may wait: nobody is ended for them.
    """
    with serving(large) as server, contextlib.ExitStack() as stack:
        good = stack.enter_context(Connection(server))
        for count in range(1, 6):
            non_reading = stack.enter_context(Connection(server, receive_buffer=4096))
            non_reading.send(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")
            wait_for(lambda count=count: waiting_clients(server) == count)  # type: ignore[misc]
            assert good.get("/").status == 200
        assert len(connections(server)) == 6


def waiting_clients(server: HttpServer) -> int:
    """How many connections have something to take."""
    return sum(connection.sending for connection in connections(server))


def test_a_client_that_reads_in_sips_is_cut_off_in_the_end(
    server_clock: tuple[HttpServer, Clock],
) -> None:
    """Progress buys time, but not for ever."""
    server, clock = server_clock
    with Connection(server, receive_buffer=4096) as sipping, Connection(server) as good:
        sipping.send(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")
        taken, begin = len(sipping.socket.recv(1000)), clock()
        while len(connections(server)) == 2 and clock() < begin + 600:
            clock.advance(4)
            with contextlib.suppress(ConnectionError):
                taken += len(sipping.socket.recv(5000))
            assert good.get("/").status == 200
        assert 300 < clock() - begin < 330
        assert taken + len(sipping.rest()) < len(LARGE)


def test_a_slow_computation_is_not_cut_off() -> None:
    """Deadlines are for clients: an answer that takes us a minute is sent."""
    clock, started, go_on = Clock(), threading.Semaphore(0), threading.Event()
    with (
        serving(waiting(started, go_on), monotonic=clock) as server,
        Connection(server) as patient,
        Connection(server) as good,
    ):
        patient.send(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\nGET /")
        assert started.acquire(timeout=DEADLINE)
        clock.advance(60)
        assert good.get("/").status == 200
        clock.advance(2)
        assert good.get("/").status == 200
        go_on.set()
        assert patient.answer().status == 200
        patient.send(b" HTTP/1.1\r\n" + HOST + b"\r\n")
        assert patient.answer().status == 200


@pytest.fixture
def server_clock() -> Iterator[tuple[HttpServer, Clock]]:
    """A server whose time passes when told to."""
    clock = Clock()
    with serving(large, monotonic=clock) as found:
        yield found, clock


def connections(server: HttpServer) -> list[Any]:
    assert server.loop is not None
    return list(server.loop.connections)


def settle(server: HttpServer) -> None:
    """Until the system has sent as much as the clients have room for, which is progress too: what
    fills only a part of a packet it keeps for some tenths of a second.
    """
    seen: list[list[int]] = []

    def is_at_rest() -> bool:
        seen.append([connection._queued_bytes() for connection in connections(server)])
        return len(seen) > 50 and all(found == seen[-1] for found in seen[-50:])

    wait_for(is_at_rest)


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it holds; a failure after the deadline."""
    end = time.monotonic() + DEADLINE
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, "it never came true"
        pause.wait(0.01)


# ---------------------------------------------------------------------------- crowds


@pytest.mark.parametrize(
    ("idle", "half_sent", "not_reading"),
    [(200, 50, 10), pytest.param(50, 400, 50, marks=pytest.mark.full)],
)
def test_many_idle_and_slow_clients_do_not_slow_others(
    server: HttpServer, idle: int, half_sent: int, not_reading: int
) -> None:
    """S14: others are answered at once, whatever the crowd does."""
    with contextlib.ExitStack() as stack:
        connect(server, stack, idle)
        for slow in connect(server, stack, half_sent):
            slow.send(b"GET / HTTP/1.1\r\nHost: local")
        for non_reading in connect(server, stack, not_reading):
            non_reading.send((b"GET /api/v1/ HTTP/1.1\r\n" + HOST + b"\r\n") * 20)
        good = stack.enter_context(Connection(server))
        times = []
        for target in ["/health", "/", "/api/v1/aggregations/D", "/api/v1/periods"] * 10:
            begin = time.perf_counter()
            assert good.get(target).status == 200
            times.append(time.perf_counter() - begin)
        assert sorted(times)[int(len(times) * 0.95)] < 1.0


def test_a_full_house_makes_room() -> None:
    """At the limit the request that takes longest ends for a new client; the others have a fifth
    of their time.
    """
    clock = Clock()
    with (
        serving(small, monotonic=clock, max_connections=20) as server,
        contextlib.ExitStack() as stack,
    ):
        crowd = connect(server, stack, 20)
        crowd[7].send(b"GET")
        wait_for(lambda: sum(c._parser is not None for c in connections(server)) == 1)
        clock.advance(0.25)
        for slow in crowd[:7] + crowd[8:]:
            slow.send(b"GET")
        wait_for(lambda: sum(c._parser is not None for c in connections(server)) == 20)
        late = stack.enter_context(Connection(server))
        late.send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert late.answer().status == 200
        assert hung_up(crowd.pop(7))
        clock.advance(3.75)
        assert all(hung_up(slow) for slow in crowd)


@pytest.mark.parametrize("patience", [1.0, 0.2])
def test_in_a_crowd_there_is_less_patience(patience: float) -> None:
    """Whoever takes nothing has twenty seconds, whoever asks nothing thirty, and a request fifteen
    to come; with nine tenths of all connections taken it is a fifth of each.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        connection = ServedConnection(ours, ("127.0.0.1", 1), "", 0.0)

        def lasts(since: float, seconds: float) -> None:
            assert not connection.overdue(since, patience)
            assert not connection.overdue(since + seconds * patience, patience)
            assert connection.overdue(since + seconds * patience + 0.1, patience)

        lasts(0.0, 30)
        theirs.sendall(b"GET / HT")
        connection.receive(100.0)
        assert connection.next_request(100.0) is None
        lasts(100.0, 15)
        theirs.sendall(b"TP/1.1\r\n\r\n")
        connection.receive(200.0)
        assert connection.next_request(200.0) is not None
        assert not connection.overdue(900.0, patience), "we compute"
        connection.respond(Response([bytes(8 << 20)], close=False), 1000.0)
        assert connection.sending
        lasts(1000.0, 20)


def test_the_most_used_connection_that_waits_makes_room() -> None:
    """S27: it ends for a new one; requests under way and little used connections go on."""
    with (
        serving(small, max_connections=3) as server,
        Connection(server) as slow,
        Connection(server) as little,
        Connection(server) as much,
    ):
        slow.send(b"GET / HTTP/1.1\r\n")
        assert little.get("/").status == 200
        assert [much.get("/").status for _ in range(3)] == [200] * 3
        with Connection(server) as late:
            assert late.get("/").status == 200
            assert hung_up(much)
            assert little.get("/").status == 200
            slow.send(HOST + b"\r\n")
            assert slow.answer().status == 200


def test_an_address_has_no_more_than_its_share() -> None:
    """S27: of an address that is no trusted proxy, the connections above it end, most used first;
    others, and those of a trusted proxy, are not touched.
    """
    with contextlib.ExitStack() as stack:
        trusted = (ip_network("127.0.0.3"),)
        server = stack.enter_context(serving(small, max_connections=16, trusted=trusted))
        proxied = [stack.enter_context(Connection(server, source="127.0.0.3")) for _ in range(6)]
        other = stack.enter_context(Connection(server))
        assert other.get("/").status == 200
        greedy = [stack.enter_context(Connection(server, source="127.0.0.2")) for _ in range(2)]
        assert [client.get("/").status for client in [*greedy, greedy[0]]] == [200] * 3
        third = stack.enter_context(Connection(server, source="127.0.0.2"))
        assert third.get("/").status == 200
        assert hung_up(greedy[0])
        assert [c.get("/").status for c in [*proxied, other, greedy[1], third]] == [200] * 9


def test_an_address_that_begins_again_and_again_is_slowed_down() -> None:
    """S27: above its share it has twenty new connections a second, and the next second again."""
    clock = Clock()

    def answered(server: HttpServer) -> bool:
        with Connection(server, source="127.0.0.2") as client:
            client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            found = b""
            with contextlib.suppress(ConnectionError):
                found = client.socket.recv(15)
            kept.append(client.socket.dup())
        return found == b"HTTP/1.0 200 OK"

    kept: list[socket.socket] = []
    with serving(small, max_connections=16, trusted=(), monotonic=clock) as server:
        first = [answered(server) for _ in range(2 + 20 + 5)]
        assert first == [True] * (2 + 20) + [False] * 5
        with Connection(server) as other:
            assert other.get("/").status == 200
        clock.advance(1)
        assert answered(server)
    for held in kept:
        held.close()


def test_the_gateway_of_a_container_is_trusted(tmp_path: Path) -> None:
    """Read from the routes of the system, in both families; peers are told apart by household."""
    (tmp_path / "route").write_text(
        "Iface\tDestination\tGateway \tFlags\n"
        "eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\n"
        "eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\n"
    )
    (tmp_path / "ipv6_route").write_text(
        f"{'0' * 32} 00 {'0' * 32} 00 fd{'0' * 29}1 00000400 00000003 00000000 00000003 eth0\n"
        f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 00000001 00000000 00200200 lo\n"
    )
    found = tuple(gateways(tmp_path))
    assert [str(network) for network in found] == ["172.17.0.1/32", "fd00::1/128"]
    assert list(gateways(tmp_path / "none")) == []
    peers = Peers(found, 2)
    assert peers.origin("172.17.0.1") == peers.origin("::ffff:172.17.0.1") == ""
    assert peers.origin("172.17.0.2") == "172.17.0.2"
    assert peers.origin("fd00:1::1%eth0") == peers.origin("fd00:1::2:3") == "fd00:1::/64"
    assert Peers(None, 2).origin("127.0.0.9") == Peers(None, 2).origin("::1") == ""


def test_ready_answers_do_not_wait_for_busy_workers() -> None:
    """With every worker computing, what is in memory is sent by the thread that listens."""
    started, go_on = threading.Semaphore(0), threading.Event()
    plain = waiting(started, go_on)

    class Ready:
        defers = True

        def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
            if environ["PATH_INFO"] == "/slow" and DEFERRED in environ:
                raise environ[DEFERRED]
            return plain(environ, start_response)

    with serving(Ready(), threads=2) as server, contextlib.ExitStack() as stack:
        slow = connect(server, stack, 4)
        for client in slow:
            client.send(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
        for _ in range(2):
            assert started.acquire(timeout=DEADLINE)
        good = stack.enter_context(Connection(server))
        assert [good.get("/").status for _ in range(50)] == [200] * 50
        bad = stack.enter_context(Connection(server))
        bad.send(b"garbage\r\n\r\n")
        assert bad.answer().status == 400
        go_on.set()
        assert [client.answer().status for client in slow] == [200] * 4


def test_connections_that_come_and_go(server: HttpServer) -> None:
    """A thousand opened and dropped: none is left, the next is answered."""
    for _ in range(20):
        with contextlib.ExitStack() as stack:
            for client in connect(server, stack, 50):
                client.send(b"GET / HT")
    with Connection(server) as good:
        assert good.get("/health").status == 200
        wait_for(lambda: len(connections(server)) == 1)


def test_few_descriptors_mean_fewer_connections() -> None:
    """Where the system gives 230 descriptors, some 30 of 60 clients are served, the newest; the
    others are closed, and whoever comes later is served.
    """
    program = """
import resource, sys, threading
from engine.http.server import HttpServer
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 230))
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
server = HttpServer(app, "127.0.0.1", 0)
server.bind()
print(server.port, resource.getrlimit(resource.RLIMIT_NOFILE)[0], flush=True)
thread = threading.Thread(target=server.run)
thread.start()
sys.stdin.read()
server.stop()
thread.join()
"""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        port, soft = map(int, process.stdout.readline().split())
        assert soft == 230
        there = HttpServer(small, "127.0.0.1", port)
        with contextlib.ExitStack() as stack:
            crowd = connect(there, stack, 60)
            assert crowd[-1].get("/").status == 200  # the others have had their turn
            assert all(hung_up(client) for client in crowd[:30])
            assert [client.get("/").status for client in crowd[-28:]] == [200] * 28
        with Connection(there) as later:
            assert later.get("/").status == 200
        process.stdin.close()
        assert process.wait(DEADLINE) == 0


def test_without_descriptors_it_waits() -> None:
    """A connection that cannot be taken costs no processor time, and is served as soon as other
    parts of the program have closed files.
    """
    program = """
import os, sys, threading, time
from engine.http.server import HttpServer
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
server = HttpServer(app, "127.0.0.1", 0)
server.bind()
thread = threading.Thread(target=server.run)
thread.start()
files = []
try:
    while True:
        files.append(os.dup(0))
except OSError:
    print(server.port, flush=True)
before = time.process_time()
sys.stdin.readline()
print(time.process_time() - before, flush=True)
for file in files:
    os.close(file)
sys.stdin.read()
server.stop()
thread.join()
"""
    limit = f"ulimit -n 200; exec '{sys.executable}' -W ignore -c '{program}'"
    with subprocess.Popen(
        ["sh", "-c", limit],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        there = HttpServer(small, "127.0.0.1", int(process.stdout.readline()))
        with Connection(there) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert not select.select([client.socket], [], [], 2.0)[0]
            print(file=process.stdin, flush=True)
            assert float(process.stdout.readline()) < 0.2
            assert client.answer().status == 200
        process.stdin.close()
        assert process.wait(DEADLINE) == 0


def test_files_are_sent_to_some_at_once(tmp_path: Path) -> None:
    """S28: of 48 connections three may be sent a file from disk; for a fourth one the connection
    ends whose client took nothing for longest. Who has taken all of it is none of them.
    """
    film = bytes(12 << 20)
    (tmp_path / "film.bin").write_bytes(film)
    app = an_app(no_report, assets=load_assets(tmp_path, package="no_such_package"))
    clock = Clock()
    with (
        serving(app, monotonic=clock, max_connections=48) as server,
        contextlib.ExitStack() as stack,
    ):

        def ask() -> Connection:
            clock.advance(1)
            client = stack.enter_context(Connection(server, receive_buffer=1 << 16))
            client.send(b"GET /film.bin HTTP/1.1\r\n" + HOST + b"\r\n")
            assert client.socket.recv(1)
            settle(server)
            return client

        def take_some(client: Connection) -> None:
            """Until the server sees that it took something."""
            clock.advance(1)
            name = client.socket.getsockname()
            [connection] = [c for c in connections(server) if c.address == name]
            while connection.progress_at < clock():
                assert client.socket.recv(1 << 16)

        good = stack.enter_context(Connection(server))
        assert good.get("/film.bin").body == film
        first, second, third = ask(), ask(), ask()
        take_some(first)
        take_some(third)
        fourth = ask()
        assert len(second.rest()) < len(film), "it took nothing for longest"
        for client in (third, fourth):
            take_some(client)
        assert good.get("/film.bin").body == film
        assert len(first.rest()) < len(film)
        for client in (third, fourth):
            take_some(client)
        assert len(connections(server)) == 3


def test_what_is_sent_from_memory_is_no_file(tmp_path: Path) -> None:
    """S28: two answers from memory wait for their clients, and of three files two are asked for."""
    (tmp_path / "film.bin").write_bytes(LARGE)
    app = an_app(no_report, assets=load_assets(tmp_path, package="no_such_package"))

    def both(environ: Any, start_response: Any) -> Iterable[bytes]:
        return (large if environ["PATH_INFO"] == "/large" else app)(environ, start_response)

    with (
        serving(both, monotonic=Clock(), max_connections=48) as server,
        contextlib.ExitStack() as stack,
    ):
        for path in (b"/large", b"/large", b"/film.bin", b"/film.bin"):
            client = stack.enter_context(Connection(server, receive_buffer=1 << 16))
            client.send(b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
            assert client.socket.recv(1)
            settle(server)
        assert len(connections(server)) == 4


def test_a_file_that_becomes_shorter_ends_the_connection(tmp_path: Path) -> None:
    """What was announced will never come: the client is not left to wait for it."""
    film = tmp_path / "film.bin"
    film.write_bytes(LARGE)
    app = an_app(no_report, assets=load_assets(tmp_path, package="no_such_package"))
    with (
        serving(app, monotonic=Clock()) as server,
        Connection(server, receive_buffer=4096) as client,
    ):
        client.send(b"GET /film.bin HTTP/1.1\r\n" + HOST + b"\r\n")
        assert client.socket.recv(1)
        os.truncate(film, 1000)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        assert len(client.rest()) < len(LARGE)


def test_what_comes_while_an_answer_is_computed_stays_with_the_client() -> None:
    """S14: a client that sends without end while its answer is made takes no memory of ours."""
    started, go_on = threading.Semaphore(0), threading.Event()
    with serving(waiting(started, go_on)) as server, Connection(server) as client:
        client.send(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
        assert started.acquire(timeout=DEADLINE)
        client.socket.settimeout(1)
        with contextlib.suppress(TimeoutError):
            for _ in range(4):
                client.socket.send(bytes(1 << 20))
        with Connection(server) as other:  # by its answer, what can be read has been
            assert other.get("/").status == 200
        assert sum(len(connection._rest) for connection in connections(server)) <= 8192
        go_on.set()
        client.socket.settimeout(DEADLINE)
        assert client.answer().status == 200


def no_report() -> None:
    raise OSError("no figures are needed here")


# ---------------------------------------------------------------------------- stopping


def test_what_is_under_way_is_finished_at_a_stop() -> None:
    """No new connections, the running answer arrives whole, idle ones are closed, all ends."""
    started, go_on = threading.Semaphore(0), threading.Event()
    server = HttpServer(waiting(started, go_on), "127.0.0.1", 0)
    server.bind()
    thread = threading.Thread(target=server.run)
    thread.start()
    idle, busy = Connection(server), Connection(server)
    assert idle.get("/").status == 200
    busy.send(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
    assert started.acquire(timeout=DEADLINE)
    result: list[bool] = []
    stopping = threading.Thread(target=lambda: result.append(server.stop(20)))
    stopping.start()
    assert hung_up(idle)
    with pytest.raises(ConnectionRefusedError):
        Connection(server)
    go_on.set()
    assert busy.answer().status == 200
    assert hung_up(busy)
    stopping.join(DEADLINE)
    thread.join(DEADLINE)
    assert result == [True]
    assert not [t for t in threading.enumerate() if t.name.startswith("http-worker")]
    idle.close()
    busy.close()


def test_a_stop_does_not_wait_for_ever() -> None:
    """An answer that never comes is cut when the time is up."""
    started, go_on = threading.Semaphore(0), threading.Event()
    server = HttpServer(waiting(started, go_on), "127.0.0.1", 0)
    server.bind()
    thread = threading.Thread(target=server.run)
    thread.start()
    with Connection(server) as busy:
        busy.send(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
        assert started.acquire(timeout=DEADLINE)
        begin = time.perf_counter()
        assert server.stop(0.2)
        assert time.perf_counter() - begin < 5
        thread.join(DEADLINE)
        assert not thread.is_alive()
        assert hung_up(busy)
    go_on.set()


def test_a_large_answer_is_finished_at_a_stop() -> None:
    """A client that reads gets all of it, although the stop came first."""
    server = HttpServer(large, "127.0.0.1", 0)
    server.bind()
    thread = threading.Thread(target=server.run)
    thread.start()
    with Connection(server, receive_buffer=4096) as client:
        client.send(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")
        wait_for(lambda: any(c.sending for c in connections(server)))
        stopping = threading.Thread(target=lambda: server.stop(20))
        stopping.start()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # it hurries now
        assert client.answer().body == LARGE
        stopping.join(DEADLINE)
    thread.join(DEADLINE)
    assert not thread.is_alive()


def test_stop_before_run_and_before_bind() -> None:
    """A start that fails half-way can be cleaned up in any state."""
    assert HttpServer(small, "127.0.0.1", 0).stop()
    server = HttpServer(small, "127.0.0.1", 0)
    server.bind()
    assert server.stop()
    with pytest.raises(ConnectionRefusedError):
        Connection(server)
    assert not [t for t in threading.enumerate() if t.name.startswith("http-worker")]


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_nothing_is_left_open_after_a_stop() -> None:
    """Sockets, pipe and threads are gone: ten times start and stop, no descriptor more."""

    def one_life() -> None:
        with serving(small) as server, Connection(server) as client:
            assert client.get("/").status == 200

    one_life()
    before = open_descriptors()
    for _ in range(10):
        one_life()
    assert open_descriptors() <= before


# ---------------------------------------------------------------------------- fuzz

SEEDS = [
    b"GET /api/v1/aggregations/D HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n",
    b"GET /api/v1/kpis/2001/values?agg_kind=W&agg_value=2026%20W24 HTTP/1.1\r\nHost: a\r\n\r\n",
    b'HEAD / HTTP/1.0\r\nHost: 127.0.0.1:80\r\nIf-None-Match: "a", W/"b"\r\n\r\n',
    b"POST /x HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: [::1]\r\nOrigin: http://metrics\r\nContent-Length: 4\r\n\r\nabcd",
    b"GET http://localhost/periods HTTP/1.1\r\nHost: x.local\r\nExpect: 100-continue\r\n\r\n",
]
PIECES = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b":",
    b" ",
    b"%",
    b"%2e%2e/",
    b"//",
    b"\xff",
    b"\xe2\x80\xa8",
]


def mutated(chance: random.Random) -> bytes:
    """A request with some bytes changed, cut out, doubled or put in."""
    data = bytearray(chance.choice(SEEDS))
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at : at + chance.randint(1, 8)]
            case 2:
                data[at:at] = chance.choice(PIECES) * chance.randint(1, 3)
            case 3:
                data[at:at] = data[at : at + chance.randint(1, 30)]
            case _:
                data[at:at] = chance.choice(SEEDS)[: chance.randint(1, 60)]
    return bytes(data)


@pytest.mark.parametrize(
    "count", [2_000, pytest.param(100_000, marks=[pytest.mark.full, pytest.mark.timeout(600)])]
)
def test_mutated_requests(server: HttpServer, count: int, caplog: pytest.LogCaptureFixture) -> None:
    """S24: each is answered or closed, nothing reaches the top, memory stays flat."""
    seed = 20261123
    measured(f"seed {seed}: {count:,} requests")
    chance = random.Random(seed)
    caplog.set_level(logging.WARNING)
    after_warm_up = 0
    for number in range(count):
        if number == count // 4:
            after_warm_up = resident_bytes()
        with Connection(server) as client:
            client.send(mutated(chance))
            client.socket.shutdown(socket.SHUT_WR)
            reply = client.rest()
            assert reply == b"" or reply.startswith((b"HTTP/1.1 ", b"HTTP/1.0 "))
            assert b"Traceback" not in reply
            assert not reply.startswith((b"HTTP/1.1 500", b"HTTP/1.0 500"))
    assert resident_bytes() - after_warm_up < 8 << 20
    assert caplog.records == []
    with Connection(server) as client:
        assert client.get("/health").status == 200
