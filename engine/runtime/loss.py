"""What is lost, and what would be if it were gone at the next start.

In: what a reader says to be lost, and the log folder at each save. Out: numbers in
`ServiceStatus`, and facts for the commit: the logs that were not read to their end, and those that
could not be opened.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from engine.runtime.service_status import ServiceStatus
from engine.runtime.ticker import boot_id
from engine.sources.file_systems import is_in_memory
from engine.sources.model import LogFile, Lost
from engine.sources.tail.folder import LogFolder
from engine.store.store import Store

MAX_CUT_SHORT: Final = 64
UNNAMED: Final = "(its name is not known)"

log = logging.getLogger("offspot-metrics")


class Losses:
    """Owned by the main thread."""

    def __init__(self, store: Store, status: ServiceStatus) -> None:
        self.store = store
        self.status = status
        self._reading = str(store.get("reading", ""))
        self._unread = str(store.get("unread", "[]"))
        status.lost_bytes = int(store.get("lost_bytes", 0))
        self._at_least = bool(store.get("lost_at_least", 0))
        self._cut_short = set(str(store.get("cut_short", "")).split())
        """Compressed rolls whose end was said to be lost, and that may still become whole."""
        self._note_at_least()
        status.lost_logs = int(store.get("lost_logs", 0))

    def add(self, lost: Lost) -> None:
        """Something was lost, or was not after all: count it, and log it."""
        identity = lost.log_id.hex() or "-"
        known = identity in self._cut_short
        self.status.lost_bytes += lost.length
        if lost.withdrawn:
            self._cut_short.discard(identity)
        elif lost.provisional and len(self._cut_short) < MAX_CUT_SHORT:
            self._cut_short.add(identity)
        else:
            known = False
            self._at_least = self._at_least or lost.at_least
        self.status.lost_logs += (not lost.withdrawn) - known
        self._note_at_least()
        _report(lost)

    def _note_at_least(self) -> None:
        self.status.lost_at_least = self._at_least or bool(self._cut_short)

    def look_for(self, folder: LogFolder) -> None:
        """Tell a folder which logs must still be there: what is gone of them is lost."""
        folder.rolls.cut_short = {bytes.fromhex(name.removeprefix("-")) for name in self._cut_short}
        with suppress(ValueError, TypeError):
            unread = json.loads(self._unread)
            folder.unread_before = {(device, inode): (n, s) for device, inode, n, s in unread}
        rebooted = boot_id() != self.store.get("boot_id")
        if rebooted and self.store.get("clean", 0) and is_in_memory(folder.folder):
            return  # they were read to their end, and went with the power
        folder.expected = {bytes.fromhex(identity) for identity in self._reading.split()}

    def facts(self, folder: LogFolder | None, counted: Mapping[bytes, LogFile]) -> dict[str, Any]:
        """What a commit must remember of it."""
        if folder:
            self._reading = " ".join(identity.hex() for identity in folder.unfinished(counted))
            unread = folder.unread().items()
            self._unread = json.dumps([[*key, name, size] for key, (name, size) in unread])
        return {
            "lost_bytes": self.status.lost_bytes,
            "lost_at_least": int(self._at_least),
            "cut_short": " ".join(sorted(self._cut_short)),
            "lost_logs": self.status.lost_logs,
            "reading": self._reading,
            "unread": self._unread,
        }


def _report(lost: Lost) -> None:
    name = lost.name or UNNAMED
    if lost.withdrawn:
        log.info("log %s was cut short and is whole now: nothing of it is lost", name)
    elif lost.length:
        more = "at least " if lost.at_least else ""
        log.warning("log %s: %s%s bytes were lost before they were read", name, more, lost.length)
    else:
        log.warning(
            "log %s: it, or its end, was gone before it was read; its size is not known", name
        )
