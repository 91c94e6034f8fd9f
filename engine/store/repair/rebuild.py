"""A new database from the rows that could be read of a damaged one, completed from its backup.

Where a reading position is missing, lines that may have been counted before are not counted again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

from engine.errors import ConfigError
from engine.store import migrations
from engine.store.records import RecordWriter
from engine.store.repair import checksums
from engine.store.repair.salvage import Salvaged, read
from engine.store.schema import CHECKSUM, TABLE_CHECKSUMS, Row, Table, tables_at
from engine.store.transactions import atomic
from engine.times import Period, load_zone, period_of

_EVERYWHERE: Final = 1 << 60


def migrated(found: Salvaged) -> Salvaged:
    """Rows of an older version of the schema as the newest one has them."""
    if found.version == migrations.NEWEST:
        return found
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        checksums.install(connection, found.salt)
        migrations.apply(connection, found.version)
        _replace_rows(connection, found, found.tables)
        migrations.apply(connection)
        rows = {
            name: {
                table.key_of(row): row
                for row in connection.execute(f"SELECT {table.names} FROM {name}")
            }
            for name, table in tables_at().items()
        }
    return Salvaged(found.salt, migrations.NEWEST, rows, found.bad, found.torn)


def complete(salvaged: Salvaged, backup: Path | None) -> None:
    """Take from a backup the rows that are missing and have not changed since."""
    backed_up = read(backup, "mode=ro&immutable=1", salvaged.salt) if backup else None
    if backed_up:
        backed_up = migrated(backed_up)
        for name in salvaged.hurt - {"state", "generation"}:
            salvaged.rows[name] = backed_up.rows[name] | salvaged.rows[name]
    if "generation" in salvaged.hurt:
        _doubt_positions(salvaged, backed_up)
    titles = salvaged.rows["dimension"]
    for name, table in salvaged.tables.items():
        if "dimension_id" in table.columns:
            place = list(table.columns).index("dimension_id")
            for row in salvaged.rows[name].values():
                titles.setdefault((row[place],), (row[place], f"(title {row[place]} is lost)"))
    titles.setdefault((0,), (0, ""))


def _doubt_positions(salvaged: Salvaged, backed_up: Salvaged | None) -> None:
    """Positions are missing: of those logs count only what is later than all that was counted."""
    rows = salvaged.rows["generation"]
    columns = tuple(salvaged.tables["generation"].columns)
    last_at = columns.index("last_at")
    newest = max((int(row[last_at] or 0) for row in rows.values()), default=0)
    meta = salvaged.meta()
    newest = max(newest, int(meta.get("saved_at", 0)), int(meta.get("unknown_until", 0)))
    if backed_up:
        for key, row in backed_up.rows["generation"].items():
            doubted = dict(zip(columns, row, strict=True))
            doubted |= {"doubt_until": _EVERYWHERE, "doubt_after": newest}
            rows.setdefault(key, tuple(doubted.values()))
    salvaged.rows["meta"]["unknown_until",] = ("unknown_until", newest)


def fill(connection: sqlite3.Connection, salvaged: Salvaged) -> None:
    """Write what was salvaged into a new database, and its totals again from its records."""
    connection.execute("PRAGMA foreign_keys = OFF")
    checksums.install(connection, salvaged.salt)
    meta = {key: value for key, value in salvaged.meta().items() if key not in TABLE_CHECKSUMS}
    meta["salt"] = salvaged.salt
    salvaged.rows["meta"] = {(key,): (key, value) for key, value in meta.items()}
    with atomic(connection):
        _replace_rows(connection, salvaged, salvaged.tables.keys() - {"period", "total"})
        try:
            zone = load_zone(str(meta.get("timezone", "UTC")))
        except ConfigError:
            zone = load_zone("UTC")  # the next start has another, and computes all again
        complete_from = int(meta.get("complete_from", 0))
        old = [
            period
            for row in salvaged.rows["period"].values()
            if (period := period_of(row[0], row[1], zone)) and period.start < complete_from
        ]
        _insert_old_totals(connection, salvaged, old)
        RecordWriter(connection, zone, complete_from).recompute_periods()
        sums = [
            (key, connection.execute(sql).fetchone()[0]) for key, sql in TABLE_CHECKSUMS.items()
        ]
        _insert(connection, salvaged.tables["meta"], salvaged.salt, sums)


def _insert_old_totals(
    connection: sqlite3.Connection, salvaged: Salvaged, old: list[Period]
) -> None:
    """Totals of periods whose records were removed: they are all there is."""
    kept = {(period.kind, period.label) for period in old}
    for table in ("period", "total"):
        rows = [row for key, row in salvaged.rows[table].items() if key[:2] in kept]
        _insert(connection, salvaged.tables[table], salvaged.salt, rows)


def _replace_rows(connection: sqlite3.Connection, found: Salvaged, names: Iterable[str]) -> None:
    """Write all rows of tables, in place of those that a new database begins with."""
    for name in names:
        connection.execute(f"DELETE FROM {name}")
        _insert(connection, found.tables[name], found.salt, found.rows[name].values())


def _insert(connection: sqlite3.Connection, table: Table, salt: int, rows: Iterable[Row]) -> None:
    marks = ", ".join("?" * len(table.columns))
    connection.executemany(
        f"INSERT OR REPLACE INTO {table.name} ({table.names}, {CHECKSUM}) VALUES ({marks}, ?)",
        [(*row, checksums.checksum(salt, tuple(row))) for row in rows],
    )
