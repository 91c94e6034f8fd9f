"""The logs while no packages file can be used: they wait in the folder, and no reader runs.

What the proxy deletes meanwhile is lost, and is reported as that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from engine.errors import MetricsError
from engine.sources.files import open_content
from engine.sources.log_file import LogFile, log_file_id
from engine.sources.model import Lost
from engine.sources.tail.listing import FileKey, Found, list_logs


class _Waiting(NamedTuple):
    """A log in the folder; `size` is 0 where it is compressed, as its content is not measured."""

    log_id: bytes
    name: str
    size: int


class WaitingLogs:
    """The folder as it was at the last look. Owned by the main thread."""

    def __init__(self, folder: Path, pattern: str) -> None:
        self.folder = folder
        self.pattern = pattern
        self._seen: dict[FileKey, _Waiting] = {}

    @property
    def are_known(self) -> bool:
        """Whether there was a look at logs that are still to be read."""
        return bool(self._seen)

    def forget(self) -> None:
        """Forget what was seen: a reader has begun."""
        self._seen = {}

    def look(
        self, counted: Mapping[bytes, LogFile], unfinished: Collection[bytes]
    ) -> Iterator[Lost]:
        """What is gone since the last look and was not counted to its end.

        Logs that an earlier start had not finished are left to the reader, which reports them.
        """
        try:
            listing = list_logs(self.folder, self.pattern)
        except OSError:  # it cannot be listed now: nothing is known to be gone
            return
        before = self._seen
        self._seen = {found.key: self._note(found) for found in listing.logs}
        self._seen |= {found.key: self._note(found, plain=False) for found in listing.rolls}
        present = {log.log_id for log in self._seen.values()} | set(unfinished)
        for key, log in before.items():
            known = counted.get(log.log_id)
            unread = log.size - known.position if known else log.size
            is_done = known is not None and unread <= 0
            if key not in self._seen and log.log_id not in present and not is_done:
                yield Lost(log.log_id, unread, at_least=True, name=log.name)

    def _note(self, found: Found, *, plain: bool = True) -> _Waiting:
        size = found.size if plain else 0
        before = self._seen.get(found.key)
        if before is not None and before.log_id:
            return _Waiting(before.log_id, found.name, size)
        line: bytes | None = None
        with (
            suppress(MetricsError, OSError),
            closing(open_content(str(self.folder / found.name))) as log,
        ):
            line = log.peek_line()
        return _Waiting(log_file_id(line) if line else b"", found.name, size)
