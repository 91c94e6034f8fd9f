"""What can be read of a damaged database: row by row, each only if its seal verifies.

In: a file that was set aside (it is only read), and a sound backup if there is one. Out: rows, and
how many are known to be missing; and a new database made of them. What it must not do is guess: a
row that does not verify is not used, and where a reading position is missing, lines that may have
been counted before are not counted again.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from engine.errors import ConfigError
from engine.store.records import RecordWriter
from engine.store.repair import checksums, pages
from engine.store.schema import SEALED, TIES
from engine.times import HOUR_SECONDS, KINDS, Period, load_zone, period_of

Row = tuple[Any, ...]

_KEYS: Final = {
    "meta": 1,
    "dimension": 1,
    "state": 3,
    "record": 3,
    "period": 2,
    "total": 4,
    "generation": 1,
    "clock_epoch": 1,
}
"""Table -> how many of its first columns are its key."""
_MAX_PROBES: Final = 100_000


@dataclass
class Salvaged:
    """Rows by table, their keys first."""

    salt: int
    rows: dict[str, dict[Row, Row]] = field(default_factory=dict)
    bad: dict[str, set[Row]] = field(default_factory=dict)
    """Table -> keys of rows that were seen and do not verify."""
    torn: set[str] = field(default_factory=set)
    """Tables of which a part could not be read at all."""

    @property
    def hurt(self) -> set[str]:
        """The tables that are not complete."""
        return self.torn | {table for table, keys in self.bad.items() if keys}

    @property
    def count(self) -> int:
        """How many rows there are."""
        return sum(map(len, self.rows.values()))

    def facts(self) -> dict[str, Any]:
        """The rows of `meta`."""
        return {key[0]: row[1] for key, row in self.rows["meta"].items()}


def read_best(path: Path, like: Path | None, salt: int | None) -> Salvaged | None:
    """The rows of a file that was set aside: with its write-ahead log, or where that is not its
    own, without; where its first page is broken, with that of `like`, an empty database; and of
    tables that are not complete what stands on single pages.
    """
    tries = []
    if path.exists() and path.stat().st_size:  # SQLite removes the log of an empty file
        tries = [_read(path, "mode=ro&immutable=1", salt)]
        if path.with_name(path.name + "-wal").exists():
            tries.insert(0, _read(path, "mode=ro", salt))
        if like and not any(tries):
            with suppress(OSError):
                grafted = _with_first_page_of(like, path)
                tries.append(_read(grafted, "mode=ro&immutable=1", salt))
    read = [found for found in tries if found and found.count]
    best = max(read, key=lambda found: (not found.hurt, found.count), default=None)
    if like and (best is None or best.hurt):
        with suppress(OSError, sqlite3.Error):
            best = _with_single_pages(path, like, best or _nothing(path, like, salt))
    return best if best and best.count else None


def _nothing(path: Path, like: Path, salt: int | None) -> Salvaged:
    """No row yet, of a file of which no table can be read; with its own salt where it is there."""
    rows = pages.rows_in(path, _layouts(like, {"meta"})) if salt is None else ()
    for _, row, checksum in rows:
        if (
            row[0] == "salt"
            and isinstance(row[1], int)
            and checksum == checksums.checksum(row[1], row)
        ):
            salt = row[1]
    if salt is None:
        raise sqlite3.DatabaseError("no row of it can be verified")
    return Salvaged(salt, {table: {} for table in SEALED}, torn=set(SEALED))


def _layouts(like: Path, tables: set[str]) -> dict[str, pages.Layout]:
    with closing(sqlite3.connect(like)) as connection:
        found = pages.layouts_of(connection)
    return {table: found[table] for table in tables}


def _with_single_pages(path: Path, like: Path, found: Salvaged) -> Salvaged:
    """Add rows that no tree leads to any more. What SQLite still finds goes before them.

    A state that is over was added to a record: one that has a record is left out.
    """
    added: dict[str, dict[Row, Row]] = {table: {} for table in found.hurt}
    for table, row, checksum in pages.rows_in(path, _layouts(like, set(added))):
        if table in {"meta", "period"} and (row[0] in KINDS) != (table == "period"):
            continue  # the rows of these two look alike
        key, rows = row[: _KEYS[table]], added[table]
        if key not in found.rows[table] and checksum == checksums.checksum(found.salt, row):
            rows[key] = max(row, rows.get(key, row), key=_age)
    for table, rows in added.items():
        found.rows[table] = rows | found.rows[table]
        found.bad.get(table, set()).difference_update(found.rows[table])
        found.torn.add(table)  # who knows what else there was
    complete_from = int(found.facts().get("complete_from", 0))
    records, states = found.rows["record"], found.rows["state"]
    found.rows["record"] = {key: row for key, row in records.items() if row[0] >= complete_from}
    if "state" in added:
        newest = max((key[0] for key in states), default=0)
        found.rows["state"] = {
            key: row for key, row in states.items() if key[0] == newest and key not in records
        }
    return found


def _age(row: Row) -> tuple[int, ...]:
    """Of two rows of one key the one whose numbers are larger is the later one, minutes first."""
    return tuple(value for value in reversed(row) if isinstance(value, int))


def _with_first_page_of(like: Path, path: Path) -> Path:
    grafted = path.with_name(path.name + ".grafted")
    shutil.copyfile(path, grafted)
    with like.open("rb") as good, grafted.open("r+b") as file:
        page = bytearray(good.read(4096))
        page[28:32] = (grafted.stat().st_size // 4096).to_bytes(4, "big")
        page[32:40] = bytes(8)  # no list of free pages
        file.write(page)
    return grafted


def _read(path: Path, how: str, salt: int | None) -> Salvaged | None:
    uri = f"{path.absolute().as_uri()}?{how}"
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            with suppress(sqlite3.Error):
                stored = checksums.stored_salt(connection)
                row = connection.execute("SELECT seal FROM meta WHERE key = 'salt'").fetchone()
                if (
                    stored is not None
                    and row
                    and row[0] == checksums.checksum(stored, ("salt", stored))
                ):
                    salt = stored
            if salt is None:
                return None
            found = Salvaged(salt)
            for table in SEALED:
                _read_table(connection, table, found)
            return found
    except sqlite3.Error:
        return None


def _read_table(connection: sqlite3.Connection, table: str, found: Salvaged) -> None:
    """Forward to the first page that cannot be read, backward to the last one, and between."""
    good: dict[Row, Row] = {}
    seen_bad: set[Row] = set()
    keys = ", ".join(SEALED[table][: _KEYS[table]])

    def take(sql: str, parameters: Row = ()) -> bool:
        try:
            for row in connection.execute(sql, parameters):
                *values, stored = row
                key = tuple(values[: _KEYS[table]])
                if stored == checksums.checksum(found.salt, tuple(values)):
                    good[key] = tuple(values)
                else:
                    seen_bad.add(key)
        except (sqlite3.Error, UnicodeError):
            return False
        return True

    select = f"SELECT {', '.join(SEALED[table])}, seal FROM {table}"
    if not take(f"{select} ORDER BY {keys}"):
        found.torn.add(table)
        descending = keys.replace(", ", " DESC, ")
        before = set(good)
        take(f"{select} ORDER BY {descending} DESC")
        if table == "record":
            for hour in _hours_between(before, set(good) - before):
                take(f"{select} WHERE hour = ?", (hour,))
    elif sound_length(connection, table) not in (None, len(good) + len(seen_bad)):
        found.torn.add(table)
    found.rows[table] = good
    if missing := seen_bad - set(good):
        found.bad[table] = missing


def sound_length(connection: sqlite3.Connection, table: str) -> int | None:
    """How many rows SQLite counts; None when it cannot."""
    with suppress(sqlite3.Error):
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    return None


def _hours_between(before: set[Row], after: set[Row]) -> Iterator[int]:
    low = max((key[0] for key in before), default=None)
    high = min((key[0] for key in after), default=None)
    if low is not None and high is not None and (high - low) // HOUR_SECONDS < _MAX_PROBES:
        yield from range(low, high + 1, HOUR_SECONDS)


# A new database from what was read


def complete(salvaged: Salvaged, backup: Path | None) -> None:
    """Take from a backup the rows that are missing and have not changed since."""
    held = _read(backup, "mode=ro&immutable=1", salvaged.salt) if backup else None
    for table in ("meta", "dimension", "record", "period", "total", "clock_epoch"):
        if held and table in salvaged.hurt:
            salvaged.rows[table] = held.rows[table] | salvaged.rows[table]
    if "generation" in salvaged.hurt:
        _doubt_positions(salvaged, held)
    titles = salvaged.rows["dimension"]
    for table, place in (("state", 2), ("record", 2), ("total", 3)):
        for row in salvaged.rows[table].values():
            titles.setdefault((row[place],), (row[place], f"(title {row[place]} is lost)"))
    titles.setdefault((0,), (0, ""))


def _doubt_positions(salvaged: Salvaged, held: Salvaged | None) -> None:
    """Positions are missing: of those logs count only what is later than all that was counted."""
    rows = salvaged.rows["generation"]
    names = SEALED["generation"]
    last_at, until, after = (names.index(n) for n in ("last_at", "doubt_until", "doubt_after"))
    newest = max((int(row[last_at] or 0) for row in rows.values()), default=0)
    facts = salvaged.facts()
    newest = max(newest, int(facts.get("saved_at", 0)), int(facts.get("unknown_until", 0)))
    if held:
        for key, row in held.rows["generation"].items():
            if key not in rows:
                doubted = list(row)
                doubted[until], doubted[after] = 1 << 60, newest
                rows[key] = tuple(doubted)
    salvaged.rows["meta"]["unknown_until",] = ("unknown_until", newest)


def fill(connection: sqlite3.Connection, salvaged: Salvaged) -> None:
    """Write what was salvaged into a new database, and its totals anew from its records."""
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM meta")
    connection.execute("DELETE FROM dimension")
    facts = {k: v for k, v in salvaged.facts().items() if k not in TIES}
    facts["salt"] = salvaged.salt
    salvaged.rows["meta"] = {(key,): (key, value) for key, value in facts.items()}
    for table in SEALED:
        if table not in ("period", "total"):
            _insert(connection, table, salvaged.salt, salvaged.rows[table].values())
    try:
        zone = load_zone(str(facts.get("timezone", "UTC")))
    except ConfigError:
        zone = load_zone("UTC")  # the next start has another, and computes all again
    complete_from = int(facts.get("complete_from", 0))
    old = [
        period
        for row in salvaged.rows["period"].values()
        if (period := period_of(row[0], row[1], zone)) and period.start < complete_from
    ]
    _insert_old_totals(connection, salvaged, old)
    _seal_with(connection, salvaged.salt)
    RecordWriter(connection, zone, complete_from).recompute_periods()
    ties = [(key, connection.execute(sql).fetchone()[0]) for key, sql in TIES.items()]
    _insert(connection, "meta", salvaged.salt, ties)
    connection.execute("COMMIT")


def _insert_old_totals(
    connection: sqlite3.Connection, salvaged: Salvaged, old: list[Period]
) -> None:
    """Totals of periods whose records were removed: they are all there is."""
    kept = {(period.kind, period.label) for period in old}
    _insert(connection, "period", salvaged.salt, kept)
    totals = [row for key, row in salvaged.rows["total"].items() if key[:2] in kept]
    _insert(connection, "total", salvaged.salt, totals)


def _insert(connection: sqlite3.Connection, table: str, salt: int, rows: Any) -> None:
    columns = SEALED[table]
    connection.executemany(
        f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}, seal) "
        f"VALUES ({', '.join('?' * len(columns))}, ?)",
        [(*row, checksums.checksum(salt, tuple(row))) for row in rows],
    )


def _seal_with(connection: sqlite3.Connection, salt: int) -> None:
    connection.create_function(
        "seal_of", -1, lambda *row: checksums.checksum(salt, row), deterministic=True
    )


def add_note(connection: sqlite3.Connection, at: int, folder: str, text: str) -> None:
    """Keep a note in the database; it is shown as long as the folder that it names is there."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'notes'").fetchone()
    notes: list[list[Any]] = []
    with suppress(ValueError, TypeError):
        notes = json.loads(row[0]) if row else []
    notes = [*notes, [at, folder, text]][-5:]
    connection.execute(
        "INSERT OR REPLACE INTO meta (key, value, seal) VALUES (?1, ?2, seal_of(?1, ?2))",
        ("notes", json.dumps(notes)),
    )
