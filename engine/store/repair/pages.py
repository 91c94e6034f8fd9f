"""Rows of a database file page by page, for where no tree leads to them any more.

Rows come with their checksums, which the caller compares. Pages that SQLite has set free are left
out: what is on them is of another time. Rows that go on in other pages are left out too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engine.store.schema import Row, Table

PAGE_BYTES: Final = 4096
_LOG_HEADER_BYTES: Final = 32
_FRAME_HEADER_BYTES: Final = 24
_LEAF_OF_TABLE, _LEAF_OF_INDEX, _INNER_OF_INDEX = 0x0D, 0x0A, 0x02
_HEADER_BYTES: Final = {_LEAF_OF_TABLE: 8, _LEAF_OF_INDEX: 8, _INNER_OF_INDEX: 12}
_WIDTHS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_TYPES: Final = {"INTEGER": int, "TEXT": str, "BLOB": bytes, "": object}
_TREES: Final = {_LEAF_OF_TABLE: True, _LEAF_OF_INDEX: False, _INNER_OF_INDEX: False}
"""Type of page -> whether its rows have a number that is not among their columns."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of a table are stored: the place of each column that has a checksum, and of it.

    `numbered` is the place of the column that is the row's number, in tables that have one.
    """

    columns: tuple[int, ...]
    types: tuple[tuple[type, bool], ...]
    """The type of each of them, and whether there is always a value."""
    checksum: int
    numbered: int | None

    def fits(self, row: Row) -> bool:
        """Whether a row can be of this table: a few tables have as many columns as others."""
        return all(
            not filled if value is None else isinstance(value, kind)
            for value, (kind, filled) in zip(row, self.types, strict=True)
        )


def layouts_of(connection: sqlite3.Connection, tables: Iterable[Table]) -> dict[str, Layout]:
    """The layouts of tables by name, from a database that has them."""
    return {table.name: _layout_of(connection, table) for table in tables}


def _layout_of(connection: sqlite3.Connection, table: Table) -> Layout:
    """Tables without row numbers store the columns of their key first."""
    (sql,) = connection.execute(
        "SELECT sql FROM sqlite_schema WHERE name = ?", (table.name,)
    ).fetchone()
    numbered = "WITHOUT ROWID" not in sql
    columns = connection.execute(
        'SELECT name, type, "notnull" FROM pragma_table_info(?1) '
        "ORDER BY CASE WHEN ?2 OR pk = 0 THEN 99 ELSE pk END, cid",
        (table.name, numbered),
    ).fetchall()
    order = [name for name, _, _ in columns]
    types = {name: (_TYPES[kind], bool(filled)) for name, kind, filled in columns}
    return Layout(
        tuple(order.index(name) for name in table.columns),
        tuple(types[name] for name in table.columns),
        order.index(table.checksum_name),
        order.index(table.key[0]) if numbered else None,
    )


def rows_in(path: Path, layouts: dict[str, Layout]) -> Iterator[tuple[str, Row, int]]:
    """Table, row and checksum of all that a file and its write-ahead log may hold; for what fits
    several tables, each of them. Raises OSError.
    """
    for page, begin in _pages_of(path):
        for rowid, values in _rows_of_page(page, begin):
            for table, layout in layouts.items():
                if (row := _as_row(values, rowid, layout)) is not None:
                    yield table, *row


def _pages_of(path: Path) -> Iterator[tuple[bytes, int]]:
    """Each page as the last commit left it, and where in it its header begins."""
    content = path.read_bytes() if path.exists() else b""
    pages = {
        number: content[(number - 1) * PAGE_BYTES : number * PAGE_BYTES]
        for number in range(1, len(content) // PAGE_BYTES + 1)
    }
    log = path.with_name(path.name + "-wal")
    pages |= _pages_of_log(log.read_bytes() if log.exists() else b"")
    free = _free_pages(pages)
    for number in sorted(pages.keys() - free):
        yield pages[number], 100 if number == 1 else 0


def _pages_of_log(content: bytes) -> dict[int, bytes]:
    """The last version of each page in a write-ahead log, up to its last commit."""
    found: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    frame = _FRAME_HEADER_BYTES + PAGE_BYTES
    for begin in range(_LOG_HEADER_BYTES, len(content) - frame + 1, frame):
        if content[begin + 8 : begin + 16] != content[16:24]:
            break  # what follows is from before the log was restarted
        page = content[begin + _FRAME_HEADER_BYTES : begin + frame]
        pending[int.from_bytes(content[begin : begin + 4], "big")] = page
        if any(content[begin + 4 : begin + 8]):  # the end of a commit
            found |= pending
            pending = {}
    return found


def _as_row(values: list[Any], rowid: int | None, layout: Layout) -> tuple[Row, int] | None:
    if (rowid is None) != (layout.numbered is None) or len(values) <= layout.checksum:
        return None
    if layout.numbered is not None:
        values = [*values]
        values[layout.numbered] = rowid
    checksum = values[layout.checksum]
    if not isinstance(checksum, int):
        return None
    # A column that was added later is missing in rows from before.
    padded = values + [None] * (max(layout.columns) + 1 - len(values))
    row = tuple(padded[place] for place in layout.columns)
    return (row, checksum) if layout.fits(row) else None


def _free_pages(pages: dict[int, bytes]) -> set[int]:
    """Pages that are on SQLite's list of free ones, as far as it can be followed."""
    free: set[int] = set()
    trunk = int.from_bytes(pages.get(1, b"")[32:36], "big")
    while trunk > 1 and trunk in pages and trunk not in free:
        free.add(trunk)
        page = pages[trunk]
        count = min(int.from_bytes(page[4:8], "big"), PAGE_BYTES // 4 - 2)
        free.update(int.from_bytes(page[8 + 4 * n : 12 + 4 * n], "big") for n in range(count))
        trunk = int.from_bytes(page[:4], "big")
    return free


def _rows_of_page(page: bytes, begin: int) -> Iterator[tuple[int | None, list[Any]]]:
    kind = page[begin]
    if kind not in _HEADER_BYTES:
        return
    cells = begin + _HEADER_BYTES[kind]
    count = int.from_bytes(page[begin + 3 : begin + 5], "big")
    for number in range(min(count, (PAGE_BYTES - cells) // 2)):
        place = int.from_bytes(page[cells + 2 * number : cells + 2 * number + 2], "big")
        try:
            yield _row_at(
                page, place + (4 if kind == _INNER_OF_INDEX else 0), numbered=_TREES[kind]
            )
        except (IndexError, ValueError):
            continue


def _row_at(page: bytes, place: int, *, numbered: bool) -> tuple[int | None, list[Any]]:
    """One row. Raises IndexError or ValueError if it is missing or incomplete."""
    size, place = _varint(page, place)
    rowid = None
    if numbered:
        rowid, place = _varint(page, place)
    if place + size > PAGE_BYTES:
        raise ValueError("it continues on another page")
    header_end, at = _varint(page, place)
    header_end += place
    types = []
    while at < header_end:
        kind, at = _varint(page, at)
        types.append(kind)
    values = []
    for kind in types:
        value, at = _value(page, at, kind)
        values.append(value)
    if at != place + size:
        raise ValueError("its length is not what its header says")
    return rowid, values


def _value(page: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind == 0:
        return None, at
    if kind in (8, 9):
        return kind - 8, at
    if kind in _WIDTHS:
        end = at + _WIDTHS[kind]
        return int.from_bytes(page[at:end], "big", signed=True), end
    if kind < 12:
        raise ValueError("none of our columns is of this type")
    end = at + (kind - 12) // 2
    raw = page[at:end]
    return (raw.decode() if kind % 2 else raw), end


def _varint(page: bytes, at: int) -> tuple[int, int]:
    value = 0
    for number in range(9):
        byte = page[at + number]
        if number == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, at + number + 1
