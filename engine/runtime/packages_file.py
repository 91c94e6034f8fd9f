"""The packages file while it is in use: read again when it changed, the last good one kept.

In: a path, and what the database has kept of it. Out: packages, and what is wrong with the file.
It must not stop anything but a very first start.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from engine.errors import MetricsError, StorageError
from engine.packages import Packages, read_packages
from engine.store.store import Store

log = logging.getLogger("offspot-metrics")


class PackagesFile:
    """Looks after one file. Owned by the main thread."""

    def __init__(self, path: Path, store: Store) -> None:
        self.path = path
        self.store = store
        self.problem = ""
        self._seen: tuple[int, int, int] | None = None

    def first(self) -> Packages:
        """The packages of the file, else the last good ones; raises when there never were any."""
        self._seen = self._state()
        try:
            return self._read()
        except MetricsError as error:
            kept = self.store.get("packages")
            if kept is None:
                raise
            self._complain(error)
            return Packages.from_json(str(kept))

    def changed(self, *, forced: bool = False) -> Packages | None:
        """The packages of a new version of the file; None when it is old, or cannot be read."""
        state = self._state()
        if state == self._seen and not forced:
            return None
        self._seen = state
        try:
            return self._read()
        except MetricsError as error:
            self._complain(error)
            return None

    def _read(self) -> Packages:
        packages = read_packages(self.path)
        for warning in packages.warnings:
            log.warning("%s", warning)
        self.problem = ""
        text = packages.to_json()
        with suppress(StorageError):  # kept for the next start; this one has them
            if text != self.store.get("packages"):
                self.store.put("packages", text)
        return packages

    def _complain(self, error: MetricsError) -> None:
        self.problem = error.message
        log.warning("%s; the packages known before are used", error.message)

    def _state(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns
