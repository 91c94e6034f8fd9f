"""The hourly records as they are stored: one for each hour, indicator, dimension and origin."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple

from engine.store.merging import Part, with_state

_HOURS: Final = (
    "SELECT hour FROM record WHERE hour >= ?1 AND hour < ?2 UNION "
    "SELECT hour FROM state WHERE hour >= ?1 AND hour < ?2 ORDER BY hour"
)
_ROWS: Final = (
    "SELECT indicator_id, value0, origin_id, source, kind, clock_epoch_id, value, minutes, state "
    "FROM (SELECT indicator_id, dimension_id, origin_id, value, minutes, NULL AS state "
    "FROM record WHERE hour = ?1 UNION ALL "
    "SELECT indicator_id, dimension_id, origin_id, NULL, NULL, state FROM state WHERE hour = ?1) "
    "JOIN dimension ON dimension.id = dimension_id JOIN origin ON origin.id = origin_id "
    "ORDER BY indicator_id, value0, origin_id, state IS NOT NULL"
)
_OF_ONE_RECORD: Final = itemgetter(slice(6))


class HourlyRecord(NamedTuple):
    """What one counting knows of an hour. A saved state is part of it as if the hour was over."""

    hour: int
    indicator_id: int
    dimension: str
    value: int
    minutes: int | None
    """The set of minutes, as 60 bits, where there is one."""
    source: str
    kind: str
    clock_trusted: bool
    """False when the kernel did not call its clock synchronised while this was counted."""


def read_hourly_records(
    connection: sqlite3.Connection, start: int, end: int
) -> Iterator[HourlyRecord]:
    """Records of the hours in `[start, end)` by hour, indicator, dimension and origin.

    Only one hour of them is in memory.
    """
    for (hour,) in connection.execute(_HOURS, (start, end)):
        rows = connection.execute(_ROWS, (hour,)).fetchall()
        for key, parts in groupby(rows, _OF_ONE_RECORD):
            indicator_id, dimension, _, source, kind, epoch = key
            part: Part | None = None
            for *_, value, minutes, state in parts:
                stored = (value, minutes)
                part = stored if state is None else with_state(indicator_id, part, state)
            if part is not None:
                yield HourlyRecord(
                    hour, indicator_id, dimension, *part, source, kind, epoch is None
                )


def record_hours(connection: sqlite3.Connection) -> list[int]:
    """Every hour that has a record, ascending; steps over the rows between them."""
    return [
        hour
        for (hour,) in connection.execute(
            "WITH RECURSIVE step (hour) AS (SELECT min(hour) FROM record UNION ALL "
            "SELECT (SELECT min(hour) FROM record WHERE hour > step.hour) FROM step "
            "WHERE step.hour IS NOT NULL) SELECT hour FROM step WHERE hour IS NOT NULL"
        )
    ]
