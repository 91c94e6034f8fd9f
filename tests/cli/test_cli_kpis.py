"""`kpis`: one period from the database, by every name that a period has."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.cases import Program, Result, invoke, kpis_of, lines, write

CLICKS = (
    "2024-12-29T23:59:30.111Z",  # Sunday of 2024 W52
    "2024-12-30T00:00:30.222Z",  # Monday of 2025 W01
    "2025-01-05T23:30:00.333Z",  # Sunday of 2025 W01
    "2025-01-06T00:10:00.444Z",  # Monday of 2025 W02
)


@pytest.fixture
def database(place: Path, packages: Path) -> Path:
    """Four visits around the turn of a year."""
    log = lines(*(f"{time} GET lib.box/content/bees_en/ 200" for time in CLICKS))
    (path,) = write(place, log__json=log)
    done = invoke("replay", "-q", "--packages", packages, "--database", place / "metrics.db", path)
    assert done.code == 0, done.err
    return place / "metrics.db"


def asked(database: Path, period: str, *more: object) -> dict[str, Any]:
    """What `kpis --format json` says of a period."""
    result = invoke("kpis", "--database", database, "--period", period, "--format", "json", *more)
    assert result.code == 0, result.err
    printed: dict[str, Any] = result.json
    return printed


@pytest.mark.parametrize(
    ("period", "kind", "label", "count"),
    [
        ("2024-12-29", "D", "2024-12-29", 1),
        ("2024-12-30", "D", "2024-12-30", 1),
        ("2024-W52", "W", "2024 W52", 1),
        ("2025-W01", "W", "2025 W01", 2),
        ("2025 W01", "W", "2025 W01", 2),
        ("2025-W02", "W", "2025 W02", 1),
        ("2024-12", "M", "2024-12", 2),
        ("2025-01", "M", "2025-01", 2),
        ("2024", "Y", "2024", 2),
        ("2025", "Y", "2025", 2),
    ],
)
def test_every_kind_of_period(
    database: Path, period: str, kind: str, label: str, count: int
) -> None:
    """A week over a year's end has days of both; month and year end where the calendar does."""
    found = asked(database, period)
    assert (found["aggKind"], found["aggValue"]) == (kind, label)
    assert [item["kpiId"] for item in found["kpis"]] == [2001, 2003, 2004, 2005]
    assert kpis_of(found)[2001]["totalVisits"] == count


NAMES = ("today", "yesterday", "this-week", "this-month", "this-year")


@pytest.mark.dated
@pytest.mark.parametrize(
    ("now", "zone", "labels"),
    [
        (
            "2028-02-29T12:00:00Z",
            "UTC",
            ("2028-02-29", "2028-02-28", "2028 W09", "2028-02", "2028"),
        ),
        (  # 23:58 there
            "2026-12-31T22:58:00Z",
            "Europe/Paris",
            ("2026-12-31", "2026-12-30", "2026 W53", "2026-12", "2026"),
        ),
        (  # half an hour into the week that two years share
            "2026-12-31T23:30:00Z",
            "Europe/Paris",
            ("2027-01-01", "2026-12-31", "2026 W53", "2027-01", "2027"),
        ),
        (  # the hour after the one that is missing
            "2027-03-28T01:30:00Z",
            "Europe/Paris",
            ("2027-03-28", "2027-03-27", "2027 W12", "2027-03", "2027"),
        ),
        (  # the second of the two hours that are both called two o'clock
            "2027-10-31T01:30:00Z",
            "Europe/Paris",
            ("2027-10-31", "2027-10-30", "2027 W43", "2027-10", "2027"),
        ),
    ],
)
def test_periods_by_name(
    program: Program, database: Path, now: str, zone: str, labels: tuple[str, ...]
) -> None:
    """They are those of the clock, and without figures there is a note and zeros."""
    at = datetime.fromisoformat(now).timestamp()
    options = ("--database", database, "--timezone", zone, "--format", "json", "--period")
    results = program.run_each([("kpis", *options, name) for name in NAMES], at=at)
    for result, kind, label in zip(results, "DDWMY", labels, strict=True):
        assert result.code == 0, result.err
        found = result.json
        assert (found["aggKind"], found["aggValue"]) == (kind, label)
        assert kpis_of(found)[2001] == {"items": [], "totalVisits": 0}
        assert f"nothing was recorded in {label}" in result.err


