"""Reading positions: one row per generation, in the same transaction as the states.

In: generations that moved. Out: rows of `generation`, and generations as they were saved.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from engine.sources.model import LogFile, decode_anchors, encode_anchors
from engine.store.schema import FATE_COLUMNS, FATE_SUMS, SEALED
from engine.text import displayable

KEPT_GENERATIONS: Final = 5_000
"""Logs that are remembered; the counts of older ones are added up in one row of empty id."""

_ALL_COLUMNS: Final = SEALED["generation"]
_COLUMNS: Final = _ALL_COLUMNS[: -len(FATE_COLUMNS)]
_ALL: Final = ", ".join(_ALL_COLUMNS)
_MARKS: Final = ", ".join(f"?{n + 1}" for n in range(len(_ALL_COLUMNS)))
_UPSERT: Final = (
    f"INSERT OR REPLACE INTO generation ({_ALL}, seal) VALUES ({_MARKS}, seal_of({_MARKS}))"
)
_SELECT: Final = f"SELECT {_ALL} FROM generation WHERE id <> x'' ORDER BY seen"


def save_generations(
    connection: sqlite3.Connection, generations: Iterable[LogFile], seen: int
) -> None:
    """Write the generations that moved; `seen` is the number of the commit."""
    connection.executemany(
        _UPSERT,
        [
            (
                g.id,
                g.position,
                encode_anchors(g.anchors, g.resume_points),
                displayable(g.name),
                g.first_at,
                g.last_at,
                g.began_at,
                g.ambiguous_until,
                g.ambiguous_after,
                seen,
                *(g.fates[fate] for fate in FATE_COLUMNS),
            )
            for g in generations
        ],
    )


def load_generations(connection: sqlite3.Connection) -> dict[bytes, LogFile]:
    """Every generation that is remembered, the most recently moved one last."""
    found: dict[bytes, LogFile] = {}
    for row in connection.execute(_SELECT):
        anchors, resume_points = decode_anchors(row[2])
        found[row[0]] = LogFile(
            id=row[0],
            position=row[1],
            anchors=anchors,
            resume_points=resume_points,
            name=row[3],
            first_at=row[4],
            last_at=row[5],
            began_at=row[6],
            ambiguous_until=row[7],
            ambiguous_after=row[8],
            fates=Counter(dict(zip(FATE_COLUMNS, row[len(_COLUMNS) :], strict=True))),
        )
    return found


def prune_generations(connection: sqlite3.Connection, present: Iterable[bytes]) -> list[bytes]:
    """Forget the oldest generations beyond `KEPT_GENERATIONS`, never one that is `present`.

    Their lines stay counted in the row of the empty id. The ids that were forgotten.
    """
    stay = set(present)
    rows = connection.execute(
        "SELECT id FROM generation WHERE id <> x'' ORDER BY seen DESC LIMIT -1 OFFSET ?",
        (KEPT_GENERATIONS,),
    ).fetchall()
    old = [row[0] for row in rows if row[0] not in stay]
    fold_generations(connection, old)
    return old


def fold_generations(connection: sqlite3.Connection, identities: Sequence[bytes]) -> None:
    """Forget generations; their lines stay counted in the row of the empty id."""
    for begin in range(0, len(identities), 500):  # SQLite has a limit of bound values
        some = identities[begin : begin + 500]
        marks = ", ".join("?" * len(some))
        among = f"WHERE id IN (x'', {marks})"
        sums = connection.execute(f"{FATE_SUMS} {among}", some).fetchone()
        # The newest commit that is named in the table is known elsewhere (`TIES`): it stays.
        (seen,) = connection.execute(f"SELECT max(seen) FROM generation {among}", some).fetchone()
        if seen is not None:
            connection.execute(_UPSERT, (b"", 0, b"", "", None, None, None, 0, 0, seen, *sums))
        connection.execute(f"DELETE FROM generation WHERE id IN ({marks})", some)
