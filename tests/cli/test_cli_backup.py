"""`backup` and `restore`: a copy that verifies, from a live database, and back again."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.cases import Program, Result, SetUp, invoke, kpis_of, lines, write

DAY = ("--period", "2026-06-14", "--format", "json")


def log_of(visits: int, first: int = 0) -> bytes:
    return lines(
        *(
            f"2026-06-14T10:{n:02}:30.{n:03}Z GET lib.box/content/bees_en/ 200"
            for n in range(first, first + visits)
        )
    )


@pytest.fixture
def database(place: Path, packages: Path) -> Path:
    """Three visits."""
    path = place / "metrics.db"
    count(place, packages, path, log_of(3))
    return path


def count(place: Path, packages: Path, database: Path, log: bytes) -> None:
    (path,) = write(place, log__json=log)
    done = invoke("replay", "-q", "--packages", packages, "--database", database, path)
    assert done.code == 0, done.err


def visits_in(database: Path) -> int:
    done = invoke("kpis", "--database", database, *DAY)
    assert done.code == 0, done.err
    return int(kpis_of(done.json)[2001]["totalVisits"])


def identity_of(database: Path) -> object:
    with closing(sqlite3.connect(database)) as connection:
        row = connection.execute("SELECT value FROM meta WHERE key = 'site_id'").fetchone()
        return row and row[0]


def restored(database: Path, source: Path) -> Result:
    return invoke("restore", source, "--database", database)


def test_a_backup_has_what_the_database_has(database: Path, place: Path) -> None:
    """The copy opens as a database of its own, with the same figures."""
    target = place / "copy.db"
    done = invoke("backup", target, "--database", database)
    assert done.code == 0
    assert "verified" in done.err
    assert visits_in(target) == 3
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_live_database_is_backed_up(
    program: Program, setup: SetUp, place: Path, packages: Path
) -> None:
    """While serve counts and answers; the copy goes through a pipe as it goes to a file."""
    database = place / "metrics.db"
    options = ("--database", database, "--packages", packages, "--logs", setup.logs)
    with program.serving(*options):
        command = program.command("backup", "-", "--database", database)
        done = subprocess.run(
            command, capture_output=True, env=program.environment, cwd=program.home, check=False
        )
        assert done.returncode == 0, done.stderr
        refused = program.run("restore", database.with_name("metrics.db"), "--database", database)
        assert refused.code == 2
        (place / "piped.db").write_bytes(done.stdout)
        refused = program.run("restore", place / "piped.db", "--database", database)
        refused.failed(75, "in use")
    assert invoke("kpis", "--database", place / "piped.db", *DAY).code == 0


def test_a_backup_comes_back(database: Path, place: Path, packages: Path) -> None:
    """Figures are those of the backup, what came later is counted again, and the id stays."""
    backup = place / "copy.db"
    assert invoke("backup", backup, "--database", database).code == 0
    with closing(sqlite3.connect(backup)) as connection:
        assert identity_of(backup) is None
        connection.execute("SELECT 1")
    count(place, packages, database, log_of(5))
    assert visits_in(database) == 5
    done = restored(database, backup)
    assert done.code == 0, done.err
    assert "quarantine" in done.err
    assert visits_in(database) == 3
    count(place, packages, database, log_of(5))
    assert visits_in(database) == 5
    (folder,) = (place / "quarantine").iterdir()
    assert visits_in(folder / "metrics.db") == 5


def test_it_comes_back_where_there_is_no_database(database: Path, place: Path) -> None:
    """On a new card, in a folder that is made for it."""
    new = place / "new" / "data" / "metrics.db"
    done = restored(new, database)
    assert done.code == 0, done.err
    assert visits_in(new) == 3


def test_the_hotspot_keeps_its_identity(
    program: Program, setup: SetUp, place: Path, packages: Path
) -> None:
    """A backup of another hotspot brings its figures, and not its id."""
    ids = []
    for name in ("one", "two"):
        options = ("--database", place / name, "--packages", packages, "--logs", setup.logs)
        with program.serving(*options):
            pass
        ids.append(identity_of(place / name))
    assert ids[0] != ids[1]
    assert restored(place / "one", place / "two").code == 0
    assert identity_of(place / "one") == ids[0]


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("missing", 66, "is not there"),
        ("text", 65, "is not a database"),
        ("cut", 65, "damaged"),
        ("changed", 65, "damaged"),
        ("another program's", 78, "another program"),
        ("newer", 78, "newer version"),
        ("not closed", 2, "not closed"),
        ("itself", 2, "the database itself"),
    ],
)
def test_what_is_no_backup_changes_nothing(
    database: Path, place: Path, kind: str, code: int, words: str
) -> None:
    """It is said what is wrong and what to do; the database stays byte for byte."""
    source = place / "source.db"
    shutil.copy(database, source)
    if kind == "missing":
        source.unlink()
    elif kind == "text":
        source.write_text("no database" * 100)
    elif kind == "cut":
        os.truncate(source, source.stat().st_size // 2)
    elif kind == "itself":
        source = database
    elif kind == "not closed":
        source.with_name("source.db-wal").write_bytes(b"some pages")
    else:
        with closing(sqlite3.connect(source, isolation_level=None)) as connection:
            if kind == "changed":
                connection.execute("UPDATE record SET value = value + 1")
            elif kind == "newer":
                connection.execute("PRAGMA user_version = 99")
            else:
                connection.execute("PRAGMA application_id = 1")
    before = database.read_bytes()
    restored(database, source).failed(code, words)
    assert database.read_bytes() == before
    assert not (place / "quarantine").exists()


@pytest.mark.parametrize("kind", ["a file", "the database"])
def test_a_backup_replaces_no_other_file(database: Path, place: Path, kind: str) -> None:
    """What is at the target and no database of ours stays as it is."""
    target = database
    if kind == "a file":
        target = place / "holiday.jpg"
        target.write_bytes(b"not a database" * 50)
    before = target.read_bytes()
    done = invoke("backup", target, "--database", database)
    assert done.code in {2, 65}
    assert target.read_bytes() == before


def test_a_backup_without_a_database_is_said(place: Path) -> None:
    """Nothing is made."""
    invoke("backup", place / "copy.db", "--database", place / "none.db").failed(66, "is not there")
    assert not (place / "copy.db").exists()


@pytest.mark.parametrize("number", range(1, 5))
def test_killed_at_any_rename_one_of_both_is_used(
    program: Program, database: Path, place: Path, packages: Path, number: int
) -> None:
    """The database before or the backup, whole; never none, and nothing counts twice after it."""
    backup = place / "copy.db"
    assert invoke("backup", backup, "--database", database).code == 0
    count(place, packages, database, log_of(5))
    inject = ("-f", "-qq", "-o", os.devnull, "-e", "trace=rename,renameat,renameat2")
    kill = ("-e", f"inject=rename,renameat,renameat2:signal=KILL:when={number}")
    command = [
        "strace",
        *inject,
        *kill,
        *program.command("restore", backup, "--database", database),
    ]
    done = subprocess.run(command, env=program.environment, cwd=program.home, check=False)
    assert done.returncode in {0, -signal.SIGKILL, 128 + signal.SIGKILL}
    count(place, packages, database, log_of(1))  # which repairs what was left
    assert visits_in(database) in {3, 5}
    count(place, packages, database, log_of(5))
    assert visits_in(database) == 5
