"""The main thread's work: messages of a source and ticks into states.

It owns the pipeline, the positions and the writing connection; nothing here is shared but
`ServiceStatus`, which others only read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from engine import indicators
from engine.errors import Busy, MetricsError, StorageError
from engine.packages import Packages
from engine.pipeline import Pipeline, Tally
from engine.runtime import clock
from engine.runtime.evidence import NewestLines
from engine.runtime.packages_file import PackagesFile
from engine.runtime.saving import Saving
from engine.runtime.service_status import ServiceStatus
from engine.runtime.ticker import JUMP_SECONDS, Tick, boot_id
from engine.sources.model import Block, Gone, Look, Lost, Message, Rewound
from engine.store.store import Store
from engine.text import clock_step
from engine.times import hour_of

FAR_SECONDS: Final = 31 * 24 * 3600
"""More between a stop and the next start is taken for a wrong clock, not for a holiday."""

log = logging.getLogger("offspot-metrics")


class CountingLoop(Saving):
    """Counts, and saves when it is time to. Owned by the main thread."""

    def __init__(
        self,
        store: Store,
        status: ServiceStatus,
        packages_path: Path,
        packages_read: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(store, status)
        self.packages = PackagesFile(packages_path, store, packages_read)
        self.pipeline = Pipeline(Packages())
        status.steady_seconds = int(store.get("steady_seconds", 0))
        status.backup_age = int(store.get("backup_age", 0))
        status.steps.extend(store.clock_steps())
        status.last_seen = store.reader().last_hours(clock.now())

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
        self._check_synchronised()
        if boot != self.store.get("boot_id") or step:
            try:
                self.store.add_clock_epoch(boot, now, step, self.status.clock_trusted)
                self.store.put("boot_id", boot)
            except (StorageError, Busy) as error:
                log.warning("%s", error.message)
        if self.store.get("clean", 0):
            with suppress(StorageError, Busy):
                self.store.put("clean", 0)  # until the next graceful stop
        self.running_hour = hour_of(now)
        self.note_store()
        self.note_silence(now)

    def use_packages(self, packages: Packages) -> None:
        """Count by these packages from now on."""
        self.packages.used = True
        if packages != self.pipeline.packages:
            self.status.newest = NewestLines()
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
        """Count what a source emits, and note what it saw."""
        self.status.beat_at = clock.monotonic()
        if isinstance(message, Block):
            self._count(message)
        elif isinstance(message, Rewound):
            self._rewind(message)
        elif isinstance(message, Gone):
            self._release(message.log_id)
        elif isinstance(message, Look):
            self.look = self.status.look = message
        else:
            self._lose(message)
        self.save_if_due()

    def _count(self, block: Block) -> None:
        log_file = self.positions.log_files.get(block.log_id)
        if log_file is None or not log_file.position:
            self.schedule.rotated = True
        log_file = self.positions.get_of(block)
        self._gone.discard(block.log_id)
        if gap := self.positions.skip_gap(log_file, block):  # readers fill those that they can
            self._lose(Lost(log_file.id, gap))
        before = log_file.position
        tally = self.positions.take(log_file, block, self._count_lines)
        if tally is None:
            return
        self.tally.add(tally)
        self.status.newest = self.status.newest.add(block.data, tally)
        self._mark_unsaved(log_file.position - before)
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

    def _rewind(self, rewound: Rewound) -> None:
        """A file was cut or replaced below what was counted: go on from what agrees."""
        known = self.positions.rewind(rewound)
        log.warning(
            "log %s is not what it was: reading on from byte %s", known.name, known.position
        )

    def _release(self, log_id: bytes) -> None:
        """A log is gone and read: of one without a line that counts, only the sums are kept."""
        log_file = self.positions.close(log_id)
        if log_file is not None and not log_file.fates["counted"]:
            self._gone.add(log_id)

    def _lose(self, lost: Lost) -> None:
        self.losses.add(lost)
        self._mark_unsaved()

    def _mark_unsaved(self, size: int = 0) -> None:
        self.schedule.add(size)
        self.status.unsaved_since = self.schedule.unsaved_since

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
            self.schedule.add_uptime()
            if self.save(at=tick.at):  # what was running becomes records
                self._tidy(tick.at)
                self.note_silence(tick.at)
        if tick.on:
            self.tally.tick(tick.at)
            self.schedule.add_uptime()
        self.reload_packages()
        self.save_if_due()

    def _clock_was_set(self, tick: Tick) -> None:
        """Save under the old time before anything of the new one is counted."""
        log.warning("the clock was set %s (%+d seconds)", clock_step(tick.step), tick.step)
        self.save(at=tick.at - tick.step)
        self.status.steps.append((tick.at, tick.step))
        self._check_synchronised()
        if abs(tick.step) > JUMP_SECONDS:
            self.status.steady_seconds = 0
        try:
            self.store.add_clock_epoch(boot_id(), tick.at, tick.step, self.status.clock_trusted)
        except MetricsError as error:
            log.warning("%s", error.message)

    def _tidy(self, now: int) -> None:
        """The day's work on the database."""
        self._forget(self.housekeeping.tidy(now, self._present()))

    # After damage

    def carry_over(self) -> Tally:
        """Minutes of uptime that are not saved: unlike lines, they cannot be read again."""
        uptime = indicators.uptime.id
        return Tally({key: state for key, state in self.tally.states.items() if key[1] == uptime})

    def take_over(self, tally: Tally) -> None:
        """Count what another one carried over."""
        self.tally.add(tally)
        if tally.states:
            self.schedule.add_uptime()
