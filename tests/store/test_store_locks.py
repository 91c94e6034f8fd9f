"""Other programs that open the database while it is written."""

import contextlib
import subprocess
import sys
from pathlib import Path

from engine.store.reader import Reader
from engine.store.store import Store
from tests.reliability.store_support import HOUR, UTC

VISITOR = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("SELECT sum(state) FROM state").fetchone()[0])
connection.close()
"""


def visit(path: Path) -> int:
    """Another program opens the database for writing, looks, and closes it. What it saw."""
    command = [sys.executable, "-c", VISITOR, str(path)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_a_visitor_does_not_take_the_log_away(tmp_path: Path) -> None:
    """However often readers of this process have come and gone, another program that opens and
    closes the database finds it in use: the write-ahead log stays, and commits after it are seen.
    """
    path = tmp_path / "metrics.db"
    with Store.open(path, UTC, repair_at=HOUR) as store:
        log = path.with_name("metrics.db-wal")
        for number in range(1, 4):
            store.commit({(HOUR, 1001, "Bees"): 1}, running_hour=HOUR)
            with contextlib.closing(Reader.open(path)) as reader:
                assert reader.get("commits") == number
            inode = log.stat().st_ino
            assert visit(path) == number
            assert log.stat().st_ino == inode
        store.reopen()
        assert visit(path) == 3
        assert log.exists()
