"""Rows of the table, and how they are written: for people as Markdown, for `bench-check` as JSON.

In: what was measured. Out: text. It must not measure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MEASURED: Final = "measured"
RECORDED: Final = "recorded"
MISSING: Final = "missing"
ALONE: Final = "no peer"

TOLERANCE: Final = 0.15


@dataclass(frozen=True)
class Row:
    """One line of the table. `ratio` is ours against the peer's; more is better."""

    id: str
    what: str
    ours: str
    peer: str
    goal: str
    met: bool | None
    kind: str = MEASURED
    ratio: float | None = None
    spread: float = 0.0
    note: str = ""


def as_markdown(rows: Iterable[Row]) -> str:
    """The table as in docs/performance.md."""
    lines = [
        "| what | ours | peer | ratio | goal | met | peer's figure | spread |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> Sequence[str]:
    ratio = f"{row.ratio:.2g}x" if row.ratio is not None and row.ratio < 10 else ""
    if row.ratio is not None and not ratio:
        ratio = f"{row.ratio:.0f}x"
    if row.kind != MEASURED and row.ratio is not None:
        ratio = f"({ratio})"  # not claimed: the peer's figure is from another machine
    met = "" if row.met is None else ("yes" if row.met else "**no**")
    spread = f"{row.spread:.0%}" if row.spread else ""
    return row.what, row.ours, row.peer, ratio, row.goal, met, row.kind, spread


def ratios_of(rows: Iterable[Row]) -> dict[str, float]:
    """What `bench-check` compares: measured ratios by row."""
    return {
        row.id: round(row.ratio, 3)
        for row in rows
        if row.kind == MEASURED and row.ratio is not None
    }


def fallen(rows: Iterable[Row], committed: Path) -> list[str]:
    """One sentence for each row whose ratio fell by more than the tolerance."""
    before: dict[str, float] = json.loads(committed.read_text(encoding="utf-8"))
    now = ratios_of(rows)
    return [
        f"{name}: {now[name]:.2f} now, {ratio:.2f} committed"
        for name, ratio in before.items()
        if name in now and now[name] < ratio * (1 - TOLERANCE)
    ]


def megabytes(count: float) -> str:
    """Bytes as MiB."""
    return f"{count / 1024 / 1024:.0f} MiB"


def rate(value: float) -> str:
    """Lines per second."""
    return f"{value:,.0f} lines/s"


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds."""
    return f"{seconds * 1000:.0f} ms"