@pytest.mark.dated
def test_today_is_the_default(program: Program, database: Path) -> None:
    """`kpis` alone is what a person asks first."""
    at = datetime(2025, 1, 5, 23, 59, tzinfo=UTC).timestamp()
    alone = program.run("kpis", "--database", database, "--format", "csv", at=at)
    days = {row[1] for row in csv.reader(io.StringIO(alone.out, newline=""))}
    assert days == {"agg_value", "2025-01-05"}
    named = program.run(
        "kpis", "--database", database, "--format", "csv", "--period", "today", at=at
    )
    assert alone.out == named.out


@pytest.mark.parametrize(
    "period", ["", "tomorrow", "2026-13", "2026-02-30", "2026-W54", "26-06-14", "2026/06", "D"]
)
def test_an_unknown_period_says_which_there_are(database: Path, period: str) -> None:
    """Wrong usage, with every form that is understood."""
    result = invoke("kpis", "--database", database, "--period", period)
    result.failed(2, f"{period!r} names no period", "2026-W24", "this-month")


def test_a_period_without_figures_says_what_there_is(database: Path) -> None:
    """So that a wrong guess leads to a right one."""
    result = invoke("kpis", "--database", database, "--period", "2020-01-01")
    assert result.code == 0
    assert "nothing was recorded in 2020-01-01; there is 2024-12-29 to 2025-01-06" in result.err


def test_another_zone_moves_days_and_stores_nothing(database: Path) -> None:
    """In Kathmandu (UTC+5:45) the first click is on Monday; the file is the same to the byte."""
    before = database.read_bytes()
    there = asked(database, "2024-12-30", "--timezone", "Asia/Kathmandu")
    assert kpis_of(there)[2001]["totalVisits"] == 2
    assert kpis_of(asked(database, "2024-12-30"))[2001]["totalVisits"] == 1
    assert kpis_of(asked(database, "2025-W01", "--timezone", "Asia/Kathmandu"))[2001] == {
        "items": [{"package": "Bees", "visits": 2}],
        "totalVisits": 2,
    }
    assert database.read_bytes() == before


def _csv_rows(result: Result) -> list[str]:
    assert result.out.endswith("\r\n")
    return result.out.split("\r\n")[:-1]


def test_csv_has_a_row_per_figure(database: Path) -> None:
    """The header and the rows of the specification, ended as RFC 4180 has it."""
    result = invoke("kpis", "--database", database, "--period", "2024", "--format", "csv")
    assert _csv_rows(result) == [
        "agg_kind,agg_value,kpi_id,kpi,package,metric,value",
        '"Y","2024",2001,"PackagePopularity","Bees","visits",2',
        '"Y","2024",2001,"PackagePopularity","","totalVisits",2',
        '"Y","2024",2003,"TotalUsage","Bees","minutesActivity",20',
        '"Y","2024",2003,"TotalUsage","","totalMinutesActivity",20',
        '"Y","2024",2004,"Uptime","","nbMinutesOn",2',
        '"Y","2024",2005,"SharedFiles","","filesCreated",0',
        '"Y","2024",2005,"SharedFiles","","filesDeleted",0',
    ]


def test_the_table_says_when_a_week_is(database: Path) -> None:
    """Dates in words, ranks, and time in hours and minutes."""
    result = invoke("kpis", "--database", database, "--period", "2025-W01")
    assert result.out == (
        "Week 2025 W01, 30 December 2024 to 5 January 2025\n"
        "  Visits                         2\n"
        "  Time in use               20 min\n"
        "  Uptime                     2 min\n"
        "  Shared files  0 added, 0 removed\n"
        "#  Most visited  Visits\n"
        "1  Bees               2\n"
        "#  Most used  Time in use\n"
        "1  Bees            20 min\n"
        "\n"
    )
