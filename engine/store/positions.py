"""Reading positions: one row per log file, written in the transaction of the states."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

from engine.sources.log_file import LogFile, decode_anchors, encode_anchors
from engine.store.fates import fates_in, sum_fates
from engine.store.schema import FATE_COLUMNS, tables_at
from engine.text import displayable

KEPT_LOG_FILES: Final = 5_000
"""Logs that are remembered; the counts of older ones are added up in one row of empty id."""


def save_log_files(
    connection: sqlite3.Connection, log_files: Iterable[LogFile], commit_number: int
) -> None:
    """Write the log files that moved; `commit_number` is that of the commit."""
    rows = [_row_of(log_file, commit_number) for log_file in log_files]
    if rows:
        insert = tables_at()["log_file"].insert(*rows[0], replace=True)
        connection.executemany(insert, [tuple(row.values()) for row in rows])


def _row_of(log_file: LogFile, commit_number: int) -> dict[str, Any]:
    return {
        "id": log_file.id,
        "position": log_file.position,
        "anchors": encode_anchors(log_file.anchors, log_file.resume_points),
        "name": displayable(log_file.name),
        "first_at": log_file.first_at,
        "last_at": log_file.last_at,
        "began_at": log_file.began_at,
        "ambiguous_until": log_file.ambiguous_until,
        "ambiguous_after": log_file.ambiguous_after,
        "commit_number": commit_number,
        **{column: log_file.fates[fate] for fate, column in FATE_COLUMNS.items()},
    }


def load_log_files(connection: sqlite3.Connection) -> dict[bytes, LogFile]:
    """Every log file that is remembered, the most recently moved one last."""
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    rows = cursor.execute("SELECT * FROM log_file WHERE id <> x'' ORDER BY commit_number")
    return {row["id"]: _log_file_of(row) for row in rows}


def _log_file_of(row: sqlite3.Row) -> LogFile:
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
        ambiguous_until=row["ambiguous_until"],
        ambiguous_after=row["ambiguous_after"],
        fates=fates_in(row),
    )


def prune_log_files(connection: sqlite3.Connection, present: Iterable[bytes]) -> list[bytes]:
    """Forget the oldest log files beyond `KEPT_LOG_FILES`, never one that is `present`.

    Their lines stay counted in the row of the empty id. The ids that were forgotten.
    """
    stay = set(present)
    rows = connection.execute(
        "SELECT id FROM log_file WHERE id <> x'' ORDER BY commit_number DESC LIMIT -1 OFFSET ?",
        (KEPT_LOG_FILES,),
    ).fetchall()
    old = [identity for (identity,) in rows if identity not in stay]
    fold_log_files(connection, old)
    return old


def fold_log_files(connection: sqlite3.Connection, identities: Sequence[bytes]) -> None:
    """Forget log files; their lines stay counted in the row of the empty id."""
    for begin in range(0, len(identities), 500):  # SQLite has a limit of bound values
        some = identities[begin : begin + 500]
        marks = ", ".join("?" * len(some))
        sums = sum_fates(connection, f"WHERE id IN (x'', {marks})", some)
        # The newest commit that is named in the table is known elsewhere (`TABLE_CHECKSUMS`): it
        # stays, with the lines of both.
        if sums["commit_number"] is not None:
            log_file = LogFile(b"", fates=fates_in(sums))
            save_log_files(connection, [log_file], sums["commit_number"])
        connection.execute(f"DELETE FROM log_file WHERE id IN ({marks})", some)
