"""The reader thread: what is new in the logs goes into the inbox, in order and without gaps.

In: a log folder and, where there is one, Filebeat. Out: messages (`engine.sources.model`).

With Filebeat, its events say what is new and bring the lines; each is held against the log itself
before it is handed on, and a gap is read from the log. What no event brought within seconds is
read from the log too, and a Filebeat that goes on saying nothing is ended. Without Filebeat, or
while it does not run, the logs are read at each look. Both ways end in the same messages, so the
figures are the same, whatever Filebeat does.

When to look is told by events of the folder (`engine.sources.tail.watch`); where there are none, as
on network file systems, the folder is looked into every second.

State machine of Filebeat: run -> (ended) -> run again at once, then after 10 s; after five ends
in ten minutes the built-in reader takes over, and Filebeat is tried again every ten minutes.
"""

from __future__ import annotations

import logging
import os
import select
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from engine.errors import MetricsError
from engine.runtime.clock import monotonic
from engine.sources.filebeat.process import STOP_SECONDS, Event, Filebeat
from engine.sources.model import Block, LogFile, Message
from engine.sources.tail.cursor import BLOCK_BYTES
from engine.sources.tail.folder import LogFolder
from engine.sources.tail.listing import FileKey
from engine.sources.tail.open_log import OpenLog
from engine.sources.tail.watcher import Watching

LOOK_SECONDS: Final = 1.0
BUSY_LOOK_SECONDS: Final = 0.15
"""While lines come, looks are closer: the proxy may roll its log at any moment."""
QUIET_LOOK_SECONDS: Final = 10.0
"""Where events say when there is something to see, and nothing has happened."""
EARLY_LOOK_SECONDS: Final = 0.05
"""An event of a log that is not known makes us look at once, but not more often than this."""
PATIENCE_SECONDS: Final = 3.0
"""What has been in a log for so long and Filebeat did not bring, we read ourselves ..."""
EVENT_PATIENCE_SECONDS: Final = 0.1
"""... and where events tell at once what is new, after so long: a line counts within 0.3 s."""
SILENT_SECONDS: Final = 12.0
"""Filebeat has said nothing for so long since then: it hangs."""
FINGERPRINT_BYTES: Final = 64
"""Shorter logs Filebeat does not read: filebeat.yml."""
MAX_UNPARSED_BYTES: Final = 8 * 1024 * 1024
RESTART_SECONDS: Final = 10.0
FAILURES: Final = 5
FAILURE_WINDOW_SECONDS: Final = 600.0
RETRY_SECONDS: Final = 600.0
LAST_LOOK_SECONDS: Final = 1.0
UNPACK_SECONDS: Final = 0.1
"""A few megabytes may unpack to gigabytes; meanwhile lines come that are new."""

log = logging.getLogger("offspot-metrics")


