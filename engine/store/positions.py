"""Reading positions: one row per generation, written in the transaction of the states."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from engine.sources.log_file import LogFile, decode_anchors, encode_anchors
from engine.store.schema import FATE_COLUMNS, tables_at
from engine.text import displayable

KEPT_GENERATIONS: Final = 5_000
"""Logs that are remembered; the counts of older ones are added up in one row of empty id."""


def save_generations(
    connection: sqlite3.Connection, generations: Iterable[LogFile], seen: int
) -> None:
    """Write the generations that moved; `seen` is the number of the commit."""
    rows = [_row_of(generation, seen) for generation in generations]
    if rows:
        insert = tables_at()["generation"].insert(*rows[0], replace=True)
        connection.executemany(insert, [tuple(row.values()) for row in rows])


def _row_of(generation: LogFile, seen: int) -> dict[str, Any]:
    return {
        "id": generation.id,
        "position": generation.position,
        "anchors": encode_anchors(generation.anchors, generation.resume_points),
        "name": displayable(generation.name),
        "first_at": generation.first_at,
        "last_at": generation.last_at,
        "began_at": generation.began_at,
        "doubt_until": generation.ambiguous_until,
        "doubt_after": generation.ambiguous_after,
        "seen": seen,
        **{column: generation.fates[fate] for fate, column in FATE_COLUMNS.items()},
    }


def load_generations(connection: sqlite3.Connection) -> dict[bytes, LogFile]:
    """Every generation that is remembered, the most recently moved one last."""
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    rows = cursor.execute("SELECT * FROM generation WHERE id <> x'' ORDER BY seen")
    return {row["id"]: _generation_of(row) for row in rows}


def _generation_of(row: sqlite3.Row) -> LogFile:
    anchors, resume_points = decode_anchors(row["anchors"])
    return LogFile(
        id=row["id"],
        position=row["position"],
        anchors=anchors,
        resume_points=resume_points,
        name=row["name"],
        first_at=row["first_at"],
        last_at=row["last_at"],
        began_at=row["began_at"],
        ambiguous_until=row["doubt_until"],
        ambiguous_after=row["doubt_after"],
        fates=fates_in(row),
    )


def fates_in(row: sqlite3.Row) -> Counter[str]:
    """Numbers of lines by fate, of a row that has their columns."""
    return Counter({fate: row[column] for fate, column in FATE_COLUMNS.items()})


def sum_fates(
    connection: sqlite3.Connection, where: str = "", values: Sequence[bytes] = ()
) -> sqlite3.Row:
    """The sums of all columns of fates, and `seen` of the newest commit."""
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    sums = ", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in FATE_COLUMNS.values())
    sql = f"SELECT max(seen) AS seen, {sums} FROM generation {where}"
    row: sqlite3.Row = cursor.execute(sql, values).fetchone()
    return row


def prune_generations(connection: sqlite3.Connection, present: Iterable[bytes]) -> list[bytes]:
    """Forget the oldest generations beyond `KEPT_GENERATIONS`, never one that is `present`.

    Their lines stay counted in the row of the empty id. The ids that were forgotten.
    """
    stay = set(present)
    rows = connection.execute(
        "SELECT id FROM generation WHERE id <> x'' ORDER BY seen DESC LIMIT -1 OFFSET ?",
        (KEPT_GENERATIONS,),
    ).fetchall()
    old = [identity for (identity,) in rows if identity not in stay]
    fold_generations(connection, old)
    return old


def fold_generations(connection: sqlite3.Connection, identities: Sequence[bytes]) -> None:
    """Forget generations; their lines stay counted in the row of the empty id."""
    for begin in range(0, len(identities), 500):  # SQLite has a limit of bound values
        some = identities[begin : begin + 500]
        marks = ", ".join("?" * len(some))
        sums = sum_fates(connection, f"WHERE id IN (x'', {marks})", some)
        # The newest commit that is named in the table is known elsewhere (`TABLE_CHECKSUMS`): it
        # stays, with the lines of both.
        if sums["seen"] is not None:
            generation = LogFile(b"", fates=fates_in(sums))
            save_generations(connection, [generation], sums["seen"])
        connection.execute(f"DELETE FROM generation WHERE id IN ({marks})", some)
