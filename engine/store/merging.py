"""How the records of one hour, indicator and dimension make one value, whatever their origins.

Sums of all origins add; minute sets unite, and a value without a set counts where it is larger. A
value is always computed of the united set: ten-minute slots are not monotone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from engine import indicators
from engine.indicators.folds import COUNTS

Part = tuple[int, int | None]
"""The value of one origin, and its minute set where there is one."""

HOURLY_VALUES: Final = (
    "SELECT hour, indicator_id, dimension_id, CASE count(*) WHEN 1 THEN max(value) ELSE ("
    "SELECT merged_value(o.indicator_id, group_concat(o.value || ':' || coalesce(o.minutes, ''))) "
    "FROM record AS o WHERE o.hour = record.hour AND o.indicator_id = record.indicator_id "
    "AND o.dimension_id = record.dimension_id) END AS value "
    "FROM record WHERE hour >= {first} AND hour < {end} GROUP BY hour, indicator_id, dimension_id"
)
"""The value of each hour, indicator and dimension between two instants, as SQL.

Most have one record, and are not to wait for those that have several.
"""


def merged_value(indicator_id: int, parts: Iterable[Part]) -> int:
    """The value of one hour and dimension from those of its origins."""
    fold = indicators.FOLDS.get(indicator_id, COUNTS)
    if not fold.keeps_minutes:
        return sum(value for value, _ in parts)
    united = largest = 0
    for value, minutes in parts:
        if minutes is None:
            largest = max(largest, value)
        else:
            united = fold.merge(united, minutes)
    return max(fold.value(united), largest)


def with_state(indicator_id: int, part: Part | None, state: int) -> Part:
    """The part of an origin, if it has one yet, after a state of it was merged into it."""
    fold = indicators.FOLDS[indicator_id]
    value, minutes = part or (0, None)
    if not fold.keeps_minutes:
        return value + fold.value(state), None
    merged = fold.merge(minutes or 0, state)
    return fold.value(merged), merged


def install(connection: sqlite3.Connection) -> None:
    """Add the function of `HOURLY_VALUES` to a connection."""
    connection.create_function("merged_value", 2, _merged_value, deterministic=True)


def _merged_value(indicator_id: int, parts: str) -> int:
    pairs = (part.split(":") for part in parts.split(","))
    return merged_value(
        indicator_id, [(int(value), int(minutes) if minutes else None) for value, minutes in pairs]
    )
