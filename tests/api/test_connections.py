"""One connection of the server, step by step, over a real socket: what it takes, sends and owes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from engine.http.connection import Connection
from engine.http.parsing import RequestParser
from engine.http.server import HttpServer
from engine.http.workers import Workers
from engine.http.wsgi import Responder, Response

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
MEBIBYTE = 1024 * 1024
SO_SNDBUFFORCE = 32
"""Linux' number, which Python does not name."""


class Ends:
    """The server's connection, and the client's end of it."""

    def __init__(self) -> None:
        ours, self.client = socket.socketpair()
        ours.setblocking(False)
        self.client.settimeout(30)
        self.connection = Connection(ours, ("127.0.0.1", 1), "a", 0.0)

    def send(self, data: bytes, now: float = 0.0) -> bool:
        """What the client sends; whether there is a request to answer after it."""
        self.client.sendall(data)
        self.connection.receive(now)
        return self.connection.next_request(now) is not None

    def received(self) -> int:
        """How many bytes have come to the client and were not taken before."""
        self.client.setblocking(False)
        count = 0
        try:
            while data := self.client.recv(MEBIBYTE):
                count += len(data)
        except BlockingIOError:
            pass
        return count


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.client.close()
    if not made.connection.closed:
        made.connection.close()


def test_while_an_answer_is_computed_the_client_owes_nothing(ends: Ends) -> None:
    """However long it takes, the connection is not older for it when there are too many."""
    assert ends.send(GET, 1.0)
    assert not ends.connection.overdue(500.0)
    assert ends.connection.precedence() == (1, 0, 500.0)


def test_requests_that_come_at_once_are_taken_one_by_one(ends: Ends) -> None:
    """The next one when the answer to the one before has been sent."""
    assert ends.send(GET + GET.replace(b"/ ", b"/2 ") + GET[:10])
    for path in ("/", "/2"):
        assert ends.connection.request is not None
        assert ends.connection.request.path == path
        assert ends.connection.next_request(0.0) is ends.connection.request
        ends.connection.respond(Response([b"x"], close=False), 0.0)
        ends.connection.next_request(0.0)
    assert ends.connection.request is None
    assert ends.connection._parser is not None
    assert ends.send(GET[10:])


def test_after_the_last_answer_nothing_is_answered(ends: Ends) -> None:
    """What the client sent behind the request that ended the connection is not read."""
    assert ends.send(GET + GET)
    ends.connection.respond(Response([b"x"], close=True), 0.0)
    assert ends.connection.next_request(0.0) is None
    assert ends.connection.finished


def test_a_large_answer_leaves_the_others_their_turn(ends: Ends) -> None:
    """No more than a mebibyte goes out at once, however much the client takes."""
    ends.connection.socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 16 * MEBIBYTE)
    assert ends.send(GET)
    ends.connection.respond(Response([bytes(3 * MEBIBYTE)], close=False), 0.0)
    for turn in range(3):
        assert ends.received() == MEBIBYTE
        assert ends.connection.sending is (turn < 2)
        ends.connection.flush(0.0)
    assert ends.received() == 0


def test_a_file_that_became_shorter_ends_the_connection(ends: Ends, tmp_path: Path) -> None:
    """Its size was announced: there is no other way to say that it does not come."""
    path = tmp_path / "page"
    path.write_bytes(b"x" * 100)
    assert ends.send(GET)
    response = Response([], close=False, file=path.open("rb"), file_bytes=200)
    ends.connection.respond(response, 0.0)
    assert ends.received() == 100
    with pytest.raises(OSError, match="shorter"):
        ends.connection.flush(0.0)


def test_a_connection_that_is_closed_closes_its_file(ends: Ends, tmp_path: Path) -> None:
    """Whatever was left to send of it."""
    path = tmp_path / "page"
    path.write_bytes(bytes(10 * MEBIBYTE))
    file = path.open("rb")
    assert ends.send(GET)
    ends.connection.respond(Response([], close=False, file=file, file_bytes=10 * MEBIBYTE), 0.0)
    assert ends.connection.sends_file
    ends.connection.close()
    assert file.closed


def test_a_worker_waits_until_its_result_is_taken() -> None:
    """Before that it begins nothing: results that wait would have no bound."""
    workers = Workers(1)
    done = [threading.Event() for _ in range(3)]
    for event in done:
        workers.submit(event.set)
    assert done[0].wait(30)
    assert not done[1].wait(0.2)
    workers.taken()
    assert done[1].wait(30)
    assert not done[2].wait(0.2)
    workers.stop(30)
    assert not done[2].is_set()


def test_what_an_application_returns_is_closed() -> None:
    """As WSGI asks for: once it is read, also when reading it fails."""

    class Result(list[bytes]):
        closed = False
        fails = False

        def __iter__(self) -> Iterator[bytes]:
            yield from super().__iter__()
            if self.fails:
                raise ValueError("the application fails")

        def close(self) -> None:
            self.closed = True

    for fails in (False, True):
        result = Result([b"x"])
        result.fails = fails

        def app(
            _environ: dict[str, Any], start_response: Callable[..., Any], found: Result = result
        ) -> Result:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return found

        request = RequestParser()
        request.received(GET)
        response = Responder(app, ("127.0.0.1", 80)).respond(request, ("127.0.0.1", 1))
        assert (b"500" in response.parts[0]) is fails
        assert result.closed


def test_one_round_is_not_for_all_of_a_crowd() -> None:
    """Of 200 connections with a request, 128 have their turn before new ones are looked for."""

    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "1")])
        return [b"x"]

    server = HttpServer(app, "127.0.0.1", 0)
    server.bind()
    assert server.loop is not None
    with ExitStack() as stack:
        address = ("127.0.0.1", server.port)
        clients = [stack.enter_context(socket.create_connection(address)) for _ in range(200)]
        while len(server.loop.connections) < len(clients):
            server.loop._round(1.0)
        for client in clients:
            client.sendall(GET)
        turns = []
        for _ in range(2):
            server.loop._round(1.0)
            turns.append(sum(c.turn == server.loop._turn for c in server.loop.connections))
        server.stop()
    assert turns[0] == 128
    assert turns[1] >= 72
