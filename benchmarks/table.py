"""Rows of the table, and how they are written: for people as Markdown, for `bench-check` as JSON.

Each ratio is the median of several turns, in each of which both sides ran one after the other; its
spread is the smallest and the largest of these turns.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

Ratios = dict[str, tuple[float, float, float]]
"""Row -> smallest, median, largest ratio."""

MEASURED: Final = "measured"
RECORDED: Final = "recorded"
MISSING: Final = "missing"
ALONE: Final = "no peer"

TOLERANCE: Final = 0.15
"""What was measured in one turn only has no spread: it may fall by so much."""


@dataclass(frozen=True)
class Row:
    """One line of the table. `ratios` are ours against the peer's by turn; more is better."""

    id: str
    what: str
    ours: str
    peer: str
    goal: str
    met: bool | None
    kind: str = MEASURED
    ratios: tuple[float, ...] = ()
    span: str = ""
    """The smallest and the largest figure of ours, where there is no ratio."""

    @property
    def ratio(self) -> float | None:
        """The one in the middle."""
        return statistics.median(self.ratios) if self.ratios else None


def as_markdown(rows: Iterable[Row]) -> str:
    """The table as in docs/performance.md."""
    lines = [
        "| what | ours | peer | ratio | goal | met | peer's figure | spread |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> Sequence[str]:
    ratio = "" if row.ratio is None else times(row.ratio)
    if row.kind != MEASURED and ratio:
        ratio = f"({ratio})"  # not claimed: the peer's figure is from another machine
    met = "" if row.met is None else ("yes" if row.met else "**no**")
    return row.what, row.ours, row.peer, ratio, row.goal, met, row.kind, spread_of(row)


def spread_of(row: Row) -> str:
    """The smallest and the largest ratio; how often it was measured, where that was once."""
    if len(row.ratios) > 1:
        return f"{times(min(row.ratios))} to {times(max(row.ratios))}"
    return row.span or ("" if row.kind == MISSING else "one run")


def times(ratio: float) -> str:
    """A ratio in two digits."""
    return f"{ratio:.2g}x" if ratio < 10 else f"{ratio:.0f}x"


def ratios_of(rows: Iterable[Row]) -> Ratios:
    """What `bench-check` compares: smallest, median and largest of the measured ratios by row."""
    return {
        row.id: (
            round(min(row.ratios), 3),
            round(statistics.median(row.ratios), 3),
            round(max(row.ratios), 3),
        )
        for row in rows
        if row.kind == MEASURED and row.ratios
    }


def fallen(rows: Iterable[Row], before: Ratios) -> list[str]:
    """One sentence for each row whose ratio fell beyond its spread.

    That is: the median now is below all turns of then, and the median of then above all turns now.
    """
    found = []
    for name, (low, median, high) in ratios_of(rows).items():
        if name not in before:
            continue
        was_low, was, was_high = before[name]
        if was_low == was_high:
            was_low = was * (1 - TOLERANCE)
        if median < was_low and high < was:
            found.append(
                f"{name}: {median:.2f} now ({low:.2f} to {high:.2f}), "
                f"{was:.2f} committed ({was_low:.2f} to {was_high:.2f})"
            )
    return found


def megabytes(count: float) -> str:
    """Bytes as MiB."""
    return f"{count / 1024 / 1024:.0f} MiB"


def rate(value: float) -> str:
    """Lines per second."""
    return f"{value:,.0f} lines/s"


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds."""
    return f"{seconds * 1000:.0f} ms"
