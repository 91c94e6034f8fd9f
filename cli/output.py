"""Standard output: JSON, CSV, and what Rich draws.

Without a terminal there is no colour and no drawing. A program that stops reading (`| head`) is no
error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.errors import StorageError
from engine.text import displayable_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

CSV_HEADER: Final = "agg_kind,agg_value,kpi_id,kpi,package,metric,value"
PIPE_WIDTH: Final = 10_000
"""Columns of a table that is no terminal's: wide enough that nothing is folded."""

Json = dict[str, Any]


def write(text: str) -> bool:
    """Text on standard output, while anybody reads it. Whether somebody does."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    except OSError as error:
        error.filename = "standard output"
        raise
    return True


def write_file(name: str, text: str) -> None:
    """Text into a file, which is there whole or not at all; `-` is standard output.

    A link stays one, and what is no file (a device, a pipe) is written to. Raises StorageError when
    it cannot be written.
    """
    if name == "-":
        write(text)
        return
    path = Path(name)
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
        else:
            _replace(Path(os.path.realpath(path)), text)
    except OSError as error:
        raise StorageError(
            f"{name} cannot be written: {error.strerror or error}", "give another file with -o"
        ) from error


def _replace(path: Path, text: str) -> None:
    """Write a file next to another one, and put it in its place; two may do so at once."""
    from shutil import copymode

    draft = path.parent / f"offspot-metrics-{os.urandom(8).hex()}.tmp"
    try:
        with draft.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(OSError):  # it is new, or its file system has no modes
            copymode(path, draft)
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


def print_json(data: object) -> None:
    """Compact JSON in one line, UTF-8, safe on a terminal."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    write(displayable_json(text) + "\n")


def print_csv(periods: Iterable[Json]) -> None:
    """One row per figure (RFC 4180), safe to open in a spreadsheet."""
    from engine.csv_text import csv_text

    write(f"{CSV_HEADER}\r\n{csv_text(_csv_rows(periods))}")


def _csv_rows(periods: Iterable[Json]) -> Iterator[tuple[str | int, ...]]:
    from engine import kpis

    for period in periods:
        for item in period["kpis"]:
            kpi = kpis.BY_ID[item["kpiId"]]
            for package, metric, value in kpi.rows(item["value"]):
                cells = (period["aggKind"], period["aggValue"], kpi.id, kpi.name)
                yield (*cells, package, metric, value)


def draw(*things: Any) -> None:
    """What Rich makes of things, on standard output."""
    console = make_console()
    with console.capture() as drawn:
        for thing in things:
            console.print(thing, markup=False)
    lines = drawn.get().split("\n")
    write("\n".join(line.rstrip() for line in lines) if not console.is_terminal else drawn.get())


def make_console(*, stderr: bool = False) -> Console:
    """A console that never folds a line when its output is a file or a pipe."""
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console = Console(stderr=stderr, highlight=False, width=PIPE_WIDTH, no_color=True)
    return console


def is_drawn() -> bool:
    """Whether standard output is a terminal."""
    return make_console().is_terminal


def new_table(*, heading: bool = True, **more: Any) -> Table:
    """An empty table: drawn on a terminal, plain columns elsewhere."""
    from rich import box
    from rich.table import Table

    drawn = is_drawn() and heading
    style = box.SIMPLE_HEAD if drawn else None
    return Table(box=style, pad_edge=drawn, show_header=heading, **more)
