"""Rows about what is stored: bytes a minute, a save, the end of an hour, the end of a year.

They are measured in this process, call by call, on a database made for the purpose by the
program's own store.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from benchmarks import workload
from benchmarks.measure import Sample
from benchmarks.table import ALONE, RECORDED, Row
from engine.api.answers import json_bytes
from engine.figures.answers import Query
from engine.indicators.model import States
from engine.report import Report
from engine.store.reader import Reader
from engine.store.store import Store
from lab.writes import bytes_a_minute

GROUPS: Final = ("package", "day", "week", "month", "hour-of-week")
GOAL_FIGURES: Final = 0.050
YEAR: Final = 1767225600  # 2026-01-01T00:00:00Z
HOUR: Final = 3600
NOW: Final = YEAR + 364 * 24 * HOUR + 12 * HOUR
"""The noon of the last day of a year, of which the hours before have records."""
UPSTREAM_HOURLY, UPSTREAM_YEAR = 0.025, 0.107
UPSTREAM_BYTES_PER_MINUTE: Final = 42_000
UTC: Final = ZoneInfo("UTC")


def an_hour(hour: int, packages: int, *, first: int = 0) -> States:
    """States of an hour in which packages were visited and used."""
    states: States = {(hour, 1004, ""): (1 << 60) - 1, (hour, 1005, ""): 0b111 << 9}
    for number in range(first, first + packages):
        states[hour, 1001, f"Package {number}"] = 1 + number % 7
        states[hour, 1006, f"Package {number}"] = 0b1 << number % 60
    return states


def a_year(database: Path, packages: int, *, hours_a_day: int = 3, first: int = YEAR) -> None:
    """Write a year of records into a database."""
    with Store.open(database, UTC) as store, store.transaction():
        for day in range(365):
            states: States = {}
            for number in range(hours_a_day):
                states |= an_hour(first + day * 24 * HOUR + number * HOUR, packages)
            store.commit(states)


def _with_records(database: Path, packages: int, hours: int) -> None:
    """Records of the last hours, `packages` * 2 + 2 in each."""
    with Store.open(database, UTC) as store, store.transaction():
        for number in range(hours, 0, -1):
            store.commit(an_hour(NOW - number * HOUR, packages))


def end_of_hour(database: Path, packages: int, runs: int) -> Sample:
    """Seconds for what is done when an hour is over: its states become records and KPIs."""
    found = []
    with Store.open(database, UTC) as store:
        for number in range(runs):
            hour = NOW + number * HOUR
            store.commit(an_hour(hour, packages), running_hour=hour)
            begun = time.perf_counter()
            store.commit({}, running_hour=hour + HOUR)
            found.append(time.perf_counter() - begun)
    return Sample(tuple(found))


def end_of_year(database: Path, packages: int) -> float:
    """Seconds for the last hour of a year to become records, and for all kinds to be read."""
    end = YEAR + 365 * 24 * HOUR
    with Store.open(database, UTC) as store:
        store.commit(an_hour(end - HOUR, packages), running_hour=end - HOUR)
        begun = time.perf_counter()
        store.commit({}, running_hour=end)
        report = Report(store.reader(), UTC)
        for kind in "DWMY":
            report.aggregation(kind)
        return time.perf_counter() - begun


def rows(runs: int) -> list[Row]:
    """The hourly computation and that of the year's end: 1,000 packages, 62,000 records."""
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=workload.FOLDER))
    hourly: list[float] = []
    yearly: list[float] = []
    try:
        for number in range(runs):
            database = folder / f"{number}.db"
            _with_records(database, 1000, 31)
            hourly.append(end_of_hour(database, 1000, 1).median)
            yearly.append(end_of_year(database, 1000))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [
        _row("hourly", "end of an hour", Sample(tuple(hourly)), UPSTREAM_HOURLY),
        _row(
            "year-end",
            "end of a year, and all four kinds read",
            Sample(tuple(yearly)),
            UPSTREAM_YEAR,
        ),
    ]


