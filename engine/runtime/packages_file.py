"""The packages file while it is in use: read again when it changed, the last good one kept.

In: a path, and what the database has kept of it. Out: packages, and what is wrong with the file.
A large file takes seconds to read, on a small board ten, so a thread of its own does it: counting
and answering go on meanwhile.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from engine.errors import Busy, ConfigError, MetricsError, StorageError
from engine.packages import Packages, read_packages
from engine.store.store import Store

log = logging.getLogger("offspot-metrics")


class PackagesFile:
    """Looks after one file. Owned by the main thread.

    `notify` is called by the thread that has read the file; `take` then has what it found. Without
    `notify`, the file is read at once.
    """

    def __init__(self, path: Path, store: Store, notify: Callable[[], None] | None = None) -> None:
        self.path = path
        self.store = store
        self.problem = ""
        self.used = False
        """Whether there were packages since the start."""
        self._notify = notify
        self._seen: tuple[int, int, int] | None = None
        self._thread: threading.Thread | None = None
        self._again = False
        self._found: Packages | MetricsError | None = None

    def look(self, *, forced: bool = False) -> None:
        """Begin to read the file, if it has changed since it was last read."""
        if self._thread is not None:
            self._again = self._again or forced
            return
        state = self._state()
        if state == self._seen and not forced:
            return
        self._seen = state
        if self._notify is None:
            self._found = self._read()
            return
        thread = threading.Thread(target=self._read_and_notify, name="packages", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has no thread left
            self._found = self._read()
            self._notify()
        else:
            self._thread = thread

    def wait(self, seconds: float) -> None:
        """Wait for the end of the reading that is under way, but no longer than so."""
        if self._thread is not None:
            self._thread.join(seconds)

    def take(self) -> Packages | None:
        """The packages that count from now on; None when they are those of before, if any."""
        found, self._found = self._found, None
        if found is None:
            return None
        self._thread = None
        if self._again:
            self._again = False
            self.look(forced=True)
        if isinstance(found, Packages):
            self._keep(found)
            return found
        self.problem = found.message
        kept = None if self.used else self._kept()
        known = self.used or kept is not None
        after = "the packages known before are used" if known else "nothing is counted until then"
        log.warning("%s; %s", found.message, after)
        self.used = known
        return kept

    def _read_and_notify(self) -> None:
        self._found = self._read()
        if self._notify is not None:
            self._notify()

    def _read(self) -> Packages | MetricsError:
        try:
            return read_packages(self.path)
        except MetricsError as error:
            return error
        except Exception as error:
            log.exception("the packages file could not be read")
            return ConfigError(f"packages file {self.path} cannot be read: {error}")

    def _keep(self, packages: Packages) -> None:
        for warning in packages.warnings:
            log.warning("%s", warning)
        self.problem = ""
        self.used = True
        text = packages.to_json()
        with suppress(StorageError, Busy):  # kept for the next start; this one has them
            if text != self.store.get("packages"):
                self.store.put("packages", text)

    def _kept(self) -> Packages | None:
        """The last good packages of an earlier start."""
        kept = self.store.get("packages")
        with suppress(ConfigError):
            return None if kept is None else Packages.from_json(str(kept))
        return None

    def _state(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns
