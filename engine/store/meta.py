"""Facts about a database: its zone and identity, what the clock did, what was done to it.

In: a connection that somebody else owns. Out: single values, each saved in a transaction of its
own unless one is open.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import uuid
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from engine.store import database


class MetaTable(ABC):
    """The small part of a store; `Store` is the rest."""

    path: Path
    _writable: bool

    @property
    @abstractmethod
    def connection(self) -> sqlite3.Connection:
        """The writing connection."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """All that is written inside lands together."""

    def add_clock_epoch(
        self, boot_id: str, at: int, step_seconds: int, trusted: bool | None
    ) -> None:
        """Note that a stretch of steady time begins (at a boot, or a step of the clock)."""
        with self.transaction():
            number = self.connection.execute(
                "SELECT coalesce(max(id), 0) + 1 FROM clock_epoch"
            ).fetchone()[0]
            self.connection.execute(
                "INSERT INTO clock_epoch (id, boot_id, started_at, step_seconds, trusted, seal) "
                "VALUES (?1, ?2, ?3, ?4, ?5, seal_of(?1, ?2, ?3, ?4, ?5))",
                (number, boot_id, at, step_seconds, trusted),
            )
            self.connection.execute(
                "DELETE FROM clock_epoch WHERE id <= (SELECT max(id) FROM clock_epoch) - 1000"
            )

    def clock_steps(self, newest: int = 20) -> list[tuple[int, int]]:
        """The newest steps of the clock: (time after it, seconds), oldest first."""
        rows = self.connection.execute(
            "SELECT started_at, step_seconds FROM clock_epoch WHERE step_seconds <> 0 "
            "ORDER BY id DESC LIMIT ?",
            (newest,),
        ).fetchall()
        return rows[::-1]

    def identify(self, board_serial: str) -> str:
        """The random id of this hotspot, made at first start and anew on another board."""
        site_id = self.get("site_id")
        board = hashlib.sha256(f"offspot-metrics board {board_serial}".encode()).hexdigest()
        if not board_serial:
            board = str(self.get("board", ""))
        if site_id is None or board != self.get("board", board):
            site_id = str(uuid.uuid4())
        if not self._writable:
            return str(site_id)
        with database.storage_errors(self.path), database.atomic(self.connection):
            self._set("site_id", site_id)
            self._set("board", board)
        return str(site_id)

    def get(self, key: str, default: Any = None) -> Any:
        """A fact about this database."""
        row = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return default if row is None else row[0]

    def put(self, key: str, value: Any) -> None:
        """Save a fact about this database at once."""
        with database.storage_errors(self.path), database.atomic(self.connection):
            self._set(key, value)

    def _set(self, key: str, value: Any) -> None:
        if value == self.get(key):
            return
        self.connection.execute(
            "INSERT INTO meta (key, value, seal) VALUES (?1, ?2, seal_of(?1, ?2)) "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value, seal = excluded.seal",
            (key, value),
        )

    def kept_notes(self) -> list[str]:
        """What was done to this database, as long as what was set aside is there."""
        try:
            notes = json.loads(self.get("notes", "[]"))
            return [
                f"{text} (set aside in quarantine/{folder})"
                for _, folder, text in notes
                if (self.path.parent / "quarantine" / folder).is_dir()
            ]
        except (ValueError, TypeError):
            return []
