"""Filebeat as the reader: its events announce what is new and bring the lines.

Each event is compared with the log itself before it is emitted, and a gap is read from the log.
What no event brought within seconds is read from the log too, and a Filebeat that goes on sending
nothing is ended. While it does not run, the built-in reader reads. Both ways end in the same
messages, so the figures are the same, whatever Filebeat does.

When Filebeat ends it is started again at once, then after 10 s; after five ends in ten minutes the
built-in reader takes over, and Filebeat is tried again every ten minutes.
"""

from __future__ import annotations

import logging
import select
from collections import deque
from pathlib import Path
from time import monotonic
from typing import Final

from engine.errors import MetricsError, ReaderUnavailable
from engine.sources.filebeat.logs import is_given_to_filebeat, open_through
from engine.sources.filebeat.process import (
    STOP_SECONDS,
    Event,
    Filebeat,
    find_filebeat,
    require_filebeat,
)
from engine.sources.filebeat.run_folder import choose_place
from engine.sources.lines import BLOCK_BYTES
from engine.sources.log_file import LogFile
from engine.sources.model import Block, Emit, MakeSource, SourceOptions
from engine.sources.requests import Requests
from engine.sources.tail.folder import LogFolder
from engine.sources.tail.listing import FileKey
from engine.sources.tail.open_log import OpenLog
from engine.sources.tail.source import QUIET_LOOK_SECONDS, Tail

EARLY_LOOK_SECONDS: Final = 0.05
"""An event of a log that is not known makes us look at once, but not more often than this."""
PATIENCE_SECONDS: Final = 3.0
"""What has been in a log for so long and Filebeat did not bring, we read ourselves ..."""
EVENT_PATIENCE_SECONDS: Final = 0.1
"""... and where events announce at once what is new, after so long: a line counts within 0.3 s."""
SILENT_SECONDS: Final = 12.0
"""Filebeat has sent nothing for so long since then: it hangs."""
FINGERPRINT_BYTES: Final = 64
"""Shorter logs Filebeat does not read: filebeat.yml."""
MAX_UNPARSED_BYTES: Final = 8 * 1024 * 1024
RESTART_SECONDS: Final = 10.0
FAILURES: Final = 5
FAILURE_WINDOW_SECONDS: Final = 600.0
RETRY_SECONDS: Final = 600.0

log = logging.getLogger("offspot-metrics")


def prepare(options: SourceOptions) -> MakeSource | None:
    """Find the program, and a place for its files. Raises ReaderUnavailable where it is named."""
    find = require_filebeat if options.is_named else find_filebeat
    program = find(options.filebeat)
    if program is None:
        return None
    try:
        place, notes = choose_place(options.run_folders)
    except ReaderUnavailable as error:
        if options.is_named:
            raise
        log.warning("%s; the built-in reader reads the logs", error.message)
        return None
    for note in notes:
        log.warning("%s", note)
    return lambda setup, requests, emit: FilebeatSource(
        LogFolder.of(setup), requests, emit, program, place
    )


