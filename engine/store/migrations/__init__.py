"""The schema's history: each migration is a file of literal statements, applied in order of names.

A migration that has landed is never changed, as databases made by it are out there: the next
change is the next file here, and nothing has to list it. The statements of one file run in one
transaction with the change of `PRAGMA user_version`, which is the number of migrations that have
been applied. They may use the SQL functions of `engine/store/repair/checksums.py` and
`engine/store/merging.py`.
"""

from __future__ import annotations

import pkgutil
import sqlite3
from importlib import import_module
from typing import Final

from engine.store.transactions import atomic

ALL: Final[tuple[tuple[str, ...], ...]] = tuple(
    import_module(f"{__name__}.{name}").STATEMENTS
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__))
)
NEWEST: Final = len(ALL)


def version_of(connection: sqlite3.Connection) -> int:
    """How many migrations have been applied."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def apply(connection: sqlite3.Connection, version: int = NEWEST) -> None:
    """Bring the schema up to a version, one transaction per migration."""
    done = version_of(connection)
    for number, statements in enumerate(ALL[done:version], start=done + 1):
        with atomic(connection):
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
