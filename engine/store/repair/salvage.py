"""What can be read of a damaged database: row by row, each only if its checksum verifies.

The file is only read. Nothing is guessed: a row that does not verify is not used, and how many are
known to be missing is counted.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from engine.store import migrations
from engine.store.repair import checksums, pages
from engine.store.schema import CHECKSUMS_SINCE, Row, Table, tables_at
from engine.times import HOUR_SECONDS, PERIOD_KINDS

_MAX_PROBES: Final = 100_000
_IMMUTABLE: Final = "mode=ro&immutable=1"


@dataclass
class Salvaged:
    """Rows by table and key, of a version of the schema."""

    salt: int
    version: int
    rows: dict[str, dict[Row, Row]] = field(default_factory=dict)
    bad: dict[str, set[Row]] = field(default_factory=dict)
    """Table -> keys of rows that were seen and do not verify."""
    torn: set[str] = field(default_factory=set)
    """Tables of which a part could not be read at all."""

    @property
    def tables(self) -> dict[str, Table]:
        """The tables of its version."""
        return tables_at(self.version)

    @property
    def hurt(self) -> set[str]:
        """The tables that are not complete."""
        return self.torn | {table for table, keys in self.bad.items() if keys}

    @property
    def count(self) -> int:
        """How many rows there are."""
        return sum(map(len, self.rows.values()))

    def place(self, table: str, column: str) -> int:
        """Where in its rows a table has a column."""
        return list(self.tables[table].columns).index(column)

    def meta(self) -> dict[str, Any]:
        """The rows of `meta`: key -> value."""
        return dict(self.rows["meta"].values())


def read_best(path: Path, template: Path | None, salt: int | None) -> Salvaged | None:
    """The rows of a damaged file: with its write-ahead log, or where that is not its own, without;
    where its first page is broken, with that of `template`, an empty database; and of tables that
    are not complete what stands on single pages.
    """
    tries = []
    if path.exists() and path.stat().st_size:  # SQLite removes the log of an empty file
        tries = [read(path, _IMMUTABLE, salt)]
        if path.with_name(path.name + "-wal").exists():
            tries.insert(0, read(path, "mode=ro", salt))
        if template and not any(tries):
            with suppress(OSError):
                repaired = _with_first_page_of(template, path)
                tries.append(read(repaired, _IMMUTABLE, salt))
    found = [rows for rows in tries if rows and rows.count]
    best = max(found, key=lambda rows: (not rows.hurt, rows.count), default=None)
    if template and (best is None or best.hurt):
        with suppress(OSError, sqlite3.Error):
            best = _with_single_pages(path, template, best or _nothing(path, template, salt))
    return best if best and best.count else None


def _nothing(path: Path, template: Path, salt: int | None) -> Salvaged:
    """No row yet, of a file of which no table can be read; with its own salt where it is there."""
    with closing(sqlite3.connect(template)) as connection:
        version = migrations.version_of(connection)
    found = Salvaged(0, version, {name: {} for name in tables_at(version)})
    rows = pages.rows_in(path, _layouts(template, found, {"meta"})) if salt is None else ()
    for _, row, checksum in rows:
        if checksum == _own_checksum(row):
            salt = row[1]
    if salt is None:
        raise sqlite3.DatabaseError("no row of it can be verified")
    found.salt = salt
    found.torn = set(found.tables)
    return found


def _layouts(template: Path, found: Salvaged, names: set[str]) -> dict[str, pages.Layout]:
    with closing(sqlite3.connect(template)) as connection:
        return pages.layouts_of(connection, [found.tables[name] for name in names])


def _with_single_pages(path: Path, template: Path, found: Salvaged) -> Salvaged:
    """Add rows that no tree leads to any more. What SQLite still finds goes before them.

    A state that is over was added to a record: one that has a record is left out.
    """
    added: dict[str, dict[Row, Row]] = {table: {} for table in found.hurt}
    for table, row, checksum in pages.rows_in(path, _layouts(template, found, set(added))):
        if table in {"meta", "period"} and (row[0] in PERIOD_KINDS) != (table == "period"):
            continue  # the rows of these two are alike
        key, rows = found.tables[table].key_of(row), added[table]
        if key not in found.rows[table] and checksum == checksums.checksum(found.salt, row):
            rows[key] = max(row, rows.get(key, row), key=_age)
    for table, rows in added.items():
        found.rows[table] = rows | found.rows[table]
        found.bad.get(table, set()).difference_update(found.rows[table])
        found.torn.add(table)  # who knows what else there was
    complete_from = int(found.meta().get("complete_from", 0))
    records, states = found.rows["record"], found.rows["state"]
    found.rows["record"] = {key: row for key, row in records.items() if key[0] >= complete_from}
    if "state" in added:
        newest = max((key[0] for key in states), default=0)
        found.rows["state"] = {
            key: row for key, row in states.items() if key[0] == newest and key not in records
        }
    return found


def _age(row: Row) -> tuple[int, ...]:
    """Of two rows of one key the one whose numbers are larger is the later one, minutes first."""
    return tuple(value for value in reversed(row) if isinstance(value, int))


def _with_first_page_of(template: Path, path: Path) -> Path:
    repaired = path.with_name(path.name + ".repaired")
    shutil.copyfile(path, repaired)
    with template.open("rb") as good, repaired.open("r+b") as file:
        page = bytearray(good.read(pages.PAGE_BYTES))
        page[28:32] = (repaired.stat().st_size // pages.PAGE_BYTES).to_bytes(4, "big")
        page[32:40] = bytes(8)  # no list of free pages
        file.write(page)
    return repaired


def read(path: Path, how: str, salt: int | None = None) -> Salvaged | None:
    """All rows of a file that SQLite can open, and that verify; None where there is nothing."""
    uri = f"{path.absolute().as_uri()}?{how}"
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            version = migrations.version_of(connection)
            if not CHECKSUMS_SINCE <= version <= migrations.NEWEST:
                return None
            salt = _salt_of(connection, salt)
            if salt is None:
                return None
            found = Salvaged(salt, version)
            for table in found.tables.values():
                _read_table(connection, table, found)
            return found
    except sqlite3.Error:
        return None


def _salt_of(connection: sqlite3.Connection, salt: int | None) -> int | None:
    """The salt that is stored where its row verifies, else the one that is given."""
    with suppress(sqlite3.Error):
        stored = checksums.stored_salt(connection)
        column = tables_at(migrations.version_of(connection))["meta"].checksum_name
        row = connection.execute(f"SELECT {column} FROM meta WHERE key = 'salt'").fetchone()
        if row and row[0] == _own_checksum(("salt", stored)):
            return stored
    return salt


def _own_checksum(row: Row) -> int | None:
    """What the checksum of the salt's own row is to be; None for any other row."""
    key, salt = row
    return checksums.checksum(salt, row) if key == "salt" and isinstance(salt, int) else None


