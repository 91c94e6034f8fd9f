"""Which counting a record is of: one row per hotspot, import, and stretch of an unconfirmed clock.

A new id of the hotspot or a new stretch is a new row; no record is rewritten for it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass
from typing import Final, Literal

from engine.store.meta import MetaTable
from engine.store.schema import tables_at


@dataclass(frozen=True)
class Origin:
    """A counting. The columns of its row, without the id."""

    source: str = ""
    """The id of the hotspot, empty for a database that none has used, or that of an import."""
    kind: Literal["counted", "imported"] = "counted"
    clock_epoch_id: int | None = None
    """The stretch of the clock, when the kernel did not call its clock synchronised."""
    offset_seconds: int = 0


UNKNOWN: Final = Origin()


def current_origin(connection: sqlite3.Connection, *, synchronised: bool) -> Origin:
    """The origin of what is counted now: of the newest stretch, unless the clock is confirmed."""
    epoch = None
    if not synchronised:
        (epoch,) = connection.execute("SELECT max(id) FROM clock_epoch").fetchone()
    return Origin(str(MetaTable(connection).get("site_id", "")), clock_epoch_id=epoch)


def id_of(connection: sqlite3.Connection, origin: Origin) -> int:
    """The id of an origin, made when it is new."""
    row = asdict(origin)
    found = connection.execute(
        f"SELECT id FROM origin WHERE {' AND '.join(f'{name} IS ?' for name in row)}",
        tuple(row.values()),
    ).fetchone()
    if found:
        return int(found[0])
    (number,) = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM origin").fetchone()
    insert = tables_at()["origin"].insert("id", *row)
    connection.execute(insert, (number, *row.values()))
    return int(number)


def remove_unused(connection: sqlite3.Connection) -> None:
    """Remove the origins of which there is nothing any more."""
    connection.execute(
        "DELETE FROM origin WHERE id NOT IN "
        "(SELECT origin_id FROM record UNION SELECT origin_id FROM state)"
    )
