"""Stretches of steady time: a new one begins at each boot and at each step of the clock."""

from __future__ import annotations

import sqlite3
from typing import Final

from engine.store.schema import tables_at

KEPT_EPOCHS: Final = 1_000


def add_epoch(
    connection: sqlite3.Connection, boot_id: str, at: int, step_seconds: int, trusted: bool | None
) -> None:
    """Note that a stretch begins; the oldest are removed, but those that records refer to."""
    row = {
        "id": connection.execute("SELECT coalesce(max(id), 0) + 1 FROM clock_epoch").fetchone()[0],
        "boot_id": boot_id,
        "started_at": at,
        "step_seconds": step_seconds,
        "trusted": trusted,
    }
    connection.execute(tables_at()["clock_epoch"].insert(*row), tuple(row.values()))
    connection.execute(
        "DELETE FROM clock_epoch WHERE id <= (SELECT max(id) FROM clock_epoch) - ? "
        "AND id NOT IN (SELECT clock_epoch_id FROM origin WHERE clock_epoch_id IS NOT NULL)",
        (KEPT_EPOCHS,),
    )


def newest_steps(connection: sqlite3.Connection, newest: int) -> list[tuple[int, int]]:
    """The newest steps of the clock: (time after it, seconds), oldest first."""
    rows = connection.execute(
        "SELECT started_at, step_seconds FROM clock_epoch WHERE step_seconds <> 0 "
        "ORDER BY id DESC LIMIT ?",
        (newest,),
    ).fetchall()
    return rows[::-1]
