"""Where ours is when the configured database is one of the older system: next to it."""

from __future__ import annotations

from pathlib import Path

from engine.errors import DatabaseForeign
from engine.store.files import open_plain
from engine.store.schema import APPLICATION_ID
from engine.store.upstream.opening import is_upstream


def locate(path: Path) -> tuple[Path, Path | None]:
    """The database to use, and the older system's where the path is one: `database.db` is left as
    it is, and `database.v2.db` is used.
    """
    try:
        with open_plain(path) as file:  # a pipe would wait for somebody to write
            header = file.read(100)
    except (OSError, ValueError, DatabaseForeign):
        return path, None
    if int.from_bytes(header[68:72], "big") == APPLICATION_ID or not is_upstream(path):
        return path, None
    return path.with_name(f"{path.stem}.v2{path.suffix}"), path
