"""Notes in a database of what was repaired, shown as long as the damaged file is in quarantine."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from engine.store.meta import MetaTable

_KEPT: Final = 5


def add_note(meta: MetaTable, at: int, folder: str, text: str) -> None:
    """Add a note that names the folder in quarantine."""
    notes: list[list[Any]] = []
    with suppress(ValueError, TypeError):
        notes = json.loads(meta.get("notes", "[]"))
    meta.set("notes", json.dumps([*notes, [at, folder, text]][-_KEPT:]))


def current_notes(meta: MetaTable, path: Path) -> list[str]:
    """The notes whose folders are still next to the database."""
    try:
        return [
            f"{text} (see quarantine/{folder})"
            for _, folder, text in json.loads(meta.get("notes", "[]"))
            if (path.parent / "quarantine" / folder).is_dir()
        ]
    except (ValueError, TypeError):
        return []
