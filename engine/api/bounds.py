"""Which connections end when there are too many of them, or too much waits for them.

In: the connections. Out: those that are to be closed, first ones first.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain

from engine.api.channel import Channel
from engine.api.peers import Peers


def first_to_leave(channels: list[Channel], number: int, peers: Peers) -> list[Channel]:
    """So many of these: of the addresses that have most of them, first those that wait between
    two requests, the most used before the others, then those that are longest under way.
    """
    weights = {origin: -peers.weight(origin) for origin in {c.origin for c in channels}}
    return heapq.nsmallest(number, channels, lambda c: (weights[c.origin], *c.precedence()))


def above_share(channels: Iterable[Channel], origins: set[str], peers: Peers) -> Iterator[Channel]:
    """Connections of these origins that are above the share of an address."""
    for origin in origins:
        if surplus := peers.surplus(origin):
            theirs = [channel for channel in channels if channel.origin == origin]
            yield from first_to_leave(theirs, surplus, peers)


def senders_above(senders: list[Channel], limit: int) -> list[Channel]:
    """Above so many to which files are sent, those whose clients took nothing for longest."""
    return heapq.nsmallest(max(0, len(senders) - limit), senders, _taken_at)


def above_memory(channels: Iterable[Channel], limit: int) -> Iterator[Channel]:
    """While more bytes than this are in memory for clients, those who took nothing for longest.

    A body that several clients wait for is in memory once.
    """
    waiting = [channel for channel in channels if channel.total_outbufs_len]
    if sum(channel.body_bytes for channel in waiting) <= limit:
        return
    bodies = {channel: channel.bodies() for channel in waiting}
    users = Counter(id(body) for body in chain.from_iterable(bodies.values()))
    sizes = {id(body): len(body) for body in chain.from_iterable(bodies.values())}
    total = sum(sizes.values())
    for channel in sorted(waiting, key=_taken_at):
        if total <= limit:
            return
        for body in bodies[channel]:
            users[id(body)] -= 1
            total -= 0 if users[id(body)] else sizes[id(body)]
        yield channel


def _taken_at(channel: Channel) -> float:
    return channel.taken_at
