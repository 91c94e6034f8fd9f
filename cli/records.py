"""`offspot-metrics records`: the hourly records that all figures are made of, one by one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from engine.settings import Config
    from engine.store.hourly_records import HourlyRecord
    from engine.store.reader import Reader
    from engine.times import Period

SCHEMA: Final = 1
"""Of the JSON and NDJSON; it changes when a member goes, or means something else."""
CSV_HEADER: Final = (
    "start_utc,start_local,indicator_id,indicator,dimension,value,minutes,source,kind,clock_trusted"
)
ROWS_AT_ONCE: Final = 500
_TABLE: Final = "{:16}  {:16}  {:23}  {:>9}  {:8}  {:7}  {:36}  {:24}  {}"
_HEADINGS: Final = (
    *("Start (UTC)", "Start (local)", "Indicator", "Value", "Kind", "Clock", "Source"),
    *("Minutes", "Package"),
)


def records(config: Config) -> None:
    """Print the hourly records of a day, a week, a month or a year.

    There is one for each hour, indicator, package and origin. They come from the database, the
    running hour included.
    """
    from cli import output
    from engine.report import Report
    from engine.runtime.clock import now
    from engine.store.reader import Reader
    from engine.times import parse_period

    report = Report(Reader.open(config.database), config.timezone)
    with closing(report):
        period = parse_period(config.period, now(), report.zone)
        _print_notes(report.reader, period)
        rows = _Rows(report.zone, period)
        pieces = getattr(rows, config.records_format)(report.reader.hourly_records(period))
        with closing(pieces):
            while text := "".join(islice(pieces, ROWS_AT_ONCE)):
                if not output.write(text):
                    return


def _print_notes(reader: Reader, period: Period) -> None:
    """Say what is missing, and that there is nothing at all."""
    from cli.messages import print_message

    if period.start < int(reader.get("complete_from", 0)):
        print_message(f"not all records of {period.label} are kept any more")
    with closing(reader.hourly_records(period)) as found:
        if next(found, None) is None:
            print_message(f"there are no records of {period.label}")


class _Rows:
    """Records of a period in each of the formats, as pieces of text."""

    def __init__(self, zone: ZoneInfo, period: Period) -> None:
        from engine import indicators

        self._zone = zone
        self._period = period
        self._names = {indicator.id: indicator.name for indicator in indicators.ALL}

    def table(self, records: Iterable[HourlyRecord]) -> Iterator[str]:
        """Columns of a fixed width, as nothing is known of the rows to come."""
        from engine.text import displayable

        yield _TABLE.format(*_HEADINGS) + "\n"
        for one in records:
            row = _TABLE.format(
                self._utc(one).strftime("%Y-%m-%d %H:%M"),
                self._local(one).strftime("%Y-%m-%d %H:%M"),
                self._names.get(one.indicator_id, one.indicator_id),
                f"{one.value:,}",
                one.kind,
                "trusted" if one.clock_trusted else "unsure",
                displayable(one.source),
                _ranges(_minutes(one)),
                displayable(one.dimension),
            )
            yield row.rstrip() + "\n"

    def csv(self, records: Iterable[HourlyRecord]) -> Iterator[str]:
        """A row for each record (RFC 4180), safe to open in a spreadsheet."""
        from engine.csv_text import csv_text

        yield f"{CSV_HEADER}\r\n"
        for one in records:
            object_ = self._as_json(one)
            minutes = " ".join(map(str, object_["minutes"] or []))
            trusted = "true" if one.clock_trusted else "false"
            cells = {**object_, "minutes": minutes, "clockTrusted": trusted}
            yield csv_text([tuple(cells.values())])

    def ndjson(self, records: Iterable[HourlyRecord]) -> Iterator[str]:
        """An object in each line."""
        for one in records:
            yield _compact({"schema": SCHEMA, **self._as_json(one)}) + "\n"

    def json(self, records: Iterable[HourlyRecord]) -> Iterator[str]:
        """One object, which has a record in each line."""
        head = {
            "schema": SCHEMA,
            "timezone": self._zone.key,
            "aggKind": self._period.kind,
            "aggValue": self._period.label,
        }
        yield _compact(head)[:-1] + ',"records":['
        between = "\n"
        for one in records:
            yield between + _compact(self._as_json(one))
            between = ",\n"
        yield "\n]}\n"

    def _as_json(self, one: HourlyRecord) -> dict[str, Any]:
        return {
            "startUtc": self._utc(one).isoformat().replace("+00:00", "Z"),
            "startLocal": self._local(one).isoformat(),
            "indicatorId": one.indicator_id,
            "indicator": self._names.get(one.indicator_id, ""),
            "dimension": one.dimension,
            "value": one.value,
            "minutes": _minutes(one),
            "source": one.source,
            "kind": one.kind,
            "clockTrusted": one.clock_trusted,
        }

    def _utc(self, one: HourlyRecord) -> datetime:
        return datetime.fromtimestamp(one.hour, UTC)

    def _local(self, one: HourlyRecord) -> datetime:
        return datetime.fromtimestamp(one.hour, self._zone)


def _minutes(one: HourlyRecord) -> list[int] | None:
    from engine.times import set_minutes

    return None if one.minutes is None else list(set_minutes(one.minutes))


def _ranges(minutes: list[int] | None) -> str:
    """Minutes as people write them: `0-9,26`; empty when there is no set of them."""
    ranges: list[list[int]] = []
    for minute in minutes or []:
        if ranges and ranges[-1][-1] == minute - 1:
            ranges[-1][1:] = [minute]
        else:
            ranges.append([minute])
    return ",".join("-".join(map(str, one)) for one in ranges)


def _compact(data: dict[str, Any]) -> str:
    from engine.text import displayable_json

    return displayable_json(json.dumps(data, ensure_ascii=False, separators=(",", ":")))
