"""`records`: every hourly record, in four formats that say the same, as a stream."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.indicators import uptime
from engine.store.merging import merged_value
from engine.store.schema import tables_at
from engine.store.store import Store
from tests.cli.cases import Program, invoke, kpis_of
from tests.reliability.store_support import HOUR, UTC

LANDED = Path(__file__).resolve().parents[1] / "store/databases/schema-5.db"
"""Records of two years and of two origins, a saved state, the zone Europe/Paris."""
MEMBERS = {
    *("startUtc", "startLocal", "indicatorId", "indicator", "dimension"),
    *("value", "minutes", "source", "kind", "clockTrusted"),
}
YEAR_BYTES = 40 * 1024 * 1024


@pytest.fixture
def database(place: Path) -> Path:
    return Path(shutil.copy2(LANDED, place / "landed.db"))


@pytest.fixture
def store(place: Path) -> Iterator[Store]:
    with closing(Store.open(place / "metrics.db", UTC)) as opened:
        yield opened


def ndjson(database: Path, period: str, *more: object) -> list[dict[str, Any]]:
    """The records of a period, as objects."""
    options = ("--database", database, "--period", period, "--format", "ndjson", *more)
    result = invoke("records", *options)
    assert result.code == 0, result.err
    found = [json.loads(line) for line in result.out.splitlines()]
    assert all(set(one) == {"schema", *MEMBERS} and one["schema"] == 1 for one in found)
    return found


@pytest.mark.parametrize("period", ["2025", "2026", "2026-06", "2026-W24", "2026-06-14"])
def test_figures_are_made_of_them(database: Path, period: str) -> None:
    """What all origins of an hour make together, summed up, is what `kpis` prints."""
    parts: dict[tuple[str, int, str], list[tuple[int, int | None]]] = defaultdict(list)
    for one in ndjson(database, period):
        minutes = one["minutes"]
        united = None if minutes is None else sum(1 << minute for minute in minutes)
        parts[one["startUtc"], one["indicatorId"], one["dimension"]].append((one["value"], united))
    sums: dict[int, int] = defaultdict(int)
    for (_, indicator, _), of_hour in parts.items():
        sums[indicator] += merged_value(indicator, of_hour)
    options = ("--database", database, "--period", period, "--format", "json")
    kpis = kpis_of(invoke("kpis", *options).json)
    assert sums[1001] == kpis[2001]["totalVisits"] > 0
    assert sums[1005] == kpis[2003]["totalMinutesActivity"] > 0
    assert sums[uptime.id] == kpis[2004]["nbMinutesOn"] > 0
    shared = kpis[2005]["filesCreated"] + kpis[2005]["filesDeleted"]
    assert sums[1003] == shared


def test_all_formats_say_the_same(database: Path) -> None:
    """CSV with formulas made harmless, JSON with its schema and period, a table for people."""
    found = ndjson(database, "2026")
    assert {one["clockTrusted"] for one in found} == {True, False}
    assert any(one["dimension"] == "=1+1" for one in found)
    options = ("--database", database, "--period", "2026", "--format")
    whole = invoke("records", *options, "json").json
    assert {name: value for name, value in whole.items() if name != "records"} == {
        "schema": 1,
        "timezone": "Europe/Paris",
        "aggKind": "Y",
        "aggValue": "2026",
    }
    assert [{"schema": 1, **one} for one in whole["records"]] == found
    rows = list(csv.DictReader(io.StringIO(invoke("records", *options, "csv").out, newline="")))
    assert len(rows) == len(found)
    for row, one in zip(rows, found, strict=True):
        assert list(row.values()) == [
            *(one["startUtc"], one["startLocal"], str(one["indicatorId"]), one["indicator"]),
            one["dimension"].replace("=1+1", "'=1+1"),
            str(one["value"]),
            " ".join(map(str, one["minutes"] or [])),
            *(one["source"], one["kind"], str(one["clockTrusted"]).lower()),
        ]
    lines = invoke("records", *options, "table").out.splitlines()
    assert len(lines) == 1 + len(found)
    assert lines[0].split()[0] == "Start"
    for line, one in zip(lines[1:], found, strict=True):
        assert line.startswith(one["startUtc"][:16].replace("T", " "))
        assert line.endswith(one["dimension"])
        assert ("unsure" in line) is not one["clockTrusted"]


def test_one_row_for_each_origin_in_order(database: Path) -> None:
    """By hour, indicator, dimension; two origins of one hour are two rows, and no row is twice."""
    found = ndjson(database, "2026")
    keys = [(one["startUtc"], one["indicatorId"], one["dimension"]) for one in found]
    assert keys == sorted(keys)
    assert len(set(keys)) < len(keys)
    with_origin = [(*key, one["clockTrusted"]) for key, one in zip(keys, found, strict=True)]
    assert len(set(with_origin)) == len(with_origin)


def test_the_running_hour_is_included(store: Store) -> None:
    """A saved state goes into the record of its hour and origin, or is one of its own."""
    store.commit({(HOUR - 3600, 1004, ""): 1}, running_hour=HOUR - 3600)
    [only] = ndjson(store.path, "2026")
    assert (only["value"], only["minutes"], only["source"]) == (1, [0], "")
    store.commit({(HOUR, 1006, "Bees"): 1 << 3, (HOUR, 1001, "Bees"): 2})
    states = {(HOUR, 1006, "Bees"): 1 << 26, (HOUR, 1001, "Bees"): 3, (HOUR, 1004, ""): 3}
    store.commit(states, running_hour=HOUR)
    store.synchronised = False
    store.add_clock_epoch("boot", HOUR, 0, trusted=None)
    store.commit({(HOUR, 1001, "Bees"): 7}, running_hour=HOUR)
    store.commit({(HOUR + 3600, 1003, "FILE_CREATED"): 4}, running_hour=HOUR)
    found = ndjson(store.path, "2026")
    assert [
        (one["indicatorId"], one["dimension"], one["value"], one["minutes"], one["clockTrusted"])
        for one in found
    ] == [
        (1004, "", 1, [0], True),
        (1001, "Bees", 5, None, True),
        (1001, "Bees", 7, None, False),
        (1004, "", 2, [0, 1], True),
        (1006, "Bees", 20, [3, 26], True),
        (1003, "FILE_CREATED", 4, None, False),
    ]
    table = invoke("records", "--database", store.path, "--period", "2026").out
    assert "  3,26  " in table
    assert "  0-1" in table


def test_hours_are_local_to_the_zone(store: Store) -> None:
    """Which hours a day has, and how they are written, depends on the zone that is asked for."""
    store.commit({(1_774_742_400, 1001, "Bees"): 1, (1_774_828_800, 1001, "Bees"): 1})
    times = [(one["startUtc"], one["startLocal"]) for one in ndjson(store.path, "2026")]
    assert times[0] == ("2026-03-29T00:00:00Z", "2026-03-29T00:00:00+00:00")
    times = [
        (one["startUtc"], one["startLocal"])
        for one in ndjson(store.path, "2026-03-30", "--timezone", "Europe/Paris")
    ]
    assert times == [("2026-03-30T00:00:00Z", "2026-03-30T02:00:00+02:00")]
    assert len(ndjson(store.path, "2026-03-29", "--timezone", "America/Lima")) == 1


def test_what_is_missing_is_said(store: Store) -> None:
    """No records at all, or no longer all of them: on standard error, exit 0, valid output."""
    options = ("--database", store.path, "--format", "json", "--period")
    result = invoke("records", *options, "2025")
    assert (result.code, result.json["records"]) == (0, [])
    assert result.err == "offspot-metrics: there are no records of 2025\n"
    store.commit({(HOUR, 1001, "Bees"): 1})
    store.purge(HOUR - 3600)
    result = invoke("records", *options, "2026")
    assert len(result.json["records"]) == 1
    assert result.err == "offspot-metrics: not all records of 2026 are kept any more\n"
    invoke("records", *options, "sometime").failed(2, "names no period")
    invoke("records", "--database", store.path.with_name("no.db")).failed(66, "is not there")


def fill_a_year(store: Store, packages: int) -> int:
    """Records of so many packages in eight hours of each day of 2025. How many."""
    store.commit({(HOUR, 1006, f"Package {n:02d} {'é' * 30}"): 1 for n in range(packages)})
    count = (
        "WITH RECURSIVE day(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM day WHERE n < 364), "
        "part(h) AS (SELECT 8 UNION ALL SELECT h + 1 FROM part WHERE h < 15) "
        "SELECT 1735689600 + n * 86400 + h * 3600 AS hour, indicator_id, id AS dimension_id, "
        "1 AS origin_id, 60 AS value, 1152921504606846975 AS minutes "
        "FROM day, part, dimension, (SELECT 1001 AS indicator_id UNION SELECT 1006) WHERE id > 0"
    )
    with store.transaction():
        done = store.connection.execute(tables_at()["record"].insert_selected(count))
    return done.rowcount


@pytest.mark.parametrize("packages", [6, pytest.param(100, marks=pytest.mark.full)])
def test_a_year_is_a_stream(store: Store, program: Program, packages: int) -> None:
    """The built program prints a year in less than 40 MiB, and hardly more than it takes for an
    hour, in each format; a reader that goes away after the first line ends it. (Those of
    six packages, as one text or as objects, would take more than half as much again.)
    """
    rows = fill_a_year(store, packages)
    assert rows == 365 * 8 * packages * 2
    store.close()

    def run(form: str, period: str) -> tuple[int, int]:
        """Lines that are printed, and the peak of the memory in use."""
        options = ("--database", store.path, "--format", form, "--period", period)
        code = (
            "import resource, subprocess, sys\n"
            "with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE) as child:\n"
            "    lines = 0\n"
            "    while data := child.stdout.read(65536): lines += data.count(b'\\n')\n"
            "assert child.returncode == 0\n"
            "print(lines, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)\n"
        )
        done = subprocess.run(
            [sys.executable, "-S", "-c", code, *program.command("records", *options)],
            capture_output=True,
            text=True,
            check=True,
            env=program.environment,
        )
        lines, peak = map(int, done.stdout.split())
        return lines, peak

    _, little = run("ndjson", "2026")
    for form in ("ndjson", "csv", "json", "table"):
        lines, peak = run(form, "2025")
        assert 0 <= lines - rows <= (0 if form == "ndjson" else 2)
        assert peak < YEAR_BYTES
        assert peak - little < 4 * 1024 * 1024
    command = program.command("records", "--database", store.path, "--period", "2025")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=program.environment
    ) as child:
        assert child.stdout
        assert child.stderr
        assert child.stdout.readline().startswith(b"Start (UTC)")
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 0
