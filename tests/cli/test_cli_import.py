"""`import`: an older system's database into ours, with a summary for people and for programs."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lab.upstream_database import UpstreamFile
from tests.cli.cases import Program, invoke, kpis_of

HOUR = 1781431200  # 2026-06-14 10:00 UTC


@pytest.fixture
def older(place: Path) -> Path:
    """A day of the older system, with the states of an hour that was running."""
    (place / "old").mkdir()
    file = UpstreamFile(place / "old" / "database.db")
    file.records(
        [
            (HOUR, 1001, "Bees", 5),
            (HOUR, 1004, None, 60),
            (HOUR, 1005, None, 30),
            (HOUR, 1006, "Bees", 20),
            (HOUR, 1003, "FILE_CREATED", 2),
            (HOUR, 1002, "Bees", 9),
        ]
    )
    file.state(HOUR + 3600, 1001, "Bees", "2")
    file.state(HOUR + 3600, 1004, None, "15")
    file.kpi(2004, "Y", "2021", json.dumps({"nb_minutes_on": 500}))
    return file.close()


def shown(database: Path, period: str) -> dict[int, object]:
    done = invoke("kpis", "--database", database, "--period", period, "--format", "json")
    assert done.code == 0, done.err
    return kpis_of(done.json)


def test_the_day_is_there_and_the_file_is_as_it_was(place: Path, older: Path) -> None:
    """All KPIs of the day, the running hour too, and the year that only a KPI knew."""
    before = hashlib.sha256(older.read_bytes()).digest()
    done = invoke("import", older, "--database", place / "metrics.db")
    assert (done.code, done.err) == (0, "")
    assert "7 records of 2 hours, from 2026-06-14 10:00 to 2026-06-14 11:00 UTC" in done.out
    assert "left: visits of pages" in done.out
    assert "2021" in done.out
    assert shown(place / "metrics.db", "2026-06-14") == {
        2001: {"items": [{"package": "Bees", "visits": 7}], "totalVisits": 7},
        2003: {
            "items": [{"package": "Bees", "minutesActivity": 20}],
            "totalMinutesActivity": 30,
        },
        2004: {"nbMinutesOn": 75},
        2005: {"filesCreated": 2, "filesDeleted": 0},
    }
    assert shown(place / "metrics.db", "2021")[2004] == {"nbMinutesOn": 500}
    assert hashlib.sha256(older.read_bytes()).digest() == before
    assert [path.name for path in older.parent.iterdir()] == ["database.db"]


def test_the_summary_is_json_too(place: Path, older: Path) -> None:
    """The same numbers, by names; the second time it is known."""
    options = ("--database", place / "metrics.db", "--format", "json")
    first, second = (invoke("import", older, *options).json for _ in range(2))
    assert first["records"] == {
        "PackageHomeVisit": 2,
        "SharedFilesOperations": 1,
        "TotalUsageByPackage": 1,
        "TotalUsageOverall": 1,
        "Uptime": 2,
    }
    assert (first["hours"], first["firstHour"], first["lastHour"]) == (2, HOUR, HOUR + 3600)
    assert first["left"] == {"visits of pages": 1}
    assert first["years"] == ["2021"]
    assert (first["known"], second["known"]) == (False, True)
    assert first["source"] == second["source"]


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("missing", 66, "is not there"),
        ("text", 65, "not an SQLite database"),
        ("ours", 78, "of this program"),
        ("newer", 78, "0123456789ab"),
        ("cut", 65, "damaged"),
        ("locked", 75, "locked"),
    ],
)
def test_what_cannot_be_imported_makes_nothing(
    place: Path, older: Path, kind: str, code: int, words: str
) -> None:
    """What is wrong, what to do, and no database that was not there before."""
    if kind == "missing":
        older.unlink()
    elif kind == "text":
        older.write_text("hello " * 100)
    elif kind == "cut":
        older.write_bytes(older.read_bytes()[:-4096])
    elif kind == "newer":
        older.unlink()
        UpstreamFile(older, "0123456789ab").close()
    elif kind == "ours":
        older.unlink()
        with closing(sqlite3.connect(older)) as connection:
            connection.execute("PRAGMA application_id = 0x6F66736D")
            connection.execute("CREATE TABLE meta (key TEXT)")
    before = sorted(place.rglob("*"))
    lock = sqlite3.connect(older, isolation_level=None) if kind == "locked" else None
    if lock:
        lock.execute("BEGIN EXCLUSIVE")
    invoke("import", older, "--database", place / "metrics.db").failed(code, words)
    if lock:
        lock.close()
    assert sorted(place.rglob("*")) == before


def test_it_is_refused_while_serve_runs(program: Program, place: Path, older: Path) -> None:
    """75, and it says what to stop."""
    packages = place / "packages.yml"
    packages.write_text("packages: []\n")
    (place / "logs").mkdir()
    database = place / "metrics.db"
    options = ("--database", database, "--packages", packages, "--logs", place / "logs")
    with program.serving(*options):
        program.run("import", older, "--database", database).failed(75, "in use")


def test_the_archive_imports(program: Program, place: Path, older: Path) -> None:
    """From the built file, without any package installed."""
    done = program.run("import", older, "--database", place / "metrics.db", "--quiet")
    assert done.code == 0, done.err
    assert "7 records" in done.out
