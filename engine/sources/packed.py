"""Rolls that the proxy has compressed: what of them was not read before they were.

In: what a look into the folder found, and what was handed on of each generation. Out: chunks at
the position, as from any log. Each is unpacked once, and again when it has changed: one that the
proxy is still writing is read as far as it goes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from engine.errors import MetricsError
from engine.sources.content import cut_lines, open_content
from engine.sources.follow import CHUNK_BYTES, Follower
from engine.sources.held import FileKey, Found
from engine.sources.model import Generation, Lost, Message, Settled, generation_id
from engine.sources.tracker import locate_in_stream


class PackedLogs:
    """The compressed rolls of one folder. Owned by the reader thread."""

    def __init__(self, folder: Path, follower: Follower) -> None:
        self.folder = folder
        self.follower = follower
        self.waiting: deque[Found] = deque()
        """New, or changed since they were read."""
        self.seen: dict[FileKey, tuple[tuple[int, int], bytes]] = {}
        """(size, time of change) when it was read, and its generation."""
        self.problems: dict[str, str] = {}

    def note(self, packed: list[Found]) -> None:
        """See which there are now."""
        keys = {found.key for found in packed}
        self.seen = {key: seen for key, seen in self.seen.items() if key in keys}
        names = {found.name for found in packed}
        self.problems = {n: p for n, p in self.problems.items() if n in names}
        waiting = {found.key for found in self.waiting}
        for found in packed:
            seen = self.seen.get(found.key)
            if found.key not in waiting and (
                seen is None or seen[0] != (found.size, found.modified)
            ):
                self.waiting.append(found)

    def read_next(self) -> Iterator[Message]:
        """New lines of the next compressed roll; one that is half written is read again later."""
        if not self.waiting:
            return
        found = self.waiting.popleft()
        self.problems.pop(found.name, None)
        try:
            content = open_content(str(self.folder / found.name))
        except MetricsError as error:  # looked at again at the next look
            self.problems[found.name] = error.message
            return
        try:
            line = content.peek_line()
            identity = b"" if line is None else generation_id(line)
            self.seen[found.key] = ((found.size, found.modified), identity)
            if line is None:
                return
            generation = self.follower.generation(identity) or Generation(identity, name=found.name)
            trial = generation.copy()
            if trial.position:
                begin, shorter = locate_in_stream(trial, content)
                if shorter or (begin != generation.position and self.follower.is_held(identity)):
                    return
                if begin != generation.position:
                    yield Settled(trial.copy())
                content.go_to(begin)
            if self.follower.is_held(identity):
                self.follower.mirror[identity] = generation
                trial = generation
            for chunk in cut_lines(content.read, trial.position, CHUNK_BYTES):
                yield self.follower.hand_on(trial, found.name, chunk)
            if content.damage and not self.follower.is_held(identity):
                self.problems[found.name] = f"log {found.name}: {content.damage}"
                yield Lost(identity, 0, at_least=True)
        finally:
            content.close()
