"""The built-in reader: what is new in the logs of a folder, in order and without gaps.

Events of the folder decide when to look (`watch.py`); where there are none, as on network file
systems, the folder is looked into every second.
"""

from __future__ import annotations

import logging
import select
from collections.abc import Iterable
from dataclasses import replace
from time import monotonic
from typing import Final

from engine.sources.model import Block, Emit, Look, MakeSource, Message, SourceOptions
from engine.sources.refusals import refusal
from engine.sources.requests import Requests
from engine.sources.tail.folder import LogFolder
from engine.sources.tail.seen import seen
from engine.sources.tail.watcher import Watching

LOOK_SECONDS: Final = 1.0
BUSY_LOOK_SECONDS: Final = 0.15
"""While lines come, looks are closer: the proxy may roll its log at any moment."""
QUIET_LOOK_SECONDS: Final = 10.0
"""Where events announce every change, and nothing has happened."""
LAST_LOOK_SECONDS: Final = 1.0
UNPACK_SECONDS: Final = 0.1
"""A few megabytes may unpack to gigabytes; meanwhile lines come that are new."""

log = logging.getLogger("offspot-metrics")


def prepare(_options: SourceOptions) -> MakeSource:
    """The built-in reader can always be used."""
    return lambda setup, requests, emit: Tail(LogFolder.of(setup), requests, emit)