def _row(row: str, what: str, found: Sample, upstream: float) -> Row:
    return Row(
        row,
        f"{what}: 1,000 packages, 62,000 records",
        f"{found.median * 1000:.0f} ms",
        f"offspot/metrics: {upstream * 1000:.0f} ms",
        "no slower",
        found.median <= upstream,
        RECORDED,
        tuple(upstream / seconds for seconds in found.values),
    )


def any_stretch(runs: int) -> list[Row]:
    """Figures of two years of 100 packages, grouped in each way, made anew each time."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=workload.FOLDER) as folder:
        database = Path(folder) / "metrics.db"
        for first in (YEAR - 365 * 24 * HOUR, YEAR):
            a_year(database, 100, first=first)
        with closing(Report(Reader.open(database), UTC)) as report:
            found = {by: _figures_seconds(report, by, runs) for by in GROUPS}
    slowest = max(found, key=lambda by: found[by].median)
    return [
        Row(
            "any-stretch",
            f"`GET /api/v1/figures` over two years of 100 packages, slowest `by={slowest}`",
            f"{found[slowest].median * 1000:.0f} ms",
            "",
            f"{GOAL_FIGURES * 1000:.0f} ms",
            found[slowest].median <= GOAL_FIGURES,
            ALONE,
            span=", ".join(f"{by} {of.median * 1000:.0f} ms" for by, of in found.items()),
        )
    ]


def _figures_seconds(report: Report, by: str, runs: int) -> Sample:
    """Seconds of processor time for an answer as it is sent; a stretch that ends within weeks."""
    query = Query(date(2025, 1, 10), date(2026, 12, 30), by)
    seconds = []
    for _ in range(runs):
        begun = time.process_time()
        json_bytes(report.figures(query, YEAR + 364 * 24 * HOUR))
        seconds.append(time.process_time() - begun)
    return Sample(tuple(seconds))


def written() -> list[Row]:
    """Bytes given to the system to write, a minute: the real store, two hours of saves."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=workload.FOLDER) as folder:
        found = bytes_a_minute(Path(folder))
    ratio = UPSTREAM_BYTES_PER_MINUTE / found
    return [
        Row(
            "written",
            "bytes written a minute, 2 hours of 30 lines a minute over 29 packages",
            f"{found / 1000:.1f} kB",
            "offspot/metrics: 42 kB",
            "a third",
            ratio >= 3,
            RECORDED,
            (ratio,),
        )
    ]


def save_growth() -> str:
    """A table: a minute's save by what changed, and by what is stored."""
    out = ["| packages that changed | hours stored | a save |", "|---|---|---|"]
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=workload.FOLDER))
    try:
        for stored in (24, 240, 2400):
            database = folder / f"{stored}.db"
            _with_records(database, 10, stored)
            changes = (1, 10, 100) if stored == 24 else (10,)
            for changed in changes:
                found = Sample(tuple(_a_save(database, changed) for _ in range(9)))
                out.append(f"| {changed} | {stored:,} | {found.median * 1000:.1f} ms |")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return "\n".join(out) + "\n"


def _a_save(database: Path, packages: int) -> float:
    hour = YEAR + 366 * 24 * HOUR
    with Store.open(database, UTC) as store:
        store.commit(an_hour(hour, packages), running_hour=hour)
        begun = time.perf_counter()
        store.commit(an_hour(hour, packages), running_hour=hour)
        return time.perf_counter() - begun


def kpi_growth() -> str:
    """A table: the end of an hour by the records of the hour, and by what is stored."""
    out = ["| packages in the hour | hours stored | end of the hour |", "|---|---|---|"]
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=workload.FOLDER))
    try:
        for packages, stored in ((10, 24), (100, 24), (1000, 24), (10, 240), (10, 2400)):
            database = folder / f"{packages}-{stored}.db"
            _with_records(database, packages, stored)
            found = end_of_hour(database, packages, 5)
            out.append(f"| {packages:,} | {stored:,} | {found.median * 1000:.1f} ms |")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return "\n".join(out) + "\n"
