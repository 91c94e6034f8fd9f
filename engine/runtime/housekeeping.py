"""What is done to the database once a day of running: a backup, and what is too old removed.

It goes by time that really passed, added up over restarts, never by dates: a clock that jumps must
not remove anything.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from engine.errors import DatabaseDamaged, MetricsError
from engine.runtime import clock
from engine.runtime.service_status import ServiceStatus
from engine.runtime.ticker import STEADY_SECONDS
from engine.store.repair import backup
from engine.store.store import Store
from engine.store.transactions import storage_errors
from engine.times import local_day, period_of

BACKUP_SECONDS: Final = 24 * 3600
FIRST_BACKUP_SECONDS: Final = 3600

log = logging.getLogger("offspot-metrics")


class Housekeeping:
    """Owned by the main thread; called when an hour has ended and all is saved."""

    def __init__(self, store: Store, status: ServiceStatus) -> None:
        self.store = store
        self.status = status
        self._purged_at: float | None = None

    def tidy(self, now: int, present: Iterable[bytes]) -> list[bytes]:
        """Do what is due. The generations that were forgotten. Raises DatabaseDamaged."""
        try:
            self._back_up()
            self._purge(now)
            return self.store.prune(present)  # by number: a visitor can make the proxy roll its log
        except DatabaseDamaged:
            raise
        except MetricsError as error:
            log.warning("%s", error.message)
            return []

    def _back_up(self) -> None:
        with storage_errors(self.store.path):
            there = backup.newest_path(self.store.path).exists()
        if self.status.backup_age < (BACKUP_SECONDS if there else FIRST_BACKUP_SECONDS):
            return
        self.status.backup_age = 0  # a disk without room is not tried again each hour
        with storage_errors(self.store.path):
            enough = backup.has_room(self.store.path)
        if not enough:
            log.warning("there is no room for a backup of the database")
            return
        self.store.back_up()
        self.store.put("unknown_until", 0)

    def _purge(self, now: int) -> None:
        """Remove records older than the calendar years that are kept, once a day."""
        monotonic = clock.monotonic()
        recently = self._purged_at is not None and monotonic - self._purged_at < STEADY_SECONDS
        if recently or self.status.steady_seconds < STEADY_SECONDS:
            return
        self._purged_at = monotonic
        year = local_day(now, self.store.zone).year - self.status.config.retention_years + 1
        period = period_of("Y", f"{year:04d}", self.store.zone)
        if period and (removed := self.store.purge(period.start)):
            log.info("%s records of before %s were removed", removed, year)
