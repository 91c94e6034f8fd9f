"""Imports the records of an older system's database, as an origin of their own.

A file is known by its content, so importing it again, or a later copy that has grown, adds only
what is new. Hours in which lines were counted here are left to what was counted.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from engine import indicators
from engine.indicators.model import Key
from engine.store.origins import Origin
from engine.store.records import RecordWriter
from engine.store.store import Store
from engine.store.upstream.reading import Hour, UpstreamDatabase, fingerprint
from engine.times import labels_of_hour

BATCH: Final = 10_000
"""Records that are written at once."""
DAY_SECONDS: Final = 86_400

Progress = Callable[[int], None]
"""Called with how many records were read since the last call."""


@dataclass
class Summary:
    """What an import did."""

    source: str = ""
    """The id of the file's content."""
    was_known: bool = False
    """Whether it, or an earlier copy of it, had been imported before."""
    records: Counter[str] = field(default_factory=Counter)
    """Records that there are, by the name of the indicator."""
    hours: int = 0
    first_hour: int | None = None
    last_hour: int | None = None
    in_future: int = 0
    """Records dated more than a day ahead of now; they are imported too."""
    capped: int = 0
    """Values above 60 minutes an hour, taken as 60."""
    years: list[str] = field(default_factory=list)
    """Years of which only the totals are known."""
    left: Counter[str] = field(default_factory=Counter)
    """Records that were not imported, by reason."""


class Import:
    """One import. `batches` does the work, and commits after each step."""

    def __init__(self, store: Store, upstream: UpstreamDatabase, now: int) -> None:
        self.store = store
        self.upstream = upstream
        self.now = now
        self.summary = Summary()
        self._counted_here = _hours_counted_here(store.connection)
        self.origin = self._find_origin()
        self.summary.source = self.origin.source
        self._batch: dict[Key, int] = {}

    def run(self, progress: Progress = lambda _records: None) -> Summary:
        """Import everything in one transaction. Raises what the store and the file raise."""
        with self.store.transaction():
            for records in self.batches():
                progress(records)
        return self.summary

    def batches(self) -> Iterator[int]:
        """Import step by step; yields how many records each step has read."""
        read = 0
        for hour in self.upstream.hours():
            read += len(hour.values)
            self._take(hour)
            if len(self._batch) >= BATCH:
                self._save()
                yield read
                read = 0
        self._save()
        self._save_years()
        self.summary.capped = self.upstream.capped
        self.summary.left += self.upstream.left
        yield read

    def _find_origin(self) -> Origin:
        """The origin of this content, which an earlier copy of the file may have."""
        oldest = self.upstream.oldest()
        known = [
            source
            for (source,) in self.store.connection.execute(
                "SELECT source FROM origin WHERE kind = 'imported' AND source <> ''"
            )
        ]
        source = _source(oldest)
        same = [other for other in known if other == source or _has_grown(other, oldest)]
        same = same or [other for other in known if self._has_same_records(other)]
        if same:
            self.summary.was_known = True
            return Origin(same[0], "imported")
        return Origin(source, "imported")

    def _has_same_records(self, source: str) -> bool:
        """Whether the hours from the oldest one on that is there of another copy are the same.

        Of the newest one there may be less, as of one that lines were counted in since: these were
        not over when they were imported.
        """
        same = False
        first, newest = self.store.connection.execute(
            "SELECT min(hour), max(hour) FROM record "
            "WHERE origin_id = (SELECT id FROM origin WHERE source = ?)",
            (source,),
        ).fetchone()
        if first is None:
            return False
        for hour, values in self.upstream.oldest(since=first):
            rows = self.store.connection.execute(
                "SELECT indicator_id, value0, value FROM record "
                "JOIN dimension ON dimension.id = dimension_id "
                "JOIN origin ON origin.id = origin_id WHERE hour = ? AND origin.source = ?",
                (hour, source),
            )
            stored = {(indicator_id, value0): value for indicator_id, value0, value in rows}
            less = all(value <= values.get(key, -1) for key, value in stored.items())
            may_be_less = hour == newest or hour in self._counted_here
            if stored and stored != values and not (less and may_be_less):
                return False
            same = same or bool(stored)
        return same

    def _take(self, hour: Hour) -> None:
        summary = self.summary
        if hour.hour in self._counted_here:
            summary.left["of hours that were counted here"] += len(hour.values)
            return
        if hour.hour < self.store.records.complete_from:
            summary.left["of hours that are no longer kept"] += len(hour.values)
            return
        summary.hours += 1
        summary.first_hour = hour.hour if summary.first_hour is None else summary.first_hour
        summary.last_hour = max(hour.hour, summary.last_hour or 0)
        if hour.hour > self.now + DAY_SECONDS:
            summary.in_future += len(hour.values)
        for (indicator_id, dimension), value in hour.values.items():
            summary.records[_NAMES[indicator_id]] += 1
            self._batch[hour.hour, indicator_id, dimension] = value

    def _save(self) -> None:
        if self._batch:
            batch, self._batch = self._batch, {}
            self.store.import_with(lambda records: records.save_values(batch, self.origin))

    def _save_years(self) -> None:
        """Keep the totals of years that have no records, here or in the file."""
        have_records = {
            dict(labels_of_hour(hour, self.store.zone))["Y"]
            for hour in self.store.reader().record_hours()
        }
        years = self.upstream.years()
        labels = sorted(years.keys() - have_records)
        for label in labels:
            write = partial(
                RecordWriter.save_whole_period, kind="Y", label=label, totals=years[label]
            )
            self.store.import_with(write)
        self.summary.years = labels


_NAMES: Final = {indicator.id: indicator.name for indicator in indicators.ALL}


def _source(hours: list[Hour]) -> str:
    """The id of a file's content: a hash of its oldest hours, and of how many."""
    return f"{fingerprint(hours).hex()}/{len(hours)}"


def _has_grown(source: str, oldest: list[Hour]) -> bool:
    """Whether a file with these oldest hours has been one with this id."""
    _, _, hours = source.partition("/")
    return hours.isdecimal() and _source(oldest[: int(hours)]) == source


def _hours_counted_here(connection: sqlite3.Connection) -> set[int]:
    """Hours in which a line of a log made a figure; being on alone makes none."""
    query = (
        "SELECT DISTINCT hour FROM {table} JOIN origin ON origin.id = origin_id "
        "WHERE origin.kind = 'counted' AND indicator_id <> ?"
    )
    return {
        hour
        for table in ("record", "state")
        for (hour,) in connection.execute(query.format(table=table), (indicators.uptime.id,))
    }