class Tail:
    """Reads until it is requested to stop. `run` is its thread."""

    def __init__(self, folder: LogFolder, requests: Requests, emit: Emit) -> None:
        self.folder = folder
        self.requests = requests
        self.emit = emit
        self.state = "starting"
        self.restarts = 0
        self.repairs = 0
        self.moved = False
        """Whether this turn has found something new."""
        self.look_at = self.looked_at = 0.0
        self._look_took = 0.0
        self.poll = select.poll()
        self.poll.register(requests.wake_up, select.POLLIN)
        self.watching = Watching(folder, self.poll, requests.wake_up.set)
        self._problems: dict[str, str] = {}
        self._notes: set[str] = set()
        self._reported = Look()
        self._known: set[bytes] = set()
        """The logs of the last look that was reported ..."""
        self._opened = 0
        """... and how often logs had been opened by then."""

    def run(self) -> None:
        """Read until stopped; then what is in the logs already."""
        try:
            while not self.requests.stopping:
                self.begin_turn()
                self._wait(max(0.0, self.next_at() - monotonic()))
                if monotonic() >= self.look_at and not self.requests.stopping:
                    self.turn()
            self._last_look()
        finally:
            self.state = "stopped"
            self.end()
            self.folder.sync()
            self.watching.end()
            self.folder.close()
            self.report()
            self.requests.wake_up.close()

    # What a source that has help does in other ways

    @property
    def kind(self) -> str:
        """Which reader is at work."""
        return "tail"

    def begin_turn(self) -> None:
        """Before each wait."""
        self.state = "running"

    def next_at(self) -> float:
        """Until when to wait when nothing happens."""
        return self.look_at

    def handle(self, descriptor: int) -> None:
        """Something else than requests and events of the folder can be read."""

    def read_new(self) -> None:
        """Emit what is new in the logs, after a look."""
        self.emit_all(self.folder.read_new())

    def before_last_look(self) -> None:
        """At the end, before the last reading ..."""

    def end(self) -> None:
        """... and after it."""

    def pause_when_quiet(self) -> float:
        """Seconds until the next look, where events announce every change and none has come."""
        return QUIET_LOOK_SECONDS

    @property
    def has_deadlines(self) -> bool:
        """Whether something is to be seen to within seconds though nothing happens."""
        vanished = any(log.vanished_at is not None for log in self.folder.open_logs.values())
        return vanished or bool(self._problems)

    # Turns

    def _wait(self, seconds: float) -> None:
        """Until something happens, or time is up."""
        for descriptor, _ in self.poll.poll(seconds * 1000):
            if descriptor == self.requests.wake_up.fileno():
                self.requests.wake_up.clear()
                self._hasten()
            elif descriptor == self.watching.descriptor:
                self._hasten()
            else:
                self.handle(descriptor)

    def _hasten(self) -> None:
        """Something has changed: look soon, and do not be woken by each further change."""
        self.look_at = min(self.look_at, self.looked_at + self.pause(BUSY_LOOK_SECONDS))
        self.watching.announced()

    def pause(self, seconds: float) -> float:
        """Between looks; more where a look takes long."""
        return max(seconds, 4 * self._look_took)

    def turn(self) -> None:
        """Look into the folder and read what is new."""
        self.watching.drain()
        self.look(monotonic())
        self.read_new()
        self._unpack()
        self._log_problems()
        self.emit_all(self.folder.missed())
        self.watching.listen(found_something=self.moved)
        self.look_at = self.looked_at + self._pause_now()
        self.moved = False
        self.report()

    def _pause_now(self) -> float:
        if self.folder.rolls.busy:
            return self._look_took
        if not self.watching.is_relied_on or self.has_deadlines:
            return self.pause(BUSY_LOOK_SECONDS if self.moved else LOOK_SECONDS)
        return self.pause_when_quiet()

    def _unpack(self) -> None:
        """Read compressed rolls for a share of each turn: new lines of plain logs go before."""
        until = monotonic() + UNPACK_SECONDS
        for message in self.folder.rolls.steps():
            if message is not None:
                self._emit(message)
                self.moved = True
            if self.requests.stopping or monotonic() >= until:
                return

    def look(self, now: float) -> None:
        """See which logs are there."""
        self.watching.ensure()
        self.folder.cursor.forget(self.requests.take_forgotten())
        messages = self.folder.look(now)
        self.looked_at = now
        self._look_took = monotonic() - now
        self.report()  # first: a log that is gone is not forgotten while its roll is there
        for message in messages:
            self._emit(message)
        self._log_problems()

    def _log_problems(self) -> None:
        """Log what is wrong with the logs, once."""
        problems = self.folder.problems
        for name in problems.keys() - self._problems.keys():
            if found := refusal(self.folder.folder / name):
                log.warning("%s (%s): %s", problems[name], found.reason, found.remedy)
            else:
                log.warning("%s", problems[name])
        if self._problems and not problems:
            log.info("nothing is wrong with the logs any more")
        self._problems = problems
        for note in self.folder.notes - self._notes:
            log.info("%s", note)
        self._notes = self.folder.notes

    def _last_look(self) -> None:
        """Emit what has been written, for a bounded time: the rest is read at the next start."""
        self.before_last_look()
        deadline = monotonic() + LAST_LOOK_SECONDS
        self.look(monotonic())
        for message in self.folder.read_new():
            self._emit(message)
            if monotonic() > deadline:
                return

    # Messages

    def emit_all(self, messages: Iterable[Message]) -> None:
        """Emit, and go on looking for new logs however long that takes."""
        for message in messages:
            self._emit(message)
            self.moved = True
            if self.requests.stopping and isinstance(message, Block):
                return
            now = monotonic()
            if now - self.looked_at >= LOOK_SECONDS:
                self.look(now)

    def _emit(self, message: Message) -> None:
        """Emit; before the first block of a log comes the look that shows where it is open."""
        if isinstance(message, Block) and (
            message.log_id not in self._known or self._opened != self.folder.files.opened
        ):
            self.report()
        self.emit(message)

    def report(self) -> None:
        """Emit what is to be seen, when it is not what was reported last."""
        look = replace(
            seen(self.folder),
            kind=self.kind,
            state=self.state,
            restarts=self.restarts,
            repairs=self.repairs,
        )
        self._opened = self.folder.files.opened
        if look != self._reported:
            self._reported = look
            self._known = {log.log_id for log in look.logs} | look.rolls
            self.emit(look)
