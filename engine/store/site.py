"""The identity of this hotspot: a random id, for as long as it runs on the same board."""

from __future__ import annotations

import hashlib
import uuid

from engine.store.meta import MetaTable


def identify(meta: MetaTable, board_serial: str, *, writable: bool) -> str:
    """The id, made at first start and again on another board; saved if the database is writable."""
    site_id = meta.get("site_id")
    board = hashlib.sha256(f"offspot-metrics board {board_serial}".encode()).hexdigest()
    if not board_serial:
        board = str(meta.get("board", ""))
    if site_id is None or board != meta.get("board", board):
        site_id = str(uuid.uuid4())
    if writable:
        meta.set("site_id", site_id)
        meta.set("board", board)
    return str(site_id)
