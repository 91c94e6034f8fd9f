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
from collections.abc import Callable, Mapping
from typing import Final
from zoneinfo import ZoneInfo

from engine import indicators
from engine.indicators.model import NO_DIMENSION, Key, States
from engine.kpis.hourly import Values
from engine.store import origins
from engine.store.figure_totals import FigureTotals
from engine.store.hourly_records import record_hours
from engine.store.merging import HOURLY_VALUES, Part, merged_value, with_state
from engine.store.meta import MetaTable
from engine.store.origins import UNKNOWN, Origin
from engine.store.schema import TABLE_CHECKSUMS, TOTALS, tables_at
from engine.times import KEPT, PERIOD_KINDS, labels_of_hour, period_of

_COMPUTE_TOTAL: Final = (
    "SELECT ?1 AS agg_kind, ?2 AS agg_value, indicator_id, dimension_id, sum(value) AS value FROM "
    f"({HOURLY_VALUES.format(first='?3', end='?4')}) GROUP BY indicator_id, dimension_id"
)

ROW_KEY: Final = ("hour", "indicator_id", "dimension_id", "origin_id")
StatesByRow = dict[tuple[int, ...], int]
"""`ROW_KEY` -> state."""
PartWith = Callable[[int, Part | None, int], Part]
"""What an origin has of an hour after something was added to what it has."""
Difference = dict[tuple[str, str], dict[tuple[int, int], int]]
"""(kind, label) -> (indicator, dimension id) -> change of the total."""


