"""Where to read on in a file: its content is compared with the anchors of what was counted."""

from __future__ import annotations

from collections.abc import Callable

from engine.sources.content import Content, Steps, result_of, skipping
from engine.sources.model import (
    ANCHOR_WINDOW_BYTES,
    Anchor,
    Generation,
    window_hash,
)

ReadAt = Callable[[int, int], bytes]


def settle(generation: Generation, anchor: Anchor | None, tail: bytes) -> int:
    """Make the position the newest anchor that a file agrees with. The offset to read on from.

    When that is not where we stopped, the file was cut or replaced below the position: what lies
    between is counted only where it is later, or earlier, than all that was counted.
    """
    offset = anchor[0] if anchor else 0
    if offset < generation.position:
        generation.doubt_until = max(generation.doubt_until, generation.position)
        generation.doubt_after = max(generation.doubt_after, generation.last_at or 0)
        generation.doubt_before = generation.first_at
        generation.anchors = [kept for kept in generation.anchors if kept[0] <= offset]
        generation.stops = {stop for stop in generation.stops if stop <= offset}
        generation.position = offset
    generation.tail = tail
    return offset


def agrees(generation: Generation, read_at: ReadAt, base: int = 0) -> bool:
    """Whether a file has, below the position, the content that was counted."""
    if not generation.anchors:
        return True
    return _matches(generation.anchors[-1], read_at, base) is not None


def locate(generation: Generation, read_at: ReadAt, base: int = 0) -> int:
    """Where to read on in a file whose content from `base` on is of this generation."""
    for anchor in reversed(generation.anchors):
        content = _matches(anchor, read_at, base)
        if content is not None:
            return settle(generation, anchor, content)
    return settle(generation, None, b"")


def _matches(anchor: Anchor, read_at: ReadAt, base: int) -> bytes | None:
    begin, size = _window(anchor[0])
    content = read_at(base + begin, size)
    return content if len(content) == size and window_hash(content) == anchor[1] else None


def _window(offset: int) -> tuple[int, int]:
    begin = max(0, offset - ANCHOR_WINDOW_BYTES)
    return begin, offset - begin


def locate_in_stream(generation: Generation, content: Content) -> tuple[int, bool]:
    """The same for a content that is only read forward; `go_to` must follow.

    With it, whether the content ended before anything in it was found to differ: then it is a
    shorter copy, the generation is left as it is, and there is nothing to read on, unless from
    the newest stop, where the offset is.
    """
    return result_of(locating(generation, content))


def locating(generation: Generation, content: Content) -> Steps[tuple[int, bool]]:
    """The same in steps."""
    best: Anchor | None = None
    tail = b""
    place = 0
    for anchor in generation.anchors:
        begin, size = _window(anchor[0])
        if begin < place:  # windows overlap: what is missing is in the tail
            window = tail[begin - place :]
        else:
            place += yield from skipping(content, begin - place)
            window = b""
        while len(window) < size and (data := content.pull(size - len(window))) != b"":
            window += data or b""
            place += len(data or b"")
            yield
        if len(window) != size:
            return best[0] if best and best[0] in generation.stops else generation.position, True
        if window_hash(window) != anchor[1]:
            break
        best, tail = anchor, window
    return settle(generation, best, tail), False