def _read_table(connection: sqlite3.Connection, table: Table, found: Salvaged) -> None:
    """Forward to the first page that cannot be read, backward to the last one, and between."""
    good: dict[Row, Row] = {}
    seen_bad: set[Row] = set()

    def take(sql: str, parameters: Row = ()) -> bool:
        try:
            for *values, stored in connection.execute(sql, parameters):
                row = tuple(values)
                if stored == checksums.checksum(found.salt, row):
                    good[table.key_of(row)] = row
                else:
                    seen_bad.add(table.key_of(row))
        except (sqlite3.Error, UnicodeError):
            return False
        return True

    select = f"SELECT {table.names}, {table.checksum_name} FROM {table.name}"
    if not take(f"{select} ORDER BY {', '.join(table.key)}"):
        found.torn.add(table.name)
        before = set(good)
        take(f"{select} ORDER BY {' DESC, '.join(table.key)} DESC")
        if table.name == "record":
            for hour in _hours_between(before, set(good) - before):
                take(f"{select} WHERE hour = ?", (hour,))
    elif _count_rows(connection, table) not in (None, len(good) + len(seen_bad)):
        found.torn.add(table.name)
    found.rows[table.name] = good
    if missing := seen_bad - set(good):
        found.bad[table.name] = missing


def _count_rows(connection: sqlite3.Connection, table: Table) -> int | None:
    """How many rows SQLite counts; None when it cannot."""
    with suppress(sqlite3.Error):
        return int(connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0])
    return None


def _hours_between(before: set[Row], after: set[Row]) -> Iterator[int]:
    low = max((key[0] for key in before), default=None)
    high = min((key[0] for key in after), default=None)
    if low is not None and high is not None and (high - low) // HOUR_SECONDS < _MAX_PROBES:
        yield from range(low, high + 1, HOUR_SECONDS)
