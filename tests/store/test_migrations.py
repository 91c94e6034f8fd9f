"""The schema's history: databases that are out there open in this version with their figures."""

import ast
import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from engine.report import Report
from engine.store import database, migrations
from engine.store.repair import backup
from engine.store.store import Store
from engine.store.transactions import atomic
from tests.reliability.store_support import HOUR
from tests.support.measured import measured

HERE = Path(__file__).parent / "databases"
FOLDER = Path(migrations.__file__).parent
LANDED = {
    "m0001_tables.py": "e1e7af6bb772b3de83252283355175f5858ebd147db1aed9d3b4b188523feff3",
    "m0002_row_checksums.py": "abe483a844a43534dec291df9186b3cd46e97982a69ba5bc98d638e907f8d71f",
    "m0003_table_checksums.py": "f606e4b051178eb58077f093ac2a58e51977de27677585237c6381176c2bdac2",
    "m0004_origins.py": "0c49072c8e4948aa9dfbf823a78fe168381f242066ed17fddb5f9910115b038e",
    "m0005_figures.py": "5acb17108b3816718ab5ee4ba0dc416eeee1bb7af59aeccc038e90dca774c6c7",
}
"""Migrations that databases out there were made by, with the hashes of their files."""


def figures(report: Report) -> dict[str, Any]:
    """Every KPI of every week, month and year that can be shown, and of the days of one month."""
    return {
        f"{period.kind} {period.label}": report.as_command_line(period)["kpis"]
        for period in report.known_periods()
        if period.kind != "D" or period.label.startswith("2026-06")
    }


def test_a_migration_that_landed_never_changes() -> None:
    """The files of landed migrations are what they were, to the byte, and none is left out."""
    found = {path.name: path.read_bytes() for path in FOLDER.glob("m[0-9]*.py")}
    assert len(migrations.ALL) == len(found)
    for name, digest in LANDED.items():
        assert hashlib.sha256(found[name]).hexdigest() == digest, name


def test_migrations_are_literal() -> None:
    """A migration computes nothing: it names no table or column that a later change could move."""
    for path in FOLDER.glob("m[0-9]*.py"):
        docstring, final, statements = ast.parse(path.read_text("utf-8")).body
        assert isinstance(docstring, ast.Expr)
        assert ast.unparse(final) == "from typing import Final"
        assert isinstance(statements, ast.AnnAssign)
        assert statements.value is not None
        assert all(isinstance(text, str) for text in ast.literal_eval(statements.value)), path.name


@pytest.mark.parametrize("path", sorted(HERE.glob("*.db")), ids=lambda path: path.stem)
def test_a_database_of_each_landed_version_opens(path: Path, tmp_path: Path) -> None:
    """A database that a landed version made, with records of two years, a state of the running
    hour and the zone of Paris, opens, is valid, and has every KPI to the unit.
    """
    database = tmp_path / "metrics.db"
    shutil.copy(path, database)
    with Store.open(database, repair_at=1_781_432_000) as store:
        assert store.repairs == []
        assert store.zone.key == "Europe/Paris"
        assert store.problems() == []
        [log_file] = store.log_files().values()
        assert (log_file.position, log_file.fates["counted"]) == (4096, 40)
        assert figures(Report(store.reader())) == json.loads(path.with_suffix(".json").read_text())
    with closing(sqlite3.connect(database)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    assert version == len(migrations.ALL)


def test_two_hundred_thousand_records_are_migrated_in_three_seconds(tmp_path: Path) -> None:
    """Of processor time, with the backup before it; and they are all there, of one origin."""
    path = tmp_path / "metrics.db"
    database.create(path, _fill, version=3)
    begun = process_time()
    store = Store.open(path)
    seconds = process_time() - begun
    with store:
        assert store.connection.execute(
            "SELECT count(*), sum(value), min(origin_id), max(origin_id) FROM record"
        ).fetchone() == (200_000, 400_000, 1, 1)
    measured(f"{seconds:.2f} s for 200,000 records")
    assert seconds <= 3


def _fill(connection: sqlite3.Connection) -> None:
    with atomic(connection):
        connection.execute("INSERT INTO dimension VALUES (1, 'Bees', seal_of(1, 'Bees'))")
        connection.executemany(
            "INSERT INTO record VALUES (?1, ?2, 1, 2, 3, seal_of(?1, ?2, 1, 2, 3, NULL), NULL)",
            ((HOUR - 3600 * n, 1006 + k) for n in range(2_000) for k in range(100)),
        )


def test_the_backup_before_it_is_the_way_back(tmp_path: Path) -> None:
    """The file next to the migrated database is the database of the version before, as it was."""
    path = tmp_path / "metrics.db"
    shutil.copy(HERE / "schema-3.db", path)
    with closing(sqlite3.connect(path)) as connection:
        before = list(connection.iterdump())
    Store.open(path).close()
    with closing(sqlite3.connect(backup.newest_path(path))) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
        assert list(connection.iterdump()) == before


@pytest.mark.parametrize("damaged", [True, False])
def test_an_older_database_is_salvaged_and_its_backup_restored(
    tmp_path: Path, *, damaged: bool
) -> None:
    """A damaged database of the version before, or the loss of one that was just migrated, costs
    nothing: rows are read as that version had them, and migrated.
    """
    path = tmp_path / "metrics.db"
    shutil.copy(HERE / "schema-3.db", path)
    if damaged:
        content = bytearray(path.read_bytes())
        content[100:4096] = bytes(3996)
        path.write_bytes(content)
    else:
        Store.open(path).close()
        path.unlink()
    with Store.open(path, repair_at=1_781_432_000) as store:
        assert ("rows could be read" if damaged else "newest backup is used") in store.repairs[0]
        assert figures(Report(store.reader())) == json.loads((HERE / "schema-3.json").read_text())
        assert store.problems() == []