class RecordWriter:
    """Writes states, records and totals through one connection, in one zone."""

    def __init__(self, connection: sqlite3.Connection, zone: ZoneInfo, complete_from: int) -> None:
        self.connection = connection
        self.zone = zone
        self.complete_from = complete_from  # records before this instant were purged
        self._dimensions: dict[str, int] = {NO_DIMENSION: 0}
        self._origins: dict[Origin, int] = {}
        self.totals_changed = True
        self.figures = FigureTotals(connection)

    def forget(self) -> None:
        """Drop what is remembered of rows that a rolled back transaction may have made."""
        self._dimensions = {NO_DIMENSION: 0}
        self._origins = {}
        self.totals_changed = True

    def save(self, states: States, running_hour: int | None, origin: Origin = UNKNOWN) -> None:
        """Write states counted since the last save; hours that are over become records."""
        over = self._take_states_of_other_hours(running_hour)
        running: StatesByRow = {}
        origin_id = self.origin_id(origin) if states else 0
        for (hour, indicator_id, dimension), state in states.items():
            part = running if hour == running_hour else over
            key = (hour, indicator_id, self.dimension_id(dimension), origin_id)
            known = part.get(key)
            part[key] = indicators.FOLDS[indicator_id].merge(known, state) if known else state
        self._save_states(running)
        self._save_records(over, with_state)

    def save_values(self, values: Mapping[Key, int], origin: Origin) -> None:
        """Write the values of hours as they are, where they are larger than what the origin has of
        them: an older copy of a file has less of the hour that was its newest.
        """
        origin_id = self.origin_id(origin)
        rows: StatesByRow = {
            (hour, indicator_id, self.dimension_id(dimension), origin_id): value
            for (hour, indicator_id, dimension), value in values.items()
        }
        self._save_records(
            rows, lambda _id, part, value: (max(value, part[0] if part else 0), None)
        )

    def save_whole_period(
        self, kind: str, label: str, totals: Mapping[tuple[int, str], int]
    ) -> None:
        """Store totals of a period that has no records. Others than records made them stay."""
        self.totals_changed = True
        period = tables_at()["period"].insert("agg_kind", "agg_value", "whole", replace=True)
        self.connection.execute(period, (kind, label, 1))
        total = tables_at()["total"].insert(
            *("agg_kind", "agg_value", "indicator_id", "dimension_id", "value"), replace=True
        )
        self.connection.executemany(
            total,
            [
                (kind, label, indicator_id, self.dimension_id(dimension), value)
                for (indicator_id, dimension), value in totals.items()
                if value
            ],
        )

    def _take_states_of_other_hours(self, running_hour: int | None) -> StatesByRow:
        hour = -1 if running_hour is None else running_hour
        rows = self.connection.execute(
            "SELECT hour, indicator_id, dimension_id, origin_id, state FROM state WHERE hour <> ?",
            (hour,),
        ).fetchall()
        if rows:
            self.connection.execute("DELETE FROM state WHERE hour <> ?", (hour,))
        return {tuple(key): state for *key, state in rows}

    def _save_states(self, states: StatesByRow) -> None:
        rows: dict[str, list[tuple[int, ...]]] = defaultdict(list)
        for key, state in states.items():
            rows[indicators.FOLDS[key[1]].operator].append((*key, state))
        for operator, of_operator in rows.items():
            merge = f"state = state {operator} excluded.state"
            insert = tables_at()["state"].insert_or_merge(*ROW_KEY, "state", merge=merge)
            self.connection.executemany(insert, of_operator)

    def _save_records(self, states: StatesByRow, part_with: PartWith) -> None:
        by_hour: dict[int, StatesByRow] = defaultdict(dict)
        for key, state in states.items():
            by_hour[key[0]][key] = state
        differences: Difference = defaultdict(lambda: defaultdict(int))
        self.totals_changed = self.totals_changed or bool(by_hour)
        changed: dict[int, tuple[Values, Values]] = {}
        for hour, touched in by_hour.items():
            before, after = changed[hour] = self._save_hour(hour, touched, part_with)
            moved = {key: to for key, to in after.items() if before.get(key) != to}
            for period in labels_of_hour(hour, self.zone):
                total = differences[period]
                for key, to in moved.items():
                    total[key] += to - before.get(key, 0)
        if changed:
            self.figures.change(changed)
        for (kind, label), total in differences.items():
            self._add_to_period(kind, label, total)
        self._drop_old_periods({kind for kind, _ in differences})

    def _save_hour(
        self, hour: int, touched: StatesByRow, part_with: PartWith
    ) -> tuple[Values, Values]:
        """Change the records of one hour. Its merged values before and after."""
        parts = self._parts_of(hour)
        before = {key: _value_of(key[0], of) for key, of in parts.items()}
        rows = []
        changed = set()
        for key, state in touched.items():
            _, indicator_id, dimension_id, origin_id = key
            of_origins = parts[indicator_id, dimension_id]
            known = of_origins.get(origin_id)
            part = part_with(indicator_id, known, state)
            if part != known:
                rows.append((*key, *part))
                of_origins[origin_id] = part
                changed.add((indicator_id, dimension_id))
        insert = tables_at()["record"].insert(*ROW_KEY, "value", "minutes", replace=True)
        self.connection.executemany(insert, rows)
        return before, before | {key: _value_of(key[0], parts[key]) for key in changed}

    def _parts_of(self, hour: int) -> dict[tuple[int, int], dict[int, Part]]:
        """(indicator, dimension id) -> origin id -> its part of the hour."""
        parts: dict[tuple[int, int], dict[int, Part]] = defaultdict(dict)
        for indicator_id, dimension_id, origin_id, value, minutes in self.connection.execute(
            "SELECT indicator_id, dimension_id, origin_id, value, minutes FROM record "
            "WHERE hour = ?",
            (hour,),
        ):
            parts[indicator_id, dimension_id][origin_id] = (value, minutes)
        return parts

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
        """Store the totals of all kept periods again from the records (the zone has changed).

        Those of periods that are `whole`, or whose records were purged, stay as they are.
        """
        self.totals_changed = True
        for kind, label in self.connection.execute(
            "SELECT agg_kind, agg_value FROM period WHERE whole = 0"
        ).fetchall():
            period = period_of(kind, label, self.zone)
            if period is None or period.start >= self.complete_from:
                self.connection.execute(
                    "DELETE FROM period WHERE agg_kind = ? AND agg_value = ?", (kind, label)
                )
        stored = self.connection.execute("SELECT agg_kind, agg_value FROM period").fetchall()
        labels: dict[str, set[str]] = {kind: set() for kind in PERIOD_KINDS}
        for hour in record_hours(self.connection):
            for kind, label in labels_of_hour(hour, self.zone):
                labels[kind].add(label)
        for kind in PERIOD_KINDS:
            for label in sorted(labels[kind], reverse=True)[: KEPT.get(kind)]:
                if (kind, label) not in stored:
                    self._compute_period(kind, label)

    def purge(self, before: int) -> int:
        """Remove records of hours before an instant and dimensions that only they used.

        The stored totals of the years before stay. The number of records removed.
        """
        removed = self.connection.execute("DELETE FROM record WHERE hour < ?", (before,)).rowcount
        if removed:
            self.figures.remove(before)
            self.connection.execute(
                "DELETE FROM dimension WHERE id <> 0 AND id NOT IN "
                "(SELECT dimension_id FROM record UNION SELECT dimension_id FROM state "
                "UNION SELECT dimension_id FROM total)"
            )
            origins.remove_unused(self.connection)
            self.forget()
            self.write_table_checksums()
        return removed

    def write_table_checksums(self) -> None:
        """Write into `meta` what the tables that have changed add up to."""
        for table in ("state", *(TOTALS if self.totals_changed else ())):
            key = f"checksum_{table}"
            (found,) = self.connection.execute(TABLE_CHECKSUMS[key]).fetchone()
            MetaTable(self.connection).set(key, found)
        self.totals_changed = False

    def origin_id(self, origin: Origin) -> int:
        """The id of an origin, made when it is new."""
        if origin not in self._origins:
            self._origins[origin] = origins.id_of(self.connection, origin)
        return self._origins[origin]

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


def _value_of(indicator_id: int, of_origins: Mapping[int, Part]) -> int:
    """The value of an hour and dimension; most have one origin."""
    if len(of_origins) == 1:
        [(value, _)] = of_origins.values()
        return value
    return merged_value(indicator_id, of_origins.values())
