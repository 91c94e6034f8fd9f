"""Figures as CSV: for programs as the fields of the answer, for people as spreadsheets read it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from engine.csv_text import csv_text, without_formulas
from engine.spreadsheet.table import Cell, Json, Table, figures_in

BYTE_ORDER_MARK: Final = "\ufeff"
"""Without it, spreadsheets take UTF-8 for their own old encoding."""
_AROUND: Final = {
    "package": (("package",), ()),
    "hour-of-week": (("weekday", "hour"), ("hoursCounted",)),
}
_AROUND_OF_TIME: Final = (("label", "start", "end"), ("state",))
"""The fields before the figures, and behind them."""


def csv_for_programs(answer: Json) -> bytes:
    """One row for each one of the answer, under the names of its fields."""
    before, behind = _AROUND.get(answer["by"], _AROUND_OF_TIME)
    names = [*before, *figures_in(answer), *behind]
    rows = ([row[name] for name in names] for row in answer["rows"])
    return csv_text([names, *rows]).encode()


def csv_for_people(table: Table, decimal: str) -> bytes:
    """The table with what it is of above it; the decimal mark of the language decides the rest."""
    text = io.StringIO(newline="")
    write = csv.writer(
        text, delimiter=";" if decimal == "," else ",", quoting=csv.QUOTE_MINIMAL
    ).writerow
    for line in _lines(table):
        write([_written(cell, decimal) for cell in line])
    return (BYTE_ORDER_MARK + text.getvalue()).encode()


def _lines(table: Table) -> Iterable[Sequence[Cell]]:
    yield from table.about
    yield ()
    yield table.header
    yield table.total
    yield from table.rows


def _written(cell: Cell, decimal: str) -> str:
    if isinstance(cell, str):
        return without_formulas(cell)
    return str(cell).replace(".", decimal)
