"""What of a log is new: whose content a file has, and from where to read on.

In: held logs, and the generations that are counted. Out: chunks at the position of their
generation, in order, without gaps; what was cut or replaced is said. It mirrors the positions of
what it has handed on, so that a byte is handed on once, whoever brings it. It must not look into
the folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Final

from engine.sources.content import cut_lines, first_line
from engine.sources.formats import HEAD_BYTES, format_of
from engine.sources.held import FileKey, HeldLog
from engine.sources.model import (
    ANCHOR_WINDOW_BYTES,
    Chunk,
    Generation,
    Lost,
    Message,
    Settled,
    generation_id,
)
from engine.sources.tracker import agrees, locate

CHUNK_BYTES: Final = 1024 * 1024
CHECKED_BYTES: Final = 256
"""So much before our place in a log is compared before more of it is read."""


class Follower:
    """Follows the logs that are held. Owned by the reader thread."""

    def __init__(self, known: Mapping[bytes, Generation], held: Mapping[FileKey, HeldLog]) -> None:
        self.known = known
        """What is counted. Of another thread: only looked into, for what was not read yet."""
        self.held = held
        self.mirror: dict[bytes, Generation] = {}
        """What was handed on, of the logs that are held."""

    def read_log(self, held: HeldLog, until: int | None = None) -> Iterator[Message]:
        """What is new in one log, up to an offset or to its size at the last look."""
        if held.is_idle:
            return
        yield from self.identify(held)
        generation = held.generation
        end = held.size if until is None else until
        if generation is None or generation.position >= end or not held.has_line(end):
            return
        place = generation.position

        def read(size: int) -> bytes:
            nonlocal place
            data = held.read_at(place, min(size, end - place))
            place += len(data)
            return data

        for chunk in cut_lines(read, generation.position, CHUNK_BYTES):
            yield self.hand_on(generation, held.name, chunk)

    def hand_on(self, generation: Generation, name: str, chunk: Chunk) -> Chunk:
        """A chunk at the position of a generation: note that it is handed on."""
        generation.name = name
        generation.advance(chunk.end, chunk.tail)
        return Chunk(chunk.offset, chunk.data, chunk.length, chunk.tail, generation.id, name)

    def identify(self, held: HeldLog) -> list[Message]:
        """Make sure whose content a log has: the one that we know it to have, or another."""
        generation = held.generation
        if held.is_idle or not held.open():
            return []
        if generation is not None and _continues(held, generation):
            return []
        if generation is not None and held.copied == (held.size, held.modified):
            return []
        held.was_read = True
        line = first_line(held.read_at)
        if line is not None and format_of(line[:HEAD_BYTES]) is not None:
            line = None  # it is no log, as the next look will tell
        first = b"" if line is None else generation_id(line)
        said: list[Message] = []
        if generation is not None and first != held.first:
            said += self._cut_off(held, generation)
        held.first, held.copied, held.searched = first, None, 0
        if line is None:
            held.generation = None
            return said
        before = held.position
        said += self._attach(held, line)
        if generation is held.generation and held.position < before < held.largest:
            # it was cut before it was read
            said.append(Lost(generation.id if generation else b"", held.largest - before))
        held.largest = held.size
        return said

    def _attach(self, held: HeldLog, line: bytes) -> list[Message]:
        """Find out which of the generations with this first line a log is of."""
        known = []
        for variant in count():
            generation = self.generation(generation_id(line, variant))
            if generation is None:
                break
            known.append(generation)
        for generation in known:
            if agrees(generation, held.read_at):
                return self._settle(held, generation)
        common = 0
        for generation in known:
            owner = self._owner(generation, held)
            if owner is None:  # it is the log that was counted, cut or replaced below that
                return self._settle(held, generation)
            common = held.common_with(owner)
            if not held.ends_line(common, held.size):
                held.generation, held.copied = generation, (held.size, held.modified)
                return []
        identity = generation_id(line, len(known))
        held.generation = self.mirror[identity] = Generation(identity, name=held.name)
        if not common:
            return []
        # It begins like a log that is read there, and goes on in another way.
        begin = max(0, common - ANCHOR_WINDOW_BYTES)
        held.generation.advance(common, held.read_at(begin, common - begin))
        return [Settled(held.generation.copy())]

    def _settle(self, held: HeldLog, generation: Generation) -> list[Message]:
        held.generation = self.mirror[generation.id] = generation
        before = generation.position
        if locate(generation, held.read_at) == before:
            return []
        return [Settled(generation.copy())]

    def generation(self, identity: bytes) -> Generation | None:
        """What was handed on of a generation, else what is counted of it."""
        mirrored = self.mirror.get(identity)
        if mirrored is not None:
            return mirrored
        counted = self.known.get(identity)
        if counted is None:
            return None
        found = counted.copy()
        if found.anchors:  # copied while it moved: of the two places the older one is safe
            found.position = found.anchors[-1][0]
        return found

    def _owner(self, generation: Generation, but: HeldLog) -> HeldLog | None:
        """Another log that has the content of a generation, up to the position."""
        for other in self.held.values():
            if other is but or self._first(other) != but.first:
                continue
            if agrees(generation, other.read_at):
                return other
        return None

    @staticmethod
    def _first(held: HeldLog) -> bytes:
        line = None if held.first else first_line(held.read_at)
        return held.first if line is None else generation_id(line)

    def is_held(self, identity: bytes) -> bool:
        """Whether a log that is held is of this generation."""
        return any(o.generation and o.generation.id == identity for o in self.held.values())

    def _cut_off(self, held: HeldLog, generation: Generation) -> list[Message]:
        """The content of a log was replaced: unless it was copied elsewhere, its end is lost."""
        if any(o is not held and self._first(o) == held.first for o in self.held.values()):
            return []
        self.mirror.pop(generation.id, None)
        return [Lost(generation.id, max(0, held.largest - generation.position), at_least=True)]


def _continues(held: HeldLog, generation: Generation) -> bool:
    """Whether a log still has, before our place in it, what it had."""
    known = generation.tail[-CHECKED_BYTES:]
    begin = generation.position - len(known)
    return bool(known) and held.read_at(begin, len(known)) == known
