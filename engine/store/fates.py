"""Numbers of lines by fate: the columns of positions, and their sums."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence

from engine.store.schema import FATE_COLUMNS


def fates_in(row: sqlite3.Row) -> Counter[str]:
    """Numbers of lines by fate, of a row that has their columns."""
    return Counter({fate: row[column] for fate, column in FATE_COLUMNS.items()})


def sum_fates(
    connection: sqlite3.Connection, where: str = "", values: Sequence[bytes] = ()
) -> sqlite3.Row:
    """The sums of all columns of fates, and the number of the newest commit."""
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    sums = ", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in FATE_COLUMNS.values())
    sql = f"SELECT max(commit_number) AS commit_number, {sums} FROM log_file {where}"
    row: sqlite3.Row = cursor.execute(sql, values).fetchone()
    return row
