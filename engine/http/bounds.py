"""Which connections are closed when there are too many, or too much waits for them in memory."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from operator import attrgetter

from engine.http.connection import Connection
from engine.http.peers import Peers

_progress_at = attrgetter("progress_at")


def first_to_close(
    connections: Iterable[Connection], number: int, peers: Peers
) -> list[Connection]:
    """So many of these: of the addresses that have most of them, first those that wait between
    two requests, the most used before the others, then those that are longest under way.
    """
    connections = list(connections)
    weights = {origin: -peers.weight(origin) for origin in {c.origin for c in connections}}
    return heapq.nsmallest(number, connections, lambda c: (weights[c.origin], *c.precedence()))


def above_share(
    connections: Iterable[Connection], origins: set[str], peers: Peers
) -> Iterator[Connection]:
    """Connections of these origins that are above the share of an address."""
    for origin in origins:
        if surplus := peers.surplus(origin):
            theirs = [connection for connection in connections if connection.origin == origin]
            yield from first_to_close(theirs, surplus, peers)


def files_above(sending: Iterable[Connection], limit: int) -> list[Connection]:
    """Of more than so many that files are sent to, those whose clients took nothing for longest."""
    senders = [connection for connection in sending if connection.sends_file]
    return heapq.nsmallest(max(0, len(senders) - limit), senders, _progress_at)


def memory_above(sending: Iterable[Connection], limit: int) -> Iterator[Connection]:
    """While more bytes than this are in memory for clients, those who took nothing for longest.

    A body that several clients wait for is in memory once.
    """
    bodies = {connection: connection.bodies for connection in sending}
    sizes = {id(body): len(body) for body in chain.from_iterable(bodies.values())}
    total = sum(sizes.values())
    if total <= limit:
        return
    users = Counter(id(body) for body in chain.from_iterable(bodies.values()))
    for connection in sorted(bodies, key=_progress_at):
        if total <= limit:
            return
        for body in bodies[connection]:
            users[id(body)] -= 1
            total -= 0 if users[id(body)] else sizes[id(body)]
        yield connection
