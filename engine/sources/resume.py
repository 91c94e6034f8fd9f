"""Where to read on in a file: its content is compared with the anchors of what was counted."""

from __future__ import annotations

from collections.abc import Callable

from engine.sources.content import Content, Steps, result_of, skipping
from engine.sources.log_file import ANCHOR_WINDOW_BYTES, LogFile, window_hash
from engine.sources.model import Anchor

ReadAt = Callable[[int, int], bytes]


def rewind_to(log_file: LogFile, anchor: Anchor | None, tail: bytes) -> int:
    """Make the position the newest anchor that a file agrees with. The offset to read on from.

    When that is not where we stopped, the file was cut or replaced below the position: what lies
    between is counted only where it is later, or earlier, than all that was counted.
    """
    offset = anchor[0] if anchor else 0
    if offset < log_file.position:
        log_file.ambiguous_until = max(log_file.ambiguous_until, log_file.position)
        log_file.ambiguous_after = max(log_file.ambiguous_after, log_file.last_at or 0)
        log_file.ambiguous_before = log_file.first_at
        log_file.anchors = [kept for kept in log_file.anchors if kept[0] <= offset]
        log_file.resume_points = {stop for stop in log_file.resume_points if stop <= offset}
        log_file.position = offset
    log_file.tail = tail
    return offset


def agrees(log_file: LogFile, read_at: ReadAt, base: int = 0) -> bool:
    """Whether a file has, below the position, the content that was counted."""
    if not log_file.anchors:
        return True
    return _matches(log_file.anchors[-1], read_at, base) is not None


def locate(log_file: LogFile, read_at: ReadAt, base: int = 0) -> int:
    """Where to read on in a file whose content from `base` on is this log."""
    for anchor in reversed(log_file.anchors):
        content = _matches(anchor, read_at, base)
        if content is not None:
            return rewind_to(log_file, anchor, content)
    return rewind_to(log_file, None, b"")


def _matches(anchor: Anchor, read_at: ReadAt, base: int) -> bytes | None:
    begin, size = _window(anchor[0])
    content = read_at(base + begin, size)
    return content if window_hash(content) == anchor[1] else None


def _window(offset: int) -> tuple[int, int]:
    begin = max(0, offset - ANCHOR_WINDOW_BYTES)
    return begin, offset - begin


def locate_in_stream(log_file: LogFile, content: Content) -> tuple[int, bool]:
    """The same for a content that is only read forward; `go_to` must follow.

    With it, whether the content ended before anything in it was found to differ: then it is a
    shorter copy, the log is left as it is, and there is nothing to read on, unless from
    the newest resume point, where the offset is.
    """
    return result_of(locating(log_file, content))


def locating(log_file: LogFile, content: Content) -> Steps[tuple[int, bool]]:
    """The same in steps."""
    best: Anchor | None = None
    tail = b""
    place = 0
    for anchor in log_file.anchors:
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
            return best[0] if best and best[
                0
            ] in log_file.resume_points else log_file.position, True
        if window_hash(window) != anchor[1]:
            break
        best, tail = anchor, window
    return rewind_to(log_file, best, tail), False
