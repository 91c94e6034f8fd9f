"""One rule applies a block of lines to what is known of its log: no copy of it exists."""

import ast
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from engine import ledger
from engine.ledger import Positions
from engine.pipeline import Tally
from engine.sources.log_file import ANCHOR_WINDOW_BYTES, LogFile
from engine.sources.model import Block
from engine.sources.resume import rewind_to
from tests.support.reading import Ledger, line

ROOT = Path(__file__).resolve().parent.parent
RULES = {"not_yet_counted", "split_at_ambiguous", "skip_gap"}
STATE = {"position", "anchors", "stops", "fates", "doubt_until", "doubt_after", "doubt_before"}
"""What is known of a log, and changes when lines of it are counted."""
WRITERS = {
    "engine/ledger.py": STATE,
    "engine/sources/log_file.py": {"position"},  # `LogFile.advance`
    # Where a source reads on; the ledger decides about it again when it is told.
    "engine/sources/resume.py": STATE - {"fates"},
    # Fates of all lines, not of a log.
    "engine/runtime/counting.py": {"fates"},
    "engine/runtime/saving.py": {"fates"},
    "engine/runtime/service_status.py": {"fates"},
    "engine/runtime/read_only.py": {"fates"},
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """What counts, and what drives it for tests."""
    for folder in ("cli", "engine", "lab", "tests/support", "benchmarks", "tools"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_bytes())


def written(tree: ast.Module) -> Iterator[str]:
    """Names of attributes that are assigned to."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def test_the_rules_are_defined_once() -> None:
    """Each function of the rule is in `engine/ledger.py`, and nowhere else."""
    defined = [
        (node.name, name)
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name in RULES
    ]
    assert sorted(defined) == sorted((rule, "engine/ledger.py") for rule in RULES)


def test_nobody_else_moves_a_position() -> None:
    """What is known of a log is changed by the ledger, and by the source that finds its place."""
    strays = [
        (name, attribute)
        for name, tree in modules()
        for attribute in written(tree)
        if attribute in STATE - WRITERS.get(name, set())
    ]
    assert strays == []


def test_serve_replay_and_the_tests_call_it() -> None:
    """Each of the three that count imports the ledger; none of them has a rule of its own."""
    for name in ("engine/runtime/saving.py", "engine/replay/run.py", "tests/support/reading.py"):
        tree = ast.parse((ROOT / name).read_bytes())
        imported = {
            f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        assert {"engine.ledger", "engine.ledger.Positions"} & imported, name


def test_a_copy_is_seen() -> None:
    """The tests above find a copy when there is one."""
    copy = ast.parse("def f(log):\n    log.position, log.stops = 0, set()\n    log.fates += 1\n")
    assert set(written(copy)) == {"position", "stops", "fates"}


LINES = [line(number) for number in range(40)]
ENDS = [sum(map(len, LINES[: number + 1])) for number in range(40)]
CONTENT = b"".join(LINES)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 39), st.integers(1, 20)), max_size=12),
    st.integers(0, 39),
)
def test_the_tests_own_reader_keeps_to_it(blocks: list[tuple[int, int]], cut: int) -> None:
    """The reader of the tests knows of a log what the ledger knows, resume points too: they are
    dropped above the place to which a file was rewound.
    """
    own, plain = Ledger(), Positions()
    identity = b"log"
    for first, number in blocks:
        begin, end = ENDS[first - 1] if first else 0, ENDS[min(39, first + number - 1)]
        if begin > plain.get(identity, "a.json").position:
            continue
        data = CONTENT[begin:end]
        block = Block(begin, data, len(data), data[-ANCHOR_WINDOW_BYTES:], identity, "a.json")
        own.take(block)
        plain.take(plain.get(identity), block, own._count_lines)
    for positions in (own.positions, plain):
        log = positions.get(identity, "a.json")
        log.resume_points = {offset for offset, _ in log.anchors}
    found = own.positions.get(identity).copy()
    reached = found.position
    anchors = [anchor for anchor in found.anchors if anchor[0] <= ENDS[cut]]
    rewind_to(found, anchors[-1] if anchors else None, b"")
    own.take(found.rewound(reached))
    plain.rewind(found.rewound(reached))
    log, expected = own.positions.get(identity), plain.get(identity)
    expected.first_at, expected.last_at = log.first_at, log.last_at  # its lines were counted above
    assert log == expected
    assert all(stop <= log.position for stop in log.resume_points)
    assert own.positions.moved.keys() == plain.moved.keys()


def test_ambiguous_and_certain_lines_make_one_tally() -> None:
    """A block that is ambiguous up to a line: what is before it is counted outside of the seconds
    that were seen, what follows is counted whole; the seconds of both are those of the tally.
    """
    log = LogFile(b"log", ambiguous_until=ENDS[1], ambiguous_after=5, ambiguous_before=3)
    asked: list[tuple[bytes, range | None]] = []

    def count_lines(lines: bytes, /, *, outside: range | None = None) -> Tally:
        asked.append((lines, outside))
        number = len(asked)
        return Tally(first_at=number, last_at=number, seconds=frozenset((number,)))

    block = Block(0, CONTENT, len(CONTENT), CONTENT[-ANCHOR_WINDOW_BYTES:], b"log")
    tally = ledger.count(log, block, count_lines)
    assert asked == [(CONTENT[: ENDS[1]], range(3, 6)), (CONTENT[ENDS[1] :], None)]
    assert (tally.first_at, tally.last_at, set(tally.seconds)) == (1, 2, {1, 2})
    ledger.apply(log, block, tally)
    assert (log.position, log.first_at, log.last_at) == (len(CONTENT), 1, 2)
