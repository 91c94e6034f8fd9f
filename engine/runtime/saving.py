"""What was counted and is not saved yet, and how it is committed.

Before a commit the logs are made durable, so that no position is ever ahead of them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from engine import indicators
from engine.errors import DatabaseDamaged, MetricsError
from engine.ledger import Positions
from engine.pipeline import Tally
from engine.runtime import clock
from engine.runtime.evidence import read_silence
from engine.runtime.housekeeping import Housekeeping
from engine.runtime.loss import Losses
from engine.runtime.schedule import SaveSchedule
from engine.runtime.service_status import ServiceStatus
from engine.runtime.ticker import clock_is_trusted
from engine.sources.model import Look
from engine.store.positions import KEPT_LOG_FILES
from engine.store.repair.notes import current_notes
from engine.store.store import Store
from engine.times import latest_possible

MAX_UNPRUNED: Final = 200
"""So many logs more than are remembered, and the oldest are forgotten before the hour ends."""

log = logging.getLogger("offspot-metrics")


class Saving:
    """The states and positions since the last commit. Owned by the main thread."""

    def __init__(self, store: Store, status: ServiceStatus) -> None:
        self.store = store
        self.status = status
        self.housekeeping = Housekeeping(store, status)
        self.positions = Positions(store.log_files(), int(store.get("unknown_until", 0)))
        self.losses = Losses(store, status)
        self.schedule = SaveSchedule(saved_before=status.saves > 0)
        self.tally = Tally()
        self.fates_before = store.reader().fates()
        self.running_hour = 0
        self.look: Look | None = None
        """What the source saw last."""
        self.forget_in_source: Callable[[Iterable[bytes]], None] = lambda _: None
        self._gone: set[bytes] = set()
        """Logs that are gone, read, and had no line that counts. They are forgotten at a save,
        unless their compressed roll is still there."""

    @property
    def ready(self) -> bool:
        """Whether there are packages to count by."""
        return not self.status.waits_for_packages

    def save_if_due(self) -> None:
        """Commit when it is time to; also called when nothing comes any more."""
        if self.due_in() <= 0:
            self.save(at=clock.now())

    def due_in(self) -> float:
        """Seconds until the next commit; infinite when there is nothing to save."""
        return self.schedule.due_in()

    def save(self, *, at: int, last: bool = False) -> bool:
        """Commit everything of this instant; on failure everything is kept for the next try."""
        if self.schedule.is_empty and not last:
            return True
        self._make_logs_durable()
        meta = self._meta(at, last=last)
        folded = self._to_fold()
        self.schedule.started()
        try:
            self.store.commit(
                self.tally.states,
                list(self.positions.moved.values()),
                running_hour=self.running_hour,
                meta=meta,
                folded=folded,
            )
        except DatabaseDamaged:
            raise
        except MetricsError as error:
            if error.message != self.status.save_problem:
                log.error("%s; it stays in memory", error.message)  # noqa: TRY400 (the message has it all)
            self.status.save_problem = error.message
            self.schedule.failed()
            return False
        self._saved(at, folded)
        return True

    def _meta(self, at: int, *, last: bool) -> dict[str, Any]:
        look = self.look if self.ready else None
        return {
            "saved_at": at,
            "steady_seconds": self.status.steady_seconds,
            "backup_age": self.status.backup_age,
            "clean": int(last and self.ready),
            **self.losses.meta_values(look, self.positions.log_files),
        }

    def _saved(self, at: int, folded: list[bytes]) -> None:
        self.fates_before += self.tally.fates
        self._note_use()
        self.tally = Tally()
        self.positions.moved.clear()
        self._forget(folded)
        self._gone.difference_update(folded)
        self.schedule.landed()
        self.status.unsaved_since = None
        self.status.save_problem = ""
        self.status.saved_at, self.status.saved_monotonic = at, clock.monotonic()
        self.status.saves += 1
        self.note_store()
        if len(self.positions.log_files) > KEPT_LOG_FILES + MAX_UNPRUNED:
            self._prune()

    def _make_logs_durable(self) -> None:
        for seen in self.look.logs if self.look and self.ready else ():
            with suppress(OSError, ValueError):  # on tmpfs, or closed: nothing can be made durable
                os.fdatasync(seen.descriptor)

    def _to_fold(self) -> list[bytes]:
        """The logs that can be forgotten: no compressed roll in the folder is one of them."""
        if self.look is None:
            return list(self._gone)
        if not self.look.rolls_are_known:
            return []
        return list(self._gone - self.look.rolls)

    def _prune(self) -> None:
        """Forget the oldest logs: a visitor can make the proxy begin any number of them."""
        try:
            forgotten = self.store.prune(self._present())
        except DatabaseDamaged:
            raise
        except MetricsError as error:
            log.warning("%s", error.message)
            return
        self._forget(forgotten)

    def _forget(self, log_ids: list[bytes]) -> None:
        """Forget logs that the store has forgotten, here and in the source."""
        self.positions.forget(log_ids)
        if log_ids:
            self.forget_in_source(log_ids)

    def _present(self) -> list[bytes]:
        """The logs that lie in the folder: they must not be forgotten."""
        if self.look is None:
            return []
        return [*(log.log_id for log in self.look.logs if log.log_id), *self.look.rolls]

    def _note_use(self) -> None:
        """The newest hour of each package, for the status page."""
        last_seen = dict(self.status.last_seen)
        for hour, indicator_id, dimension in self.tally.states:
            if indicator_id == indicators.total_usage_by_package.id:
                last_seen[dimension] = max(hour, last_seen.get(dimension, 0))
        self.status.last_seen = last_seen

    def _check_synchronised(self) -> None:
        """Ask the kernel about its clock: what is counted from here on carries the answer."""
        self.status.clock_trusted = clock_is_trusted()
        self.store.synchronised = self.status.clock_trusted is True

    def note_store(self) -> None:
        """What the status page shows of the database, and of the clock."""
        self._check_synchronised()
        reader = self.store.reader()
        self.status.timezone = self.store.zone.key
        self.status.notes = [*self.store.notes, *current_notes(self.store.meta, self.store.path)]
        if self.status.collecting_since is None:
            self.status.collecting_since = reader.first_minute(latest_possible(clock.now()))
        self.status.fates = self.fates_before.copy()
        if self.status.last_line_at is None:
            self.status.last_line_at = reader.last_line_at()

    def note_silence(self, now: int) -> None:
        """How long no package was used, and what this hotspot usually does at such times."""
        self.status.silence = read_silence(self.store.reader(), self.store.zone, now)
