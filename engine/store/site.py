"""The identity of this hotspot: a random id that stays with its board and its card.

A board or a card that was replaced is a repair. Where both are others, a card that was in use has
been copied into another hotspot, which is given an id of its own.
"""

from __future__ import annotations

import uuid
from typing import NamedTuple

from engine.store.meta import MetaTable


class Hardware(NamedTuple):
    """Hashes of the numbers of the board and of the card; empty where a number is not known."""

    board: str = ""
    card: str = ""


def identify(meta: MetaTable, hardware: Hardware, *, writable: bool) -> str:
    """The id, made at first start and for a copy; saved if the database is writable."""
    stored = Hardware(str(meta.get("board", "")), str(meta.get("card", "")))
    site_id = meta.get("site_id")
    if site_id is None or is_copy(stored, hardware):
        site_id = str(uuid.uuid4())
        stored = Hardware()
    if writable:
        meta.set("site_id", site_id)
        meta.set("board", hardware.board or stored.board)
        meta.set("card", hardware.card or stored.card)
    return str(site_id)


def is_copy(stored: Hardware, hardware: Hardware) -> bool:
    """Whether every number that was known and is known now is another one."""
    known = [(was, now) for was, now in zip(stored, hardware, strict=True) if was and now]
    return bool(known) and all(was != now for was, now in known)
