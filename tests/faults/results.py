"""The results of the tests of each row: when, at which commit and on which machine they ran.

There is one `Result` for each row and size, made from pytest's reports and stored in results.json.
That file is in version control: full sizes take hours, and the table of docs/reliability.md must be
the same for everybody who prints it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

STORED = Path(__file__).with_name("results.json")
SMALL, FULL = "small", "full"
MOST_FIGURES = 8

Row = dict[str, Any]


@dataclass
class Outcome:
    """How one test ended."""

    outcome: str = "not run"
    reason: str = ""
    """Why it was skipped."""
    full: bool = False
    figures: list[str] = field(default_factory=list)


@dataclass
class Result:
    """How the tests of one row ended in one run."""

    commit: str
    date: str
    machine: str
    passed: int = 0
    failed: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    """Reason -> how many tests."""
    figures: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Whether there was a test that ran, and none that failed."""
        return self.passed > 0 and not self.failed

    @property
    def in_words(self) -> str:
        """What the table says of it. A row whose tests were all skipped has not run."""
        skips = "; ".join(f"{count} x {why}" for why, count in self.skipped.items())
        ran = self.passed + self.failed
        if not ran:
            return f"not run: {skips}" if skips else "not run"
        words = f"held, {ran} test{'s' * (ran > 1)}"
        if self.failed:
            words = f"**{self.failed} of {ran} tests failed**"
        if skips:
            words += f", {sum(self.skipped.values())} not run ({skips})"
        return "; ".join([words, *self.figures[:MOST_FIGURES]])


Results = dict[str, dict[str, Result]]
"""Row -> size -> result."""


def function_of(node: str) -> str:
    """The test of a name, without its parameters."""
    return node.split("[", maxsplit=1)[0]


def belongs(node: str, test: str) -> bool:
    """Whether a test that pytest ran is one that a row names: a folder, a file or a function."""
    if test.endswith("/"):
        return node.startswith(test)
    function = function_of(node)
    return test in {function, function.split("::")[0]}


def result_of(row: Row, outcomes: dict[str, Outcome], commit: str, date: str, on: str) -> Result:
    """The result of a row whose tests have run."""
    mine = [
        outcome
        for node, outcome in outcomes.items()
        if any(belongs(node, test) for test in row["tests"])
    ]
    count = Counter(outcome.outcome for outcome in mine)
    return Result(
        commit,
        date,
        on,
        passed=count["passed"],
        failed=count["failed"],
        skipped=dict(Counter(o.reason or "no reason" for o in mine if o.outcome == "skipped")),
        figures=[figure for outcome in mine for figure in outcome.figures],
    )


def merged(known: Results, new: Results) -> Results:
    """Results after a run: rows and sizes that did not run in it keep what they have.

    Also one whose tests were all skipped in it, if they ran before: its older result is worth more
    than none, and says by its commit and date how old it is.
    """
    both = {row: dict(sizes) for row, sizes in known.items()}
    for row, sizes in new.items():
        for size, result in sizes.items():
            before = both.setdefault(row, {}).get(size)
            if before is None or result.passed + result.failed:
                both[row][size] = result
    return both


def shown(sizes: dict[str, Result]) -> Result | None:
    """The result that the table shows: that of the full size, unless the small one has failed."""
    small, full = sizes.get(SMALL), sizes.get(FULL)
    if small and (small.failed or full is None or not (full.passed or full.failed)):
        return small
    return full


def load(path: Path = STORED) -> Results:
    """The results of all runs so far."""
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return {row: {s: Result(**r) for s, r in sizes.items()} for row, sizes in found.items()}


def store(results: Results, order: Iterable[str], path: Path = STORED) -> None:
    """Keep the results of the rows that there are, in the order of the table."""
    kept = {row: results[row] for row in order if row in results}
    plain = {row: {s: asdict(r) for s, r in sizes.items()} for row, sizes in kept.items()}
    path.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
