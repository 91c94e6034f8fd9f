"""The main thread's work: messages of the reader and ticks into states, and states into the store.

In: messages and ticks, one at a time. Out: commits. It owns the pipeline, the positions and the
writing connection; nothing here is shared but `ServiceStatus`, which others only read.

When a commit is made: a minute after something was counted, ten when only the minutes of uptime
were; sooner after 256 KiB of log, at a rotation, when an hour ends, when the clock was set, at the
end. Never more than once in two seconds. Before it, the logs are made durable, so that no position
is ever ahead of them.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from engine import indicators
from engine.errors import Busy, DatabaseDamaged, MetricsError, StorageError
from engine.ledger import Positions
from engine.packages import Packages
from engine.pipeline import Pipeline, Tally
from engine.runtime import clock
from engine.runtime.housekeeping import Housekeeping
from engine.runtime.loss import Losses
from engine.runtime.packages_file import PackagesFile
from engine.runtime.service_status import ServiceStatus
from engine.runtime.ticker import JUMP_SECONDS, Tick, boot_id, clock_is_trusted
from engine.sources.model import Block, Gone, Lost, Message, Rewound
from engine.sources.tail.folder import LogFolder
from engine.store.positions import KEPT_GENERATIONS
from engine.store.store import Store
from engine.times import hour_of

SAVE_SECONDS: Final = 60.0
SAVE_UPTIME_SECONDS: Final = 600.0
SAVE_BYTES: Final = 256 * 1024
SAVE_PAUSE_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 60.0
"""After a save that failed, the next one is tried so much later."""
FAR_SECONDS: Final = 31 * 24 * 3600
"""More between a stop and the next start is taken for a wrong clock, not for a holiday."""
MAX_UNPRUNED: Final = 200
"""So many logs more than are remembered, and the oldest are forgotten before the hour ends."""

log = logging.getLogger("offspot-metrics")


class CountingLoop:
    """Counts and saves. Owned by the main thread."""

    def __init__(
        self,
        store: Store,
        status: ServiceStatus,
        packages_path: Path,
        packages_read: Callable[[], None] | None = None,
    ) -> None:
        self.store = store
        self.status = status
        self.packages = PackagesFile(packages_path, store, packages_read)
        self.housekeeping = Housekeeping(store, status)
        self.positions = Positions(store.generations(), int(store.get("unknown_until", 0)))
        self.pipeline = Pipeline(Packages())
        self.folder: LogFolder | None = None
        self.tally = Tally()
        self.fates_before = store.reader().fates()
        self.running_hour = 0
        self._bytes = 0
        self._rotated = False
        self._gone: set[bytes] = set()
        """Logs that are gone, read, and had no line that counts. They are forgotten at a save,
        unless their compressed roll is still there."""
        self.losses = Losses(store, status)
        self._dirty_at: float | None = None
        self._dirty_uptime_at: float | None = None
        self._saved_at = -SAVE_PAUSE_SECONDS
        self._pause = SAVE_PAUSE_SECONDS
        status.steady_seconds = int(store.get("steady_seconds", 0))
        status.backup_age = int(store.get("backup_age", 0))
        status.steps.extend(store.clock_steps())
        status.last_seen = store.reader().last_hours()

    # Start

    def begin(self, now: int) -> None:
        """Read the packages, note the boot, and see what the clock did while we were off."""
        self.status.waits_for_packages = True
        self.reload_packages(forced=True)
        saved_at = int(self.store.get("saved_at", 0))
        boot = boot_id()
        step = 0
        if saved_at and not -JUMP_SECONDS <= now - saved_at <= FAR_SECONDS:
            step = now - saved_at
            self.status.steady_seconds = 0
            self.status.steps.append((now, step))
        self.status.clock_trusted = clock_is_trusted()
        if boot != self.store.get("boot_id") or step:
            try:
                self.store.add_clock_epoch(boot, now, step, self.status.clock_trusted)
                self.store.put("boot_id", boot)
            except (StorageError, Busy) as error:
                log.warning("%s", error.message)
        if self.store.get("clean", 0):
            with suppress(StorageError, Busy):
                self.store.put("clean", 0)  # until the next orderly stop
        self.running_hour = hour_of(now)
        self._note_store()

    @property
    def ready(self) -> bool:
        """Whether there are packages to count by."""
        return not self.status.waits_for_packages

    def use_packages(self, packages: Packages) -> None:
        """Count by these packages from now on."""
        self.packages.used = True
        self.pipeline = Pipeline(packages)
        self.status.use_packages(packages)
        self.status.waits_for_packages = False

    def reload_packages(self, *, forced: bool = False) -> None:
        """Read the packages file again when it has changed."""
        self.packages.look(forced=forced)
        self.take_packages()

    def take_packages(self, wait_seconds: float = 0.0) -> None:
        """Use what a reading of the packages file found, when it has come to its end."""
        self.packages.wait(wait_seconds)
        packages = self.packages.take()
        self.status.packages_problem = self.packages.problem
        if packages is not None:
            self.use_packages(packages)

    # Counting

    def take(self, message: Message) -> None:
        """Count what a reader hands on."""
        self.status.beat_at = clock.monotonic()
        if isinstance(message, Block):
            self._count(message)
        elif isinstance(message, Rewound):
            self._adopt(message)
        elif isinstance(message, Gone):
            self._release(message.log_id)
        else:
            self._lose(message)
        self.save_if_due()

    def _count(self, block: Block) -> None:
        log_file = self.positions.log_files.get(block.log_id)
        if log_file is None or not log_file.position:
            self._rotated = True
        log_file = self.positions.get_of(block)
        self._gone.discard(block.log_id)
        if gap := self.positions.skip_gap(log_file, block):  # readers fill those that they can
            self._lose(Lost(log_file.id, gap))
        before = log_file.position
        tally = self.positions.take(log_file, block, self._count_lines)
        if tally is None:
            return
        self.tally.add(tally)
        self._bytes += log_file.position - before
        self._mark_dirty()
        self.status.fates = self.fates_before + self.tally.fates
        if self.tally.last_at is not None:
            self.status.last_line_at = max(self.status.last_line_at or 0, self.tally.last_at)

    def _count_lines(self, lines: bytes, /, *, outside: range | None = None) -> Tally:
        """Count lines; where the program fails on one of them, all others."""
        try:
            return self.pipeline.count(lines, outside=outside)
        except MemoryError:
            raise  # no fault of a line
        except Exception:
            log.exception("lines could not be counted together: they are counted one by one")
        tally = Tally()
        for line in lines.split(b"\n")[:-1]:
            try:
                tally.add(self.pipeline.count(line + b"\n", outside=outside))
            except MemoryError:
                raise
            except Exception:
                log.exception("a line of %s bytes could not be counted", len(line))
                tally.fates["unmatched"] += 1
                self.status.not_counted += 1
        return tally

    def _adopt(self, settled: Rewound) -> None:
        """A file was cut or replaced below what was counted: go on from what agrees."""
        known = self.positions.rewind(settled)
        log.warning(
            "log %s is not what it was: reading on from byte %s", known.name, known.position
        )

    def _release(self, identity: bytes) -> None:
        """A log is gone and read: of one without a line that counts, only the sums are kept."""
        log_file = self.positions.close(identity)
        if log_file is not None and not log_file.fates["counted"]:
            self._gone.add(identity)

    def _lose(self, lost: Lost) -> None:
        self.losses.add(lost)
        self._mark_dirty()

    def _mark_dirty(self) -> None:
        if self._dirty_at is None:
            self._dirty_at = self.status.unsaved_since = clock.monotonic()

    def tick(self, tick: Tick) -> None:
        """A minute has passed, or the clock was set."""
        self.status.beat_at = clock.monotonic()
        if tick.step:
            self._clock_was_set(tick)
        else:
            self.status.steady_seconds += round(tick.elapsed)
        self.status.backup_age += round(tick.elapsed)
        hour = hour_of(tick.at)
        if hour != self.running_hour:
            self.running_hour = hour
            self._dirty_uptime_at = self._dirty_uptime_at or clock.monotonic()
            if self.save(at=tick.at):  # what was running becomes records
                self._tidy(tick.at)
        if tick.on:
            self.tally.tick(tick.at)
            self._dirty_uptime_at = self._dirty_uptime_at or clock.monotonic()
        self.reload_packages()
        self.save_if_due()

    def _clock_was_set(self, tick: Tick) -> None:
        """Save under the old time before anything of the new one is counted."""
        log.warning("the clock was set by %+d seconds", tick.step)
        self.save(at=tick.at - tick.step)
        self.status.steps.append((tick.at, tick.step))
        self.status.clock_trusted = clock_is_trusted()
        if abs(tick.step) > JUMP_SECONDS:
            self.status.steady_seconds = 0
        try:
            self.store.add_clock_epoch(boot_id(), tick.at, tick.step, self.status.clock_trusted)
        except MetricsError as error:
            log.warning("%s", error.message)

    def _tidy(self, now: int) -> None:
        """The day's work on the database."""
        for identity in self.housekeeping.tidy(now, self._present()):
            self.positions.log_files.pop(identity, None)

    # Saving

    def save_if_due(self) -> None:
        """Commit when it is time to; also called when nothing comes any more."""
        if self.due_in() <= 0:
            self.save(at=clock.now())

    def due_in(self) -> float:
        """Seconds until the next commit; infinite when there is nothing to save."""
        now = clock.monotonic()
        dirty, uptime = self._dirty_at, self._dirty_uptime_at
        due = math.inf
        if dirty is not None:
            soon = self._bytes >= SAVE_BYTES or self._rotated
            # The first save of a life comes early: killed again and again, it gets further.
            patience = SAVE_SECONDS - 1 if self.status.saves else SAVE_PAUSE_SECONDS
            due = 0.0 if soon else dirty + patience - now
        if uptime is not None:
            due = min(due, uptime + SAVE_UPTIME_SECONDS - 1 - now)
        return max(due, self._saved_at + self._pause - now)

    def save(self, *, at: int, last: bool = False) -> bool:
        """Commit everything of this instant; on failure everything is kept for the next try."""
        if self._dirty_at is None and self._dirty_uptime_at is None and not last:
            return True
        if self.folder and self.ready:
            self.folder.sync()
        meta: dict[str, Any] = {
            "saved_at": at,
            "steady_seconds": self.status.steady_seconds,
            "backup_age": self.status.backup_age,
            "clean": int(last and self.ready),
            **self.losses.facts(self.folder if self.ready else None, self.positions.log_files),
        }
        moved = list(self.positions.moved.values())
        folded = self._to_fold()
        self._saved_at = clock.monotonic()
        try:
            self.store.commit(
                self.tally.states,
                moved,
                running_hour=self.running_hour,
                meta=meta,
                folded=folded,
            )
        except DatabaseDamaged:
            raise
        except MetricsError as error:
            if error.message != self.status.save_problem:
                log.error("%s; it stays in memory", error.message)  # noqa: TRY400 (all is said)
            self.status.save_problem = error.message
            self._pause = RETRY_SECONDS
            return False
        self._pause = SAVE_PAUSE_SECONDS
        self.fates_before += self.tally.fates
        self._note_use()
        self.tally = Tally()
        self.positions.moved.clear()
        for identity in folded:
            self.positions.log_files.pop(identity, None)
            self._gone.discard(identity)
        self._bytes, self._rotated = 0, False
        self._dirty_at = self._dirty_uptime_at = self.status.unsaved_since = None
        self.status.save_problem = ""
        self.status.saved_at, self.status.saved_monotonic = at, clock.monotonic()
        self.status.saves += 1
        self._note_store()
        if len(self.positions.log_files) > KEPT_GENERATIONS + MAX_UNPRUNED:
            self._prune()
        return True

    def _to_fold(self) -> list[bytes]:
        """The logs that can be forgotten: no compressed roll in the folder is one of them."""
        if self.folder is None or not self._gone:
            return list(self._gone)
        packed = self.folder.rolls
        if packed.busy or packed.unreadable:  # what is in these is not known yet
            return []
        return list(self._gone - packed.identities)

    def _prune(self) -> None:
        """Forget the oldest logs: a visitor can make the proxy begin any number of them."""
        try:
            forgotten = self.store.prune(self._present())
        except DatabaseDamaged:
            raise
        except MetricsError as error:
            log.warning("%s", error.message)
            return
        for identity in forgotten:
            self.positions.log_files.pop(identity, None)

    def _present(self) -> list[bytes]:
        """The logs that lie in the folder: they must not be forgotten."""
        if self.folder is None:
            return []
        logs = list(self.folder.open_logs.values())
        present = [log.log_file.id for log in logs if log.log_file]
        return [*present, *self.folder.rolls.identities]

    def _note_use(self) -> None:
        """The newest hour of each package, for the status page."""
        last_seen = dict(self.status.last_seen)
        for hour, indicator_id, dimension in self.tally.states:
            if indicator_id == indicators.total_usage_by_package.id:
                last_seen[dimension] = max(hour, last_seen.get(dimension, 0))
        self.status.last_seen = last_seen

    def _note_store(self) -> None:
        """What the status page says of the database."""
        reader = self.store.reader()
        self.status.timezone = self.store.zone.key
        self.status.notes = [*self.store.notes, *self.store.current_notes()]
        if self.status.collecting_since is None:
            self.status.collecting_since = reader.first_minute()
        self.status.fates = self.fates_before.copy()
        if self.status.last_line_at is None:
            self.status.last_line_at = reader.last_line_at()

    # After damage

    def carry_over(self) -> Tally:
        """Minutes of uptime that are not saved: unlike lines, they cannot be read again."""
        uptime = indicators.uptime.id
        return Tally({key: state for key, state in self.tally.states.items() if key[1] == uptime})

    def take_over(self, tally: Tally) -> None:
        """Count what another one carried over."""
        self.tally.add(tally)
        if tally.states:
            self._dirty_uptime_at = clock.monotonic()