class FilebeatSource(Tail):
    """Keeps Filebeat running, and reads what it does not bring."""

    def __init__(
        self, folder: LogFolder, requests: Requests, emit: Emit, program: str, base: Path
    ) -> None:
        super().__init__(folder, requests, emit)
        self.program = program
        self.base = base
        """The folder that its files may be made in."""
        self.filebeat: Filebeat | None = None
        self._ends: deque[float] = deque(maxlen=FAILURES)
        self._start_at = 0.0
        self._waits: dict[FileKey, tuple[int, float]] = {}
        """Position and time at which a log began to wait for an event."""
        self._silent_since: float | None = None

    @property
    def kind(self) -> str:
        """Which reader is at work."""
        return "tail" if self.filebeat is None else "filebeat"

    # Its life

    def begin_turn(self) -> None:
        """Start Filebeat when it is time to; in a crowded folder it is not used."""
        if self.folder.crowded:
            self._stop_filebeat()
            self.state = "fallback"
        elif self.filebeat is None and monotonic() >= self._start_at:
            self._start_filebeat()
        else:
            return
        if self.looked_at:  # before the first look, nothing is known of the logs
            self.report()

    def next_at(self) -> float:
        """When to look, or to start Filebeat."""
        waits = self.filebeat is None and not self.folder.crowded
        return min(self.look_at, self._start_at) if waits else self.look_at

    def _start_filebeat(self) -> None:
        try:
            filebeat = Filebeat(self.program, self.folder.folder, self.folder.pattern, self.base)
        except (MetricsError, OSError) as error:
            self._ended(f"Filebeat cannot be started: {error}")
            return
        self.filebeat = filebeat
        self.poll.register(filebeat.output, select.POLLIN)
        self.poll.register(filebeat.errors, select.POLLIN)
        if self.state != "fallback":  # on trial until it sends something
            self.state = "running"
        self._waits.clear()
        self._silent_since = None

    def _stop_filebeat(self, seconds: float = 0.0) -> int | None:
        filebeat, self.filebeat = self.filebeat, None
        if filebeat is None:
            return None
        for descriptor in (filebeat.output, filebeat.errors):
            try:
                self.poll.unregister(descriptor)
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
        self.look_at = now
        self.report()

    def before_last_look(self) -> None:
        """Ask Filebeat to end while the last lines are read."""
        if self.filebeat is not None:
            self.filebeat.interrupt()

    def end(self) -> None:
        """End Filebeat."""
        self._stop_filebeat(STOP_SECONDS)

    # Its events

    def handle(self, descriptor: int) -> None:
        """Read what Filebeat has written."""
        filebeat = self.filebeat
        if filebeat is None:
            return
        if descriptor == filebeat.output:
            self._read_events(filebeat)
        elif descriptor == filebeat.errors and not filebeat.read_stderr():
            self.poll.unregister(descriptor)

    def _read_events(self, filebeat: Filebeat) -> None:
        events = filebeat.read_events()
        if events is None:
            reason = filebeat.last_stderr_line()
            code = self._stop_filebeat()
            self._ended(f"Filebeat ended (exit {code}){': ' + reason if reason else ''}")
            return
        for event in events:
            if self.requests.stopping:
                return
            self._take(event, filebeat)
        if filebeat.unparsed > MAX_UNPARSED_BYTES:
            self._stop_filebeat()
            self._ended("Filebeat sends what is in no log")
        self.report()

    def _take(self, event: Event, filebeat: Filebeat) -> None:
        """Emit what is new of an event, after a look into the log."""
        if not self.folder.is_plain(Path(event.path).name):
            return  # bytes of a compressed file, which Filebeat takes for lines
        found = self._place(event)
        if found is None and monotonic() - self.looked_at >= EARLY_LOOK_SECONDS:
            self.look(monotonic())
            open_through(self.folder, filebeat.open_files())
            found = self._place(event)
        if found is None:
            filebeat.unparsed += len(event.data)
            return
        filebeat.unparsed = max(0, filebeat.unparsed - len(event.data))
        self._silent_since = None
        if self.state == "fallback":
            self.state = "running"
        self._emit_event(event, *found)

    def _emit_event(self, event: Event, open_log: OpenLog, log_file: LogFile) -> None:
        cursor = self.folder.cursor
        if event.offset > log_file.position:  # something was not brought
            self.repairs += 1
            self.emit_all(cursor.read_log(open_log, until=event.offset))
        known = log_file.position - event.offset
        if len(event.data) > BLOCK_BYTES:  # a line may be longer than what is kept of one
            self.emit_all(cursor.read_log(open_log, until=event.offset + len(event.data)))
        elif 0 <= known < len(event.data):
            data = event.data[known:]
            block = Block(log_file.position, data, len(data), data)
            self.emit_all([cursor.advance(log_file, open_log.name, block)])

    def _place(self, event: Event) -> tuple[OpenLog, LogFile] | None:
        """The log that has an event's bytes at its offset; the named one is compared first."""
        name = Path(event.path).name
        for open_log in sorted(self.folder.open_logs.values(), key=lambda log: log.name != name):
            if open_log.read_at(event.offset, len(event.data)) == event.data:
                self.emit_all(self.folder.cursor.identify(open_log))
                if open_log.log_file is not None:
                    return open_log, open_log.log_file
        return None

    # What it did not bring

    def read_new(self) -> None:
        """Read what no event brought in time, and end a Filebeat that sends nothing at all."""
        if self.filebeat is None:
            super().read_new()
            return
        now = monotonic()
        waits: dict[FileKey, tuple[int, float]] = {}
        for open_log in list(self.folder.open_logs.values()):
            self.emit_all(self.folder.cursor.identify(open_log))
            if not open_log.behind:
                continue
            if not is_given_to_filebeat(open_log.name, self.folder.pattern):
                self.emit_all(self.folder.cursor.read_log(open_log))
                continue
            since = self._read_late(open_log, now)
            if open_log.behind:
                waits[open_log.key] = (open_log.position, since)
        self._waits = waits
        if self._silent_since is not None and now - self._silent_since >= SILENT_SECONDS:
            self._stop_filebeat()
            self._ended("Filebeat does not report new lines")

    def _read_late(self, open_log: OpenLog, now: float) -> float:
        """Read a log when Filebeat has had its time; since when it waits."""
        position, since = self._waits.get(open_log.key, (-1, now))
        if position != open_log.position:
            since = now
        patience = EVENT_PATIENCE_SECONDS if self.watching.is_relied_on else PATIENCE_SECONDS
        if open_log.vanished_at is not None:
            patience = 0.0
        if now - since >= patience and open_log.has_line():
            self.repairs += 1
            self.emit_all(self.folder.cursor.read_log(open_log))
            since = now
            if open_log.size >= FINGERPRINT_BYTES and self._silent_since is None:
                self._silent_since = now
        return since

    @property
    def has_deadlines(self) -> bool:
        """Whether something is to be seen to within seconds though nothing happens."""
        return super().has_deadlines or self._silent_since is not None

    def pause_when_quiet(self) -> float:
        """A log that waits for an event is looked at soon."""
        now = monotonic()
        if any(now - since < 2 * PATIENCE_SECONDS for _, since in self._waits.values()):
            return self.pause(EVENT_PATIENCE_SECONDS)
        return QUIET_LOOK_SECONDS
