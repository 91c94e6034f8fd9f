"""B11: the ledger alone, fed with anything in any order: a byte counts once, at its position."""

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.inputs.formats import second_of
from engine.ledger import Positions, not_yet_counted, split_at_ambiguous
from engine.pipeline import Tally
from engine.sources.log_file import (
    ANCHOR_WINDOW_BYTES,
    LogFile,
    decode_anchors,
    encode_anchors,
    log_file_id,
)
from engine.sources.model import Block
from engine.sources.resume import agrees, locate, rewind_to
from tests.support.reading import lines

GENERATIONS = 4
STREAMS = 3
LOGS = [
    b"".join(b'{"ts":%d.%d,"n":%d}%s\n' % (1000 + n, log, n, b"x" * (n % 97)) for n in range(60))
    for log in range(GENERATIONS)
]
IDS = [log_file_id(log.split(b"\n", 1)[0]) for log in LOGS]
ENDS = [[i + 1 for i, byte in enumerate(log) if byte == 10] for log in LOGS]

pieces = st.tuples(
    st.integers(0, GENERATIONS - 1), st.integers(0, 59), st.integers(1, 60), st.booleans()
)
"""A log, the line at which a piece of it begins, how many lines; whether its stream brings it
although it does not come next (a stream restarted, a copy, events dropped)."""


def piece_of(log: int, first: int, count: int) -> Block:
    """Some lines of a log, as a reader would bring them."""
    begin = ENDS[log][first - 1] if first else 0
    end = ENDS[log][min(59, first + count - 1)]
    data = LOGS[log][begin:end]
    return Block(begin, data, len(data), data[-ANCHOR_WINDOW_BYTES:], IDS[log])


def apply(positions: Positions, block: Block) -> bytes:
    """What the counting thread counts of a chunk; one behind a gap must wait."""
    log_file = positions.get(block.log_id)
    if block.offset > log_file.position:
        return b""
    counted: list[bytes] = []

    def count_lines(lines: bytes, /, *, outside: range | None = None) -> Tally:
        assert outside is None
        counted.append(lines)
        return Tally()

    positions.take(log_file, block, count_lines)
    return b"".join(counted)


def streams(moves: list[tuple[int, int, int, bool]]) -> Iterator[Block]:
    """Pieces as up to three streams of each log bring them, interleaved, some out of place."""
    places: dict[tuple[int, int], int] = {}
    for log, first, count, out_of_place in moves:
        stream = (log, first % STREAMS)
        begin = first if out_of_place else places.get(stream, 0)
        if begin < 60:
            yield piece_of(log, begin, count)
        places[stream] = begin + count


@settings(max_examples=300, deadline=None)
@given(st.lists(pieces, max_size=60))
def test_each_byte_is_applied_once(moves: list[tuple[int, int, int, bool]]) -> None:
    """Whatever streams repeat, drop or swap: what was applied is the log up to its position."""
    positions = Positions()
    applied = dict.fromkeys(IDS, b"")
    for block in streams(moves):
        applied[block.log_id] += apply(positions, block)
        for log, identity in zip(LOGS, IDS, strict=True):
            log_file = positions.log_files.get(identity, LogFile(identity))
            assert applied[identity] == log[: log_file.position]
            assert agrees(log_file, lambda at, size, log=log: log[at : at + size])  # type: ignore[misc]
    for number, identity in enumerate(IDS):  # and the rest, as after a restart
        applied[identity] += apply(positions, piece_of(number, 0, 60))
    assert list(applied.values()) == LOGS


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=20), st.integers(0, 59), st.binary(max_size=9)
)
def test_reading_on_where_a_file_still_agrees(steps: list[int], kept: int, other: bytes) -> None:
    """A file cut at any place, and written on in any way, is read on at or below that place."""
    positions = Positions()
    first = 0
    for step in steps:
        if first < 60:
            apply(positions, piece_of(0, first, step))
            first += step
    log_file = positions.get(IDS[0])
    counted = log_file.position
    content = LOGS[0][: ENDS[0][kept]] + other
    begin = locate(log_file, lambda at, size: content[at : at + size])
    assert begin <= min(counted, len(content))
    assert content[:begin] == LOGS[0][:begin]
    assert counted in {begin, log_file.ambiguous_until}
    assert begin in {0, *ENDS[0]}


@given(st.integers(0, 3000), st.integers(0, 3000), st.lists(st.integers(1, 40), min_size=1))
@example(105, 100, [5, 5])
@example(106, 100, [5, 5])
@example(104, 100, [5, 5])
def test_the_ambiguous_part_ends_at_a_line(until: int, offset: int, sizes: list[int]) -> None:
    """Lines that begin below the doubtful offset are doubtful, all others are not."""
    data = b"".join(b"x" * (size - 1) + b"\n" for size in sizes)
    log_file = LogFile(b"g", position=offset, ambiguous_until=until)
    doubtful, certain = split_at_ambiguous(log_file, Block(offset, data, len(data), data))
    assert doubtful + certain == data
    assert not doubtful or doubtful.endswith(b"\n")
    place = offset
    for line in data.splitlines(keepends=True):
        assert (place < offset + len(doubtful)) == (place < until)
        place += len(line)


