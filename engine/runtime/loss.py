"""What is lost, and what would be if it were gone at the next start."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from engine.runtime.service_status import ServiceStatus
from engine.runtime.ticker import boot_id
from engine.sources.file_systems import is_in_memory
from engine.sources.log_file import LogFile
from engine.sources.model import Look, Lost, Unfinished, Unopened
from engine.store.store import Store

MAX_CUT_SHORT: Final = 64
MAX_UNFINISHED: Final = 16
UNNAMED: Final = "(its name is not known)"

log = logging.getLogger("offspot-metrics")


class Losses:
    """Numbers for the status, and values to save with each commit."""

    def __init__(self, store: Store, status: ServiceStatus) -> None:
        self.store = store
        self.status = status
        self._reading = str(store.get("reading", ""))
        self._unopened = str(store.get("unread", "[]"))
        status.lost_bytes = int(store.get("lost_bytes", 0))
        self._at_least = bool(store.get("lost_at_least", 0))
        self._cut_short = set(str(store.get("cut_short", "")).split())
        """Compressed rolls whose end was reported as lost, and that may still become whole."""
        self._note_at_least()
        status.lost_logs = int(store.get("lost_logs", 0))

    def add(self, lost: Lost) -> None:
        """Something was lost, or was not after all: count it, and log it."""
        log_id = lost.log_id.hex() or "-"
        known = log_id in self._cut_short
        self.status.lost_bytes += lost.length
        if lost.withdrawn:
            self._cut_short.discard(log_id)
        elif lost.provisional and len(self._cut_short) < MAX_CUT_SHORT:
            self._cut_short.add(log_id)
        else:
            known = False
            self._at_least = self._at_least or lost.at_least
        self.status.lost_logs += (not lost.withdrawn) - known
        self._note_at_least()
        _report(lost)

    def _note_at_least(self) -> None:
        self.status.lost_at_least = self._at_least or bool(self._cut_short)

    def unfinished(self, folder: Path) -> Unfinished:
        """What must still be in the log folder: what is gone of it is lost."""
        unopened: tuple[Unopened, ...] = ()
        with suppress(ValueError, TypeError):
            unopened = tuple(Unopened(*log) for log in json.loads(self._unopened))
        logs = frozenset(bytes.fromhex(log_id) for log_id in self._reading.split())
        rebooted = boot_id() != self.store.get("boot_id")
        if rebooted and self.store.get("clean", 0) and is_in_memory(folder):
            logs = frozenset()  # they were read to their end, and went with the power
        cut_short = frozenset(bytes.fromhex(name.removeprefix("-")) for name in self._cut_short)
        return Unfinished(logs, unopened, cut_short)

    def meta_values(self, look: Look | None, counted: Mapping[bytes, LogFile]) -> dict[str, Any]:
        """What each commit saves in the table `meta`."""
        if look:
            self._reading = " ".join(log_id.hex() for log_id in unfinished_logs(look, counted))
            self._unopened = json.dumps(look.unopened)
        return {
            "lost_bytes": self.status.lost_bytes,
            "lost_at_least": int(self._at_least),
            "cut_short": " ".join(sorted(self._cut_short)),
            "lost_logs": self.status.lost_logs,
            "reading": self._reading,
            "unread": self._unopened,
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


def unfinished_logs(look: Look, counted: Mapping[bytes, LogFile]) -> list[bytes]:
    """The logs of which there is more to count, or may be: the newest may always grow."""
    # As long as it is not known whether they are there; those that are speak for themselves.
    found = sorted(look.missing - {log.log_id for log in look.logs})
    for log in look.logs:
        if not log.log_id or len(found) >= MAX_UNFINISHED:
            continue
        known = counted.get(log.log_id)
        if log.is_newest or known is None or known.position < log.size:
            found.append(log.log_id)
    return found
