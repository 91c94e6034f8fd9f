"""States, records and totals: where what was counted since the last commit is written.

States are differences: sums to add, minutes to unite. Those of the running hour go to `state`; any
other goes to its hour's record at once, because an hour that is not running is over. Records are
merged, never overwritten, so that a late line, a clock that went back and a second replay all land
exactly where they belong. Totals of stored periods move by the difference that a record made.
Nothing here begins or ends a transaction.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from typing import Final
from zoneinfo import ZoneInfo

from engine import indicators
from engine.indicators.folds import Fold
from engine.indicators.model import NO_DIMENSION, States
from engine.store.schema import tables_at
from engine.times import KEPT, PERIOD_KINDS, labels_of_hour, period_of

_COMPUTE_TOTAL: Final = (
    "SELECT ?1 AS agg_kind, ?2 AS agg_value, indicator_id, dimension_id, sum(value) AS value "
    "FROM record WHERE hour >= ?3 AND hour < ?4 GROUP BY indicator_id, dimension_id"
)

Difference = dict[tuple[str, str], dict[tuple[int, int], int]]
"""(kind, label) -> (indicator, dimension id) -> change of the total."""


class RecordWriter:
    """Writes states, records and totals through one connection, in one zone."""

    def __init__(self, connection: sqlite3.Connection, zone: ZoneInfo, complete_from: int) -> None:
        self.connection = connection
        self.zone = zone
        self.complete_from = complete_from  # records before this instant were purged
        self._dimensions: dict[str, int] = {NO_DIMENSION: 0}
        self.totals_changed = True

    def forget(self) -> None:
        """Drop what is remembered of rows that a rolled back transaction may have made."""
        self._dimensions = {NO_DIMENSION: 0}
        self.totals_changed = True

    def save(self, states: States, running_hour: int | None) -> None:
        """Write states counted since the last save; hours that are over become records."""
        over: States = self._take_states_of_other_hours(running_hour)
        running: States = {}
        for key, state in states.items():
            part = running if key[0] == running_hour else over
            part[key] = indicators.FOLDS[key[1]].merge(part.get(key, 0), state)
        self._save_states(running)
        self._save_records(over)

    def _take_states_of_other_hours(self, running_hour: int | None) -> States:
        hour = -1 if running_hour is None else running_hour
        rows = self.connection.execute(
            "SELECT hour, indicator_id, value0, state FROM state "
            "JOIN dimension ON dimension.id = dimension_id WHERE hour <> ?",
            (hour,),
        ).fetchall()
        if rows:
            self.connection.execute("DELETE FROM state WHERE hour <> ?", (hour,))
        return {(hour, indicator_id, title): state for hour, indicator_id, title, state in rows}

    def _save_states(self, states: States) -> None:
        rows: dict[str, list[tuple[int, int, int, int]]] = defaultdict(list)
        for (hour, indicator_id, dimension), state in states.items():
            row = (hour, indicator_id, self.dimension_id(dimension), state)
            rows[indicators.FOLDS[indicator_id].operator].append(row)
        columns = ("hour", "indicator_id", "dimension_id", "state")
        for operator, of_operator in rows.items():
            merge = f"state = state {operator} excluded.state"
            insert = tables_at()["state"].insert_or_merge(*columns, merge=merge)
            self.connection.executemany(insert, of_operator)

    def _save_records(self, states: States) -> None:
        by_hour: dict[int, dict[tuple[int, int], int]] = defaultdict(dict)
        for (hour, indicator_id, dimension), state in states.items():
            by_hour[hour][indicator_id, self.dimension_id(dimension)] = state
        differences: Difference = defaultdict(lambda: defaultdict(int))
        self.totals_changed = self.totals_changed or bool(by_hour)
        for hour, touched in by_hour.items():
            changed = self._save_hour(hour, touched)
            for period in labels_of_hour(hour, self.zone):
                total = differences[period]
                for key, difference in changed.items():
                    total[key] += difference
        for (kind, label), total in differences.items():
            self._add_to_period(kind, label, total)
        self._drop_old_periods({kind for kind, _ in differences})

    def _save_hour(
        self, hour: int, touched: dict[tuple[int, int], int]
    ) -> dict[tuple[int, int], int]:
        """Merge states into the records of one hour. What it changed of their values."""
        existing = {
            (indicator_id, dimension_id): (value, minutes, imported)
            for indicator_id, dimension_id, value, minutes, imported in self.connection.execute(
                "SELECT indicator_id, dimension_id, value, minutes, imported "
                "FROM record WHERE hour = ?",
                (hour,),
            )
        }
        rows, changed = [], {}
        for key, state in touched.items():
            old_value, old_minutes, imported = existing.get(key, (0, None, None))
            fold = indicators.FOLDS[key[0]]
            value, minutes = merge_record(fold, state, old_value, old_minutes, imported)
            if key not in existing or (value, minutes) != (old_value, old_minutes):
                rows.append((hour, *key, value, minutes, imported))
                changed[key] = value - old_value
        columns = ("hour", "indicator_id", "dimension_id", "value", "minutes", "imported")
        self.connection.executemany(tables_at()["record"].insert(*columns, replace=True), rows)
        return changed

    def _add_to_period(self, kind: str, label: str, total: dict[tuple[int, int], int]) -> None:
        stored = self.connection.execute(
            "SELECT 1 FROM period WHERE agg_kind = ? AND agg_value = ?", (kind, label)
        ).fetchone()
        if stored:
            add = tables_at()["total"].insert_or_merge(
                *("agg_kind", "agg_value", "indicator_id", "dimension_id", "value"),
                merge="value = value + excluded.value",
            )
            rows = [(kind, label, *key, difference) for key, difference in total.items()]
            self.connection.executemany(add, rows)
        else:
            self._compute_period(kind, label)

    def _compute_period(self, kind: str, label: str) -> None:
        """Store the totals of a period from its records, when it is one of those kept."""
        period = period_of(kind, label, self.zone)
        if period is None or period.start < self.complete_from:
            return
        newer = self.connection.execute(
            "SELECT count(*) FROM period WHERE agg_kind = ? AND agg_value > ?", (kind, label)
        ).fetchone()[0]
        if newer >= KEPT.get(kind, newer + 1):
            return
        self.connection.execute(
            tables_at()["period"].insert("agg_kind", "agg_value"), (kind, label)
        )
        compute = tables_at()["total"].insert_selected(_COMPUTE_TOTAL)
        self.connection.execute(compute, (kind, label, period.start, period.end))

    def _drop_old_periods(self, kinds: set[str]) -> None:
        for kind in kinds & set(KEPT):
            self.connection.execute(
                "DELETE FROM period WHERE agg_kind = ?1 AND agg_value NOT IN "
                "(SELECT agg_value FROM period WHERE agg_kind = ?1 "
                "ORDER BY agg_value DESC LIMIT ?2)",
                (kind, KEPT[kind]),
            )

    def recompute_periods(self) -> None:
        """Store the totals of all kept periods again from the records (the zone has changed)."""
        self.totals_changed = True
        for kind, label in self.connection.execute(
            "SELECT agg_kind, agg_value FROM period"
        ).fetchall():
            period = period_of(kind, label, self.zone)
            if period is None or period.start >= self.complete_from:
                self.connection.execute(
                    "DELETE FROM period WHERE agg_kind = ? AND agg_value = ?", (kind, label)
                )
        labels: dict[str, set[str]] = {kind: set() for kind in PERIOD_KINDS}
        for hour in record_hours(self.connection):
            for kind, label in labels_of_hour(hour, self.zone):
                labels[kind].add(label)
        for kind in PERIOD_KINDS:
            for label in sorted(labels[kind], reverse=True)[: KEPT.get(kind)]:
                self._compute_period(kind, label)

    def purge(self, before: int) -> int:
        """Remove records of hours before an instant and dimensions that only they used.

        The stored totals of the years before stay. The number of records removed.
        """
        removed = self.connection.execute("DELETE FROM record WHERE hour < ?", (before,)).rowcount
        if removed:
            self.connection.execute(
                "DELETE FROM dimension WHERE id <> 0 AND id NOT IN "
                "(SELECT dimension_id FROM record UNION SELECT dimension_id FROM state "
                "UNION SELECT dimension_id FROM total)"
            )
            self.forget()
        return removed

    def dimension_id(self, value0: str) -> int:
        """The id of a dimension, made when it is new."""
        found = self._dimensions.get(value0)
        if found is None:
            row = self.connection.execute(
                "SELECT id FROM dimension WHERE value0 = ?", (value0,)
            ).fetchone()
            found = int(row[0]) if row else self._add_dimension(value0)
            self._dimensions[value0] = found
        return found

    def _add_dimension(self, value0: str) -> int:
        (number,) = self.connection.execute("SELECT max(id) + 1 FROM dimension").fetchone()
        insert = tables_at()["dimension"].insert("id", "value0")
        self.connection.execute(insert, (number, value0))
        return int(number)


def merge_record(
    fold: Fold, state: int, value: int | None, minutes: int | None, imported: int | None
) -> tuple[int, int | None]:
    """Value and minutes of a record after a state was merged into it; there may be none yet.

    The value that was imported stays where it is larger than that of the minutes.
    """
    if not fold.keeps_minutes:
        return (value or 0) + fold.value(state), None
    merged = fold.merge(minutes or 0, state)
    return max(fold.value(merged), imported or 0), merged


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
