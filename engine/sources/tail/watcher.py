"""The watch of the log folder at work: a thread that opens logs, and wake-ups of the reader.

The thread opens each log at the event that announces it: a roll may be deleted some ten
milliseconds after it was begun, and the reader may wait for counting meanwhile.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from engine.sources.tail.folder import LogFolder
from engine.sources.tail.watch import Watch
from engine.wakeup import WakeUp

JOIN_SECONDS: Final = 1.0
URGENT: Final = -10
"""The thread's niceness."""

MAX_UNANNOUNCED: Final = 2
"""After so many changes in a row that no event announced, events are not relied on any more."""

log = logging.getLogger("offspot-metrics")


class Watcher:
    """One thread for one watch. Owned by the reader thread."""

    def __init__(self, watch: Watch, wake: Callable[[], None]) -> None:
        self.watch = watch
        self.wake = wake
        self._stop = WakeUp()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with suppress(OSError):  # where it is allowed: it does next to nothing, at once
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), URGENT)
        poll = select.poll()
        poll.register(self.watch.name_events.fileno(), select.POLLIN)
        poll.register(self._stop, select.POLLIN)
        try:
            while self.watch.alive:
                if any(descriptor == self._stop.fileno() for descriptor, _ in poll.poll()):
                    return
                if self.watch.take():
                    self.wake()
        except Exception:
            log.exception("the log folder cannot be watched any more: it is looked into instead")
            self.watch.alive = False
            self.wake()

    def stop(self) -> None:
        """End the thread, and close the watch."""
        self._stop.set()
        self._thread.join(JOIN_SECONDS)
        self.watch.close()
        self._stop.close()


class Watching:
    """The watch of a folder, where the system offers one. Owned by the reader thread."""

    def __init__(self, folder: LogFolder, poll: select.poll, wake: Callable[[], None]) -> None:
        self.folder = folder
        self._poll = poll
        self._wake = wake
        self._watcher: Watcher | None = None
        self._problem = ""
        """Why the folder is not watched."""
        self._announced = True
        """An event has come since the last look."""
        self._unannounced = 0

    @property
    def descriptor(self) -> int:
        """Readable when something has changed; -1 when nothing is watched."""
        return self._watcher.watch.changes.fileno() if self._watcher else -1

    @property
    def is_relied_on(self) -> bool:
        """Whether nothing changes without an event."""
        watch = self.folder.watch
        return watch is not None and watch.trusted and self._unannounced < MAX_UNANNOUNCED

    def announced(self) -> None:
        """An event has come: no further one is waited for until `listen`."""
        self._announced = True
        if self._watcher is not None:
            self._poll.modify(self.descriptor, 0)

    def drain(self) -> None:
        """What is announced now will be seen by the look that follows."""
        if self._watcher is not None:
            self._watcher.watch.drain()

    def listen(self, *, found_something: bool) -> None:
        """Wait for events again, after a look that has found something new, or has not."""
        missed = found_something and not self._announced
        self._unannounced = self._unannounced + 1 if missed else 0
        self._announced = False
        if self._watcher is not None:
            self._poll.modify(self.descriptor, select.POLLIN)

    def ensure(self) -> None:
        """Watch the folder that the path leads to now, if the system can."""
        if self._watcher is not None:
            if self._watcher.watch.is_of_the_folder:
                return
            self.end()
        try:
            watch = Watch(self.folder.folder, self.folder.pattern, self.folder.room)
        except OSError as error:
            self._warn(error.strerror or str(error))
            return
        self.folder.watch, self._problem = watch, ""
        self._watcher = Watcher(watch, self._wake)
        self._poll.register(self.descriptor, select.POLLIN)

    def _warn(self, reason: str) -> None:
        if reason != self._problem and os.path.isdir(self.folder.folder):  # noqa: PTH112 (any name)
            self._problem = reason
            log.warning(
                "log folder %s cannot be watched (%s): it is looked into every second; if that is "
                "a limit of the system, raise fs.inotify.max_user_instances",
                self.folder.folder,
                reason,
            )

    def end(self) -> None:
        """Watch nothing any more."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            self._poll.unregister(watcher.watch.changes.fileno())
            watcher.stop()
            self.folder.watch = None
