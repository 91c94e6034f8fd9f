"""The packages file while it is in use: it is read again after a change, and the last valid version
is stored.

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
    """One file. Owned by the main thread.

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
            self._use(found)
            return found
        self.problem = found.message
        stored = None if self.used else self._stored()
        known = self.used or stored is not None
        after = "the packages known before are used" if known else "nothing is counted until then"
        log.warning("%s; %s", found.message, after)
        self.used = known
        return stored

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

    def _use(self, packages: Packages) -> None:
        for warning in packages.warnings:
            log.warning("%s", warning)
        self.problem = ""
        self.used = True
        text = packages.to_json()
        with suppress(StorageError, Busy):  # stored for the next start; this one has them
            if text != self.store.get("packages"):
                self.store.put("packages", text)

    def _stored(self) -> Packages | None:
        """The last good packages of an earlier start."""
        stored = self.store.get("packages")
        with suppress(ConfigError):
            return None if stored is None else Packages.from_json(str(stored))
        return None

    def _state(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns
