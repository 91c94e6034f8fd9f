"""Bars on standard error for long work, where there is a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.replay import Progress


@contextmanager
def progress_bar(logfiles: list[str], *, shown: bool) -> Iterator[Progress]:
    """A bar over the bytes of all files; nothing without a terminal."""
    if not (shown and _is_watched()):
        yield lambda _bytes, _lines: None
        return
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from cli import output
    from engine.runtime.clock import monotonic

    sizes = [_size(path) for path in logfiles]
    whole = sum(size or 0 for size in sizes) if None not in sizes else None
    left = [TextColumn("left"), TimeRemainingColumn(compact=True)] if whole else []
    bar = Bar(
        TextColumn("Counting"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TextColumn("{task.fields[rate]}"),
        *left,
        console=output.make_console(stderr=True),
        transient=True,
    )
    started = monotonic()
    counted = 0
    with bar:
        task = bar.add_task("", total=whole, rate="")

        def advance(done: int, lines: int) -> None:
            nonlocal counted
            counted += lines
            rate = counted / max(0.001, monotonic() - started)
            bar.update(task, completed=done, rate=f"{rate:,.0f} lines/s")

        yield advance


@contextmanager
def record_bar(records: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar over a number of records; nothing without a terminal."""
    if not (shown and _is_watched()):
        yield lambda _records: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from cli import output

    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("records, left"))
    console = output.make_console(stderr=True)
    with Bar(
        TextColumn("Importing"), *columns, TimeRemainingColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("", total=records)
        yield lambda done: bar.advance(task, done)


def _is_watched() -> bool:
    """Whether standard error is a terminal that can draw."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def _size(path: str) -> int | None:
    """Bytes of a file, none of one that is not there; None for a pipe."""
    if path == "-":
        return None
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0