def test_a_long_line_is_ambiguous_as_a_whole() -> None:
    """Only its beginning is kept, which may end below the offset up to which it was counted."""
    log_file = LogFile(b"g", ambiguous_until=5000)
    block = Block(0, b"x" * 99 + b"\n", 10_000, b"x" * 99 + b"\n")
    assert split_at_ambiguous(log_file, block) == (block.data, b"")


def test_many_anchors_stay_few() -> None:
    """A log of any length has at most 32 anchors, dense at its end and ever wider towards its
    beginning, and the newest one is where it was read to.
    """
    log_file = LogFile(b"g")
    place = 0
    for number in range(5000):
        place += 70_000
        log_file.advance(place, b"%d" % number * 500)
    assert len(log_file.anchors) <= 32
    gaps = [b[0] - a[0] for a, b in pairwise(log_file.anchors)]
    assert set(gaps[-10:]) == {70_000}
    assert max(gaps) == max(gaps[:4]) > 1_000_000
    assert log_file.anchors[-1][0] == log_file.position == place
    assert rewind_to(log_file, log_file.anchors[-1], b"") == place


def test_a_long_line_is_counted_whole_or_not_at_all() -> None:
    """Of a line over the limit a chunk has the beginning only: no part of it is new once any of it
    is counted; and of other chunks, what is new has the tail of what is new.
    """
    log_file = LogFile(b"g", position=100)
    begun = Block(0, b"x" * 50 + b"\n", 5000, b"x" * 9)
    assert not_yet_counted(log_file, begun) is None
    data = b"a" * 99 + b"\n" + b"b" * 9 + b"\n"
    new = not_yet_counted(log_file, Block(0, data, len(data), data))
    assert new
    assert (new.offset, new.data, new.length, new.tail) == (100, b"b" * 9 + b"\n", 10, data[100:])
    assert not_yet_counted(LogFile(b"g", position=110), Block(0, data, 110, data)) is None


def test_what_is_above_the_place_is_forgotten() -> None:
    """Anchors and resume points of content that is no longer there; the ambiguous part ends where
    it was, and with the newest second that was counted there.
    """
    content = lines(range(400))
    log_file = LogFile(IDS[0], last_at=1_800_000_000, first_at=1_700_000_000)
    for end in (10, 150, 300, 400):
        place = len(lines(range(end)))
        log_file.advance(place, content[:place])
        log_file.resume_points.add(place)
    kept = log_file.anchors[0][0]
    was = log_file.position
    cut = content[: kept + 5]
    assert locate(log_file, lambda at, size: cut[at : at + size]) == kept
    assert [offset for offset, _ in log_file.anchors] == [kept]
    assert log_file.resume_points == {kept}
    assert (log_file.ambiguous_until, log_file.ambiguous_after) == (was, 1_800_000_000)
    assert log_file.ambiguous_before == 1_700_000_000
    assert log_file.tail == content[max(0, kept - 2048) : kept]


def test_stops_and_anchors_outlive_a_restart() -> None:
    """As they are packed for the database."""
    log_file = LogFile(b"g")
    for place in (70_000, 140_000, 210_000):
        log_file.advance(place, b"x" * 2048)
    packed = encode_anchors(log_file.anchors, {70_000, 210_000})
    assert decode_anchors(packed) == (log_file.anchors, {70_000, 210_000})
    copy = log_file.copy()
    copy.advance(280_000, b"y" * 2048)
    assert log_file.anchors[-1][0] == 210_000


def test_the_second_of_a_line() -> None:
    """Ten digits behind the first `"ts":` of this line, and of no other."""
    assert second_of(b'{"level":"info","ts":1781388000.25,"x":1}') == 1_781_388_000
    for text in (b'{"ts":178138800.5}', b'{"x":1}\n{"ts":1781388000.2}', b'{"x":"' + b"y" * 600):
        assert second_of(text) is None, text


def test_anchors_are_64_kib_apart() -> None:
    """So that a log of megabytes can be found again far before its end; the newest one moves along,
    but not one where an earlier reading went on.
    """
    log_file = LogFile(b"g")
    for place in range(1000, 640_001, 1000):
        log_file.advance(place, b"%d" % place * 500)
    offsets = [offset for offset, _ in log_file.anchors]
    assert offsets[-1] == 640_000
    assert 10 <= len(offsets) <= 12
    assert all(64_000 <= b - a <= 66_000 for a, b in pairwise(offsets[1:-1]))
    log_file.resumed = True
    log_file.advance(641_000, b"x" * 2048)
    assert [offset for offset, _ in log_file.anchors] == [*offsets, 641_000]
