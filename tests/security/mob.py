"""Thousands of clients that keep connections open, in a separate process: `python -m`.

Its arguments are a port, a kind, the number of clients and of local addresses to connect from. It
prints a line once all are connected and, when standard input ends, a line of JSON with the results.

`silent` sends nothing, `slow` sends a byte each second, `polite` sends a request every four seconds
and reads the response, `reopening` sends one request and reconnects. All reconnect when closed.
"""

from __future__ import annotations

import contextlib
import errno
import heapq
import json
import resource
import select
import socket
import sys
from collections import Counter
from time import monotonic

BYTE_SECONDS = 1.0
POLITE_SECONDS = 4.0
OPENED_PER_TURN = 400
TURN_MILLISECONDS = 20
REQUEST = b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOW_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"a" * 4000


class Client:
    """One connection, and when it has something to do next."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.connected = False
        self.sent = 0


class Mob:
    """All of them."""

    def __init__(self, port: int, kind: str, count: int, addresses: int) -> None:
        self.port = port
        self.kind = kind
        self.count = count
        self.sources = [f"127.0.1.{number + 1}" for number in range(addresses)]
        self.poll = select.epoll()
        self.clients: dict[int, Client] = {}
        self.due: list[tuple[float, int, int]] = []
        self.seen: Counter[str] = Counter()

    def open_some(self) -> None:
        """Come, or come back."""
        for _ in range(min(OPENED_PER_TURN, self.count - len(self.clients))):
            connection = socket.socket()
            connection.setblocking(False)
            source = self.sources[self.seen["opened"] % len(self.sources)]
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                connection.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
                connection.bind((source, 0))
                found = connection.connect_ex(("127.0.0.1", self.port))
            except OSError:
                found = errno.EADDRNOTAVAIL
            if found not in (0, errno.EINPROGRESS):
                self.seen["refused"] += 1
                connection.close()
                return
            self.seen["opened"] += 1
            self.clients[connection.fileno()] = Client(connection)
            self.poll.register(connection, select.EPOLLOUT | select.EPOLLIN)

    def happened(self, number: int, events: int) -> None:
        """A connection is there, has an answer, or has ended."""
        client = self.clients[number]
        if events & (select.EPOLLERR | select.EPOLLHUP):
            self.leave(number)
            return
        if events & select.EPOLLOUT and not client.connected:
            client.connected = True
            self.seen["connected"] += 1
            self.poll.modify(number, select.EPOLLIN)
            self.act(number)
        elif events & select.EPOLLIN:
            try:
                data = client.connection.recv(65536)
            except OSError:
                data = b""
            self.seen["answers"] += data.startswith(b"HTTP/1.1 200")
            if not data or self.kind == "reopening":
                self.leave(number)

    def act(self, number: int) -> None:
        """Send what is to be sent now."""
        client = self.clients.get(number)
        if client is None or self.kind == "silent":
            return
        slow = self.kind == "slow"
        text = SLOW_REQUEST[client.sent : client.sent + 1] if slow else REQUEST
        try:
            client.sent += client.connection.send(text)
        except OSError:
            self.leave(number)
            return
        if self.kind != "reopening":
            pause = BYTE_SECONDS if slow else POLITE_SECONDS
            heapq.heappush(self.due, (monotonic() + pause, number, id(client)))

    def leave(self, number: int) -> None:
        """A connection has ended, by whomever."""
        client = self.clients.pop(number)
        with contextlib.suppress(OSError):
            self.poll.unregister(number)
        client.connection.close()
        self.seen["ended"] += 1

    def run(self) -> None:
        """Go on until standard input ends."""
        self.poll.register(sys.stdin, select.EPOLLIN | select.EPOLLHUP)
        told = False
        while True:
            self.open_some()
            for number, events in self.poll.poll(TURN_MILLISECONDS / 1000):
                if number == sys.stdin.fileno():
                    return
                if number in self.clients:
                    self.happened(number, events)
            now = monotonic()
            while self.due and self.due[0][0] <= now:
                _, number, known = heapq.heappop(self.due)
                if number in self.clients and id(self.clients[number]) == known:
                    self.act(number)
            if not told and self.seen["opened"] >= self.count:
                told = True
                print("all there", flush=True)


def main() -> None:
    """Read the arguments, run, and tell what happened."""
    port, kind, count, addresses = sys.argv[1:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, int(count) + 200), hard))
    mob = Mob(int(port), kind, int(count), int(addresses))
    mob.run()
    print(json.dumps({"there": len(mob.clients), **mob.seen}), flush=True)


if __name__ == "__main__":
    main()
