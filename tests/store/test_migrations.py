"""The schema's history: databases that are out there open in this version with their figures."""

import ast
import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.report import Report
from engine.store import migrations
from engine.store.store import Store

HERE = Path(__file__).parent / "databases"
FOLDER = Path(migrations.__file__).parent
LANDED = {
    "m0001_tables.py": "e1e7af6bb772b3de83252283355175f5858ebd147db1aed9d3b4b188523feff3",
    "m0002_row_checksums.py": "abe483a844a43534dec291df9186b3cd46e97982a69ba5bc98d638e907f8d71f",
    "m0003_table_checksums.py": "f606e4b051178eb58077f093ac2a58e51977de27677585237c6381176c2bdac2",
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
        [generation] = store.generations().values()
        assert (generation.position, generation.fates["counted"]) == (4096, 40)
        assert figures(Report(store.reader())) == json.loads(path.with_suffix(".json").read_text())
    with closing(sqlite3.connect(database)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    assert version == len(migrations.ALL)
