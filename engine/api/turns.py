"""One round of the server's loop: who is looked at, and in which order.

In: the sockets, and how urgent each is. Out: their events handled, those of crowded addresses last
and not all at once, so that new connections are taken meanwhile.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any, Final

from waitress import wasyncore

PER_ROUND: Final = 128
"""So many sockets have their turn before new connections are looked for again."""


def one_round(
    turn: int, seconds: float, sockets: dict[int, Any], urgency: Callable[[Any], tuple[int, int]]
) -> None:
    """Wait for events, at most so long, and handle them, the smallest urgency first.

    `turn` is the number of this round; it is noted on each socket that has its turn.
    """
    pollster = select.poll()
    for number, socket in list(sockets.items()):
        events = select.POLLIN | select.POLLPRI if socket.readable() else 0
        if socket.writable() and not socket.accepting:
            events |= select.POLLOUT
        if events:
            pollster.register(number, events)
    found = pollster.poll(int(seconds * 1000))
    if len(found) > PER_ROUND:
        found = sorted(found, key=lambda ready: urgency(sockets[ready[0]]))[:PER_ROUND]
    for number, events in found:
        socket = sockets.get(number)
        if socket is not None:  # else one before it has ended it
            socket.turn = turn
            wasyncore.readwrite(socket, events)
