"""What the table of docs/performance.md says of its figures, and when `bench-check` fails."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import RATIOS
from benchmarks.measure import Sample
from benchmarks.table import ALONE, MISSING, RECORDED, Row, as_markdown, fallen, ratios_of
from lab.circumstances import ROOT


def row(*ratios: float, kind: str = "measured") -> Row:
    return Row("x", "replay", "9 lines/s", "GoAccess", "6x", met=True, kind=kind, ratios=ratios)


@pytest.mark.parametrize(
    ("one", "cell"),
    [
        (row(8.0, 10.4, 9.0), "| 9x | 6x | yes | measured | 8x to 10x |"),
        (row(8.0, 30.0, kind=RECORDED), "| (19x) | 6x | yes | recorded | 8x to 30x |"),
        (row(3.0), "| 3x | 6x | yes | measured | one run |"),
        (Row("x", "s", "1 s", "", "", None, ALONE, span="1 to 2 s"), "| no peer | 1 to 2 s |"),
        (Row("x", "s", "1 s", "", "", None, MISSING), "| missing |  |"),
    ],
)
def test_the_spread_stands_beside_each_row(one: Row, cell: str) -> None:
    """The smallest and the largest of all turns, or that there was one run only."""
    assert as_markdown([one]).splitlines()[-1].endswith(cell)


def test_sides_are_compared_turn_by_turn() -> None:
    """A machine that is slow in one turn is slow for both sides of it."""
    ours, peer = Sample((1.0, 10.0, 1.0)), Sample((2.0, 20.0, 3.0))
    assert ours.against(peer) == (2.0, 2.0, 3.0)
    with pytest.raises(ValueError, match="zip"):
        ours.against(Sample((1.0,)))


@pytest.mark.parametrize(
    ("now", "falls"),
    [
        ((9.0, 10.0, 11.0), False),
        ((7.0, 7.9, 9.9), True),  # below all turns of then, and all below the median of then
        ((7.0, 8.1, 9.9), False),  # its median is one that there was
        ((6.0, 7.0, 10.5), False),  # one turn was as good as then: that is spread
        ((4.0, 5.0, 6.0), True),
        ((20.0, 21.0, 22.0), False),
    ],
)
def test_a_ratio_falls_only_beyond_its_spread(now: tuple[float, ...], falls: bool) -> None:
    """10, between 8 and 12, was committed."""
    found = fallen([row(*now)], {"x": (8.0, 10.0, 12.0)})
    assert bool(found) is falls
    assert not falls or found[0].endswith("10.00 committed (8.00 to 12.00)")


def test_what_was_measured_once_may_fall_a_little() -> None:
    """Without a spread the bound is 15 %; a row that was never committed cannot fall."""
    before = {"x": (10.0, 10.0, 10.0)}
    assert fallen([row(8.6)], before) == []
    assert len(fallen([row(8.4)], before)) == 1
    assert fallen([row(1.0)], {}) == []
    assert ratios_of([row(2.0, 5.0, 3.0), row(9.0, kind=RECORDED)]) == {"x": (2.0, 3.0, 5.0)}


def test_committed_ratios_say_of_what_they_are() -> None:
    """One commit, date and machine for all of them."""
    kept = json.loads(RATIOS.read_text())
    assert set(kept) == {"commit", "date", "machine", "ratios"}
    for low, median, high in kept["ratios"].values():
        assert 0 < low <= median <= high


def test_no_table_of_a_changed_tree(tmp_path: Path) -> None:
    """With changes that are not committed it is refused before anything runs, with a way out."""
    for name in ("benchmarks", "engine", "lab"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / ".gitignore").write_text("__pycache__\n")
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)

    def bench(*options: str) -> str:
        command = [sys.executable, "-m", "benchmarks", *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        return done.stderr

    assert "make build" in bench(), "a clean tree comes to the next question"
    (tmp_path / "benchmarks" / "new.py").write_text("")
    refused = bench()
    assert "the tree has changes that are not committed" in refused
    assert "--dirty" in refused
    assert "make build" in bench("--dirty")
    assert "make build" in bench("--only", "size"), "what is only printed may be of any tree"
