"""A new database from the rows that could be read of a damaged one, completed from its backup.

Where a reading position is missing, lines that may have been counted before are not counted again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from engine.errors import ConfigError
from engine.indicators.model import NO_DIMENSION
from engine.store import merging, migrations
from engine.store.records import RecordWriter
from engine.store.repair import checksums
from engine.store.repair.salvage import Salvaged, read
from engine.store.schema import TABLE_CHECKSUMS, TOTALS, Row, Table, tables_at
from engine.store.transactions import atomic
from engine.times import load_zone, period_of

_EVERYWHERE: Final = 1 << 60
_PERIOD: Final = ("agg_kind", "agg_value", "whole")
_RENAMED: Final = {"generation": "log_file"}
"""Names that tables had in older versions."""
_PARENTS: Final[tuple[tuple[str, str, dict[str, str | int]], ...]] = (
    (
        "dimension",
        (
            "SELECT dimension_id FROM state UNION SELECT dimension_id FROM record "
            "UNION SELECT dimension_id FROM total"
        ),
        {"value0": "(title {} is lost)"},
    ),
    (
        "origin",
        "SELECT origin_id FROM state UNION SELECT origin_id FROM record",
        {"source": "", "kind": "counted"},
    ),
    (
        "clock_epoch",
        "SELECT clock_epoch_id FROM origin WHERE clock_epoch_id IS NOT NULL",
        {"boot_id": "", "started_at": 0, "step_seconds": 0},
    ),
)
"""Tables whose rows others refer to, the SELECT of those, and what stands in for a lost row."""


def migrated(found: Salvaged) -> Salvaged:
    """Rows of an older version of the schema as the newest one has them."""
    if found.version == migrations.NEWEST:
        return found
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        checksums.install(connection, found.salt)
        merging.install(connection)
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
    bad = {_RENAMED.get(name, name): keys for name, keys in found.bad.items()}
    torn = {_RENAMED.get(name, name) for name in found.torn}
    return Salvaged(found.salt, migrations.NEWEST, rows, bad, torn)


def complete(salvaged: Salvaged, backup: Path | None) -> None:
    """Take from a backup the rows that are missing and have not changed since."""
    backed_up = read(backup, "mode=ro&immutable=1", salvaged.salt) if backup else None
    if backed_up:
        backed_up = migrated(backed_up)
        for name in salvaged.hurt - {"state", "log_file"}:
            salvaged.rows[name] = backed_up.rows[name] | salvaged.rows[name]
    if "log_file" in salvaged.hurt:
        _mark_ambiguous(salvaged, backed_up)


def _mark_ambiguous(salvaged: Salvaged, backed_up: Salvaged | None) -> None:
    """Positions are missing: of those logs count only what is later than all that was counted."""
    rows = salvaged.rows["log_file"]
    columns = tuple(salvaged.tables["log_file"].columns)
    last_at = salvaged.place("log_file", "last_at")
    newest = max((int(row[last_at] or 0) for row in rows.values()), default=0)
    meta = salvaged.meta()
    newest = max(newest, int(meta.get("saved_at", 0)), int(meta.get("unknown_until", 0)))
    if backed_up:
        for key, row in backed_up.rows["log_file"].items():
            log_file = dict(zip(columns, row, strict=True))
            log_file |= {"ambiguous_until": _EVERYWHERE, "ambiguous_after": newest}
            rows.setdefault(key, tuple(log_file.values()))
    salvaged.rows["meta"]["unknown_until",] = ("unknown_until", newest)


def fill(connection: sqlite3.Connection, salvaged: Salvaged) -> None:
    """Write what was salvaged into a new database, and its totals again from its records."""
    connection.execute("PRAGMA foreign_keys = OFF")
    checksums.install(connection, salvaged.salt)
    meta = {key: value for key, value in salvaged.meta().items() if key not in TABLE_CHECKSUMS}
    meta["salt"] = salvaged.salt
    salvaged.rows["meta"] = {(key,): (key, value) for key, value in meta.items()}
    with atomic(connection):
        _replace_rows(connection, salvaged, salvaged.tables.keys() - {"period", *TOTALS})
        if (0,) not in salvaged.rows["dimension"]:
            connection.execute(tables_at()["dimension"].insert("id", "value0"), (0, NO_DIMENSION))
        try:
            zone = load_zone(str(meta.get("timezone", "UTC")))
        except ConfigError:
            zone = load_zone("UTC")  # the next start has another, and computes all again
        complete_from = int(meta.get("complete_from", 0))
        _insert_old_totals(connection, salvaged, zone, complete_from)
        _insert_lost_parents(connection)
        records = RecordWriter(connection, zone, complete_from)
        records.recompute_periods()
        records.figures.recompute()
        sums = [
            (key, connection.execute(sql).fetchone()[0]) for key, sql in TABLE_CHECKSUMS.items()
        ]
        _insert(connection, salvaged.tables["meta"], salvaged.salt, sums)


def _insert_old_totals(
    connection: sqlite3.Connection, salvaged: Salvaged, zone: ZoneInfo, complete_from: int
) -> None:
    """Totals of periods that have no records, or none any more: they are all there is."""
    kept = set()
    for row in salvaged.rows["period"].values():
        kind, label, whole = (row[salvaged.place("period", name)] for name in _PERIOD)
        period = period_of(kind, label, zone)
        if period and (whole or period.start < complete_from):
            kept.add((kind, label))
    for table in ("period", "total"):
        rows = [row for key, row in salvaged.rows[table].items() if key[:2] in kept]
        _insert(connection, salvaged.tables[table], salvaged.salt, rows)


def _insert_lost_parents(connection: sqlite3.Connection) -> None:
    """Insert stand-ins for rows that others refer to, and that are lost."""
    for name, referred, row in _PARENTS:
        lost = connection.execute(f"{referred} EXCEPT SELECT id FROM {name}").fetchall()
        insert = tables_at()[name].insert("id", *row)
        for (number,) in lost:
            values = [v.format(number) if isinstance(v, str) else v for v in row.values()]
            connection.execute(insert, (number, *values))


def _replace_rows(connection: sqlite3.Connection, found: Salvaged, names: Iterable[str]) -> None:
    """Write all rows of tables, in place of those that a new database begins with."""
    for name in names:
        connection.execute(f"DELETE FROM {name}")
        _insert(connection, found.tables[name], found.salt, found.rows[name].values())


def _insert(connection: sqlite3.Connection, table: Table, salt: int, rows: Iterable[Row]) -> None:
    marks = ", ".join("?" * len(table.columns))
    connection.executemany(
        f"INSERT OR REPLACE INTO {table.name} ({table.names}, {table.checksum_name}) "
        f"VALUES ({marks}, ?)",
        [(*row, checksums.checksum(salt, tuple(row))) for row in rows],
    )
