"""A new column, table and fate is one new migration, tried in a copy of the tree."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.store import migrations
from engine.store.schema import CHECKSUM, tables_at

ROOT = Path(__file__).resolve().parents[2]
OLD = Path(__file__).parent / "databases/schema-3.db"
TABLES = tables_at()

MIGRATION = f'''"""Toys: a column, a table and a fate."""

from typing import Final

STATEMENTS: Final = (
    "ALTER TABLE record ADD COLUMN toys INTEGER NOT NULL DEFAULT 7",
    "UPDATE record SET {CHECKSUM} = checksum_of({TABLES["record"].names}, toys)",
    "ALTER TABLE log_file ADD COLUMN toy_fate INTEGER NOT NULL DEFAULT 0",
    "UPDATE log_file SET {CHECKSUM} = checksum_of({TABLES["log_file"].names}, toy_fate)",
    "CREATE TABLE toy (name TEXT PRIMARY KEY, {CHECKSUM} INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO toy (name, {CHECKSUM}) VALUES ('bear', checksum_of('bear'))",
)
'''
PROGRAM = """
import json, sys
from pathlib import Path
from engine.sources.log_file import LogFile
from engine.store.repair import backup, check
from engine.store.store import Store

path, hour, found = Path(sys.argv[1]), 1_781_388_000, {}


def look(step):
    with Store.open(path, repair_at=hour) as store:
        found[step] = {
            "repairs": store.repairs,
            "problems": store.problems(),
            "toys": store.connection.execute("SELECT name FROM toy").fetchall(),
            "columns": store.connection.execute(
                "SELECT DISTINCT toys FROM record WHERE hour = ?", (hour,)).fetchall(),
            "fate": store.reader().fates()["toy-fate"],
            "value": store.connection.execute(
                "SELECT sum(value) FROM record WHERE indicator_id = 1001 AND hour = ?", (hour,)
            ).fetchone()[0],
        }


with Store.open(path, repair_at=hour) as store:
    log = LogFile(b"x" * 12, name="toys.json")
    log.fates["toy-fate"] = 3
    store.commit({(hour, 1001, "Bees"): 2}, [log], meta={"saved_at": hour})
    store.commit({(hour, 1001, "Bees"): 1})  # merged into the record of the hour
    store.back_up()
    found["backup"] = check.problems_in(backup.newest_path(path), "mode=ro&immutable=1")
look("opened")
data = bytearray(path.read_bytes())
data[100:4096] = bytes(3996)  # the first page: no table is found by its name
path.write_bytes(data)
look("salvaged")
path.unlink()
look("restored")
with Store.open(path) as store:
    store.connection.execute("UPDATE toy SET name = 'doll'")
look("changed")
print(json.dumps(found))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The engine with one more migration, and the fate that it is for among the fates."""
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "engine", tmp_path / "tree/engine", ignore=skipped)
    added = f"engine/store/migrations/m{migrations.NEWEST + 1:04d}_toys.py"
    (tmp_path / "tree" / added).write_text(MIGRATION)
    fates = tmp_path / "tree/engine/inputs/model.py"
    text = fates.read_text()
    assert "FATES: Final = (\n" in text
    fates.write_text(text.replace("FATES: Final = (\n", 'FATES: Final = (\n    "toy-fate",\n'))
    return tmp_path / "tree"


def run(tree: Path, database: Path) -> Any:
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(database)],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("old", [None, OLD], ids=["new", "migrated"])
def test_a_column_a_table_and_a_fate_are_one_migration(
    tree: Path, tmp_path: Path, old: Path | None
) -> None:
    """With one more file, a new database and one that is migrated are opened, written, checked,
    backed up, salvaged and restored, with the new rows, columns and numbers of lines.
    """
    database = tmp_path / "metrics.db"
    if old:
        shutil.copy(old, database)
    found = run(tree, database)
    assert found.pop("backup") == []
    value = found["opened"]["value"]
    assert value >= 3
    for step, words in (
        ("opened", ""),
        ("salvaged", "rows could be read"),
        ("restored", "newest backup is used"),
        ("changed", "1 rows of table toy are not as they were written"),
    ):
        seen = found.pop(step)
        assert words in "".join(seen.pop("repairs")), step
        expected = {"problems": [], "toys": [["bear"]], "columns": [[7]], "fate": 3, "value": value}
        assert seen == expected, step
    assert found == {}