class Reader:
    """Reads until it is told to stop. `run` is its thread."""

    def __init__(
        self,
        folder: LogFolder,
        emit: Callable[[Message], None],
        *,
        filebeat: str | None,
        base: Path,
    ) -> None:
        self.folder = folder
        self.emit = emit
        self.program = filebeat
        self.base = base
        self.state = "starting"
        self.restarts = 0
        self.repairs = 0
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_out, False)
        os.set_blocking(self._wake_in, False)
        self._stopping = False
        self._moved = False
        self._look_took = 0.0
        self._look_at = self._looked_at = 0.0
        self._filebeat: Filebeat | None = None
        self._poll = select.poll()
        self._poll.register(self._wake_out, select.POLLIN)
        self.watching = Watching(folder, self._poll, self.wake)
        self._ends: deque[float] = deque(maxlen=FAILURES)
        self._start_at = 0.0
        self._waits: dict[FileKey, tuple[int, float]] = {}
        self._silent_since: float | None = None
        self._problems: dict[str, str] = {}
        self._notes: set[str] = set()

    @property
    def kind(self) -> str:
        """Which reader is at work."""
        return "filebeat" if self._filebeat is not None else "tail"

    def stop(self) -> None:
        """Let `run` come to its end; may be called from any thread."""
        self._stopping = True
        self.wake()

    def wake(self) -> None:
        """End a wait; may be called from any thread."""
        with suppress(BlockingIOError):
            os.write(self._wake_in, b"x")

    def run(self) -> None:
        """Read until stopped; then what is in the logs already, and end Filebeat."""
        try:
            while not self._stopping:
                self._ensure_filebeat_running()
                self._wait(max(0.0, self._next_at() - monotonic()))
                if monotonic() >= self._look_at and not self._stopping:
                    self._pass()
            self._last_look()
        finally:
            self.state = "stopped"
            self._end_filebeat(STOP_SECONDS)
            self.folder.sync()
            self.watching.end()
            self.folder.close()

    def _next_at(self) -> float:
        waits = self.program and self._filebeat is None and not self.folder.crowded
        return min(self._look_at, self._start_at) if waits else self._look_at

    def _wait(self, seconds: float) -> None:
        """Until something happens, or time is up."""
        for descriptor, _ in self._poll.poll(seconds * 1000):
            if descriptor == self._wake_out:
                with suppress(BlockingIOError):
                    os.read(self._wake_out, 4096)
                self._hasten()
            elif descriptor == self.watching.descriptor:
                self._hasten()
            elif self._filebeat is None:
                return
            elif descriptor == self._filebeat.output:
                self._read_filebeat(self._filebeat)
            elif descriptor == self._filebeat.errors and not self._filebeat.read_stderr():
                self._poll.unregister(descriptor)

    def _hasten(self) -> None:
        """Something has changed: look soon, and do not be woken by each further change."""
        self._look_at = min(self._look_at, self._looked_at + self._pause(BUSY_LOOK_SECONDS))
        self.watching.announced()

    def _pause(self, seconds: float) -> float:
        """Between looks; more where a look takes long."""
        return max(seconds, 4 * self._look_took)

    def _pass(self) -> None:
        """Look into the folder and read what is for us to read."""
        self.watching.drain()
        self._look(monotonic())
        if self._filebeat is None:
            self._say(self.folder.read_new())
        else:
            self._help()
        self._unpack()
        self._report()
        self._say(self.folder.missed())
        self.watching.listen(found_something=self._moved)
        self._look_at = self._looked_at + self._pause_now()
        self._moved = False

    def _pause_now(self) -> float:
        if self.folder.rolls.busy:
            return self._look_took
        if not self.watching.is_relied_on or self._has_deadlines:
            return self._pause(BUSY_LOOK_SECONDS if self._moved else LOOK_SECONDS)
        if self._waits_for_filebeat:
            return self._pause(EVENT_PATIENCE_SECONDS)
        return QUIET_LOOK_SECONDS

    @property
    def _has_deadlines(self) -> bool:
        """Whether something is to be seen to within seconds though nothing happens."""
        vanished = any(
            open_log.vanished_at is not None for open_log in self.folder.open_logs.values()
        )
        return vanished or bool(self._problems) or self._silent_since is not None

    @property
    def _waits_for_filebeat(self) -> bool:
        now = monotonic()
        return any(now - since < 2 * PATIENCE_SECONDS for _, since in self._waits.values())

    def _unpack(self) -> None:
        """Read compressed rolls for a share of each turn: new lines of plain logs go before."""
        until = monotonic() + UNPACK_SECONDS
        for message in self.folder.rolls.steps():
            if message is not None:
                self.emit(message)
                self._moved = True
            if self._stopping or monotonic() >= until:
                return

    def _look(self, now: float) -> None:
        self.watching.ensure()
        for message in self.folder.look(now):
            self.emit(message)
        self._looked_at = now
        self._look_took = monotonic() - now
        self._report()

    def _report(self) -> None:
        """Log what is wrong with the logs, once."""
        problems = self.folder.problems
        for name in problems.keys() - self._problems.keys():
            log.warning("%s", problems[name])
        if self._problems and not problems:
            log.info("nothing is wrong with the logs any more")
        self._problems = problems
        for note in self.folder.notes - self._notes:
            log.info("%s", note)
        self._notes = self.folder.notes

    def _say(self, messages: Iterable[Message]) -> None:
        """Hand on, and go on looking for new logs however long that takes."""
        for message in messages:
            self.emit(message)
            self._moved = True
            if self._stopping and isinstance(message, Block):
                return
            now = monotonic()
            if now - self._looked_at >= LOOK_SECONDS:
                self._look(now)

    def _last_look(self) -> None:
        """Hand on what has been written, for a bounded time: the rest is read at next start."""
        if self._filebeat is not None:
            self._filebeat.interrupt()
        deadline = monotonic() + LAST_LOOK_SECONDS
        self._look(monotonic())
        for message in self.folder.read_new():
            self.emit(message)
            if monotonic() > deadline:
                return

    # Filebeat: its life

    def _ensure_filebeat_running(self) -> None:
        """Start Filebeat when it is time to."""
        if self.program is None:
            self.state = "running"
        elif self.folder.crowded:
            self._end_filebeat()
            self.state = "fallback"
        elif self._filebeat is None and monotonic() >= self._start_at:
            self._start_filebeat(self.program)

    def _start_filebeat(self, program: str) -> None:
        try:
            filebeat = Filebeat(program, self.folder.folder, self.folder.pattern, self.base)
        except (MetricsError, OSError) as error:
            self._ended(f"Filebeat cannot be started: {error}")
            return
        self._filebeat = filebeat
        self._poll.register(filebeat.output, select.POLLIN)
        self._poll.register(filebeat.errors, select.POLLIN)
        if self.state != "fallback":  # on trial until it says something
            self.state = "running"
        self._waits.clear()
        self._silent_since = None

    def _end_filebeat(self, seconds: float = 0.0) -> int | None:
        filebeat, self._filebeat = self._filebeat, None
        if filebeat is None:
            return None
        for descriptor in (filebeat.output, filebeat.errors):
            try:
                self._poll.unregister(descriptor)
            except KeyError:
                continue
        return filebeat.stop(seconds)

    def _ended(self, reason: str) -> None:
        """Filebeat is not running: when to try again, and who reads until then."""
        now = monotonic()
        self.restarts += 1
        self._ends.append(now)
        recent = sum(now - at < FAILURE_WINDOW_SECONDS for at in self._ends)
        if self.state == "fallback" or recent >= FAILURES:
            self._start_at = now + RETRY_SECONDS
            self.state = "fallback"
            log.warning("%s; the built-in reader takes over for now", reason)
        else:
            self._start_at = now + (RESTART_SECONDS if recent > 1 else 0.0)
            self.state = "restarting"
            log.warning("%s; it is started again", reason)
        self._look_at = now

    # Filebeat: what it says

    def _read_filebeat(self, filebeat: Filebeat) -> None:
        events = filebeat.read_events()
        if events is None:
            reason = filebeat.last_stderr_line()
            code = self._end_filebeat()
            self._ended(f"Filebeat ended (exit {code}){': ' + reason if reason else ''}")
            return
        for event in events:
            if self._stopping:
                return
            self._take(event, filebeat)
        if filebeat.unparsed > MAX_UNPARSED_BYTES:
            self._end_filebeat()
            self._ended("Filebeat says what is in no log")

    def _take(self, event: Event, filebeat: Filebeat) -> None:
        """Hand on what is new of an event, after a look into the log."""
        if not self.folder.is_plain(Path(event.path).name):
            return  # bytes of a compressed file, which Filebeat takes for lines
        found = self._place(event)
        if found is None and monotonic() - self._looked_at >= EARLY_LOOK_SECONDS:
            self._look(monotonic())
            self.folder.open_through(filebeat.open_files())
            found = self._place(event)
        if found is None:
            filebeat.unparsed += len(event.data)
            return
        filebeat.unparsed = max(0, filebeat.unparsed - len(event.data))
        self._silent_since = None
        if self.state == "fallback":
            self.state = "running"
        open_log, log_file = found
        end = event.offset + len(event.data)
        if event.offset > log_file.position:  # something was not brought
            self.repairs += 1
            self._say(self.folder.cursor.read_log(open_log, until=event.offset))
        known = log_file.position - event.offset
        if len(event.data) > BLOCK_BYTES:  # a line may be longer than what is kept of one
            self._say(self.folder.cursor.read_log(open_log, until=end))
        elif 0 <= known < len(event.data):
            data = event.data[known:]
            block = Block(log_file.position, data, len(data), data)
            self._say([self.folder.cursor.advance(log_file, open_log.name, block)])

    def _place(self, event: Event) -> tuple[OpenLog, LogFile] | None:
        """The log that has an event's bytes at its offset; the named one is asked first."""
        name = Path(event.path).name
        for open_log in sorted(
            self.folder.open_logs.values(), key=lambda open_log: open_log.name != name
        ):
            if open_log.read_at(event.offset, len(event.data)) == event.data:
                self._say(self.folder.cursor.identify(open_log))
                if open_log.log_file is not None:
                    return open_log, open_log.log_file
        return None

    def _help(self) -> None:
        """Read what no event brought in time, and end a Filebeat that says nothing at all."""
        now = monotonic()
        waits: dict[FileKey, tuple[int, float]] = {}
        patience = EVENT_PATIENCE_SECONDS if self.watching.is_relied_on else PATIENCE_SECONDS
        for open_log in list(self.folder.open_logs.values()):
            self._say(self.folder.cursor.identify(open_log))
            if not open_log.behind:
                continue
            position, since = self._waits.get(open_log.key, (-1, now))
            if not self.folder.is_given_to_filebeat(open_log.name):
                self._say(self.folder.cursor.read_log(open_log))
                continue
            if position != open_log.position:
                since = now
            if (
                now - since >= (patience if open_log.vanished_at is None else 0.0)
                and open_log.has_line()
            ):
                self.repairs += 1
                self._say(self.folder.cursor.read_log(open_log))
                since = now
                if open_log.size >= FINGERPRINT_BYTES and self._silent_since is None:
                    self._silent_since = now
            if open_log.behind:
                waits[open_log.key] = (open_log.position, since)
        self._waits = waits
        if self._silent_since is not None and now - self._silent_since >= SILENT_SECONDS:
            self._end_filebeat()
            self._ended("Filebeat says nothing of new lines")
