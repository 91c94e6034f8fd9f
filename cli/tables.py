"""The KPIs of a period as tables for people."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from cli import output
from cli.output import Json
from engine import kpis
from engine.kpis.model import TopTable, Unit
from engine.times import first_day, next_first_day

if TYPE_CHECKING:
    from rich.table import Table

PERIOD_NAMES: Final = {"D": "Day", "W": "Week", "M": "Month", "Y": "Year"}
TABLE_COLUMNS: Final = 36
"""A terminal with this width for each top ten has them side by side, titles cut where needed."""


def print_periods(periods: Iterable[Json]) -> None:
    """Each period: its name and dates, its sums, and the top tens with ranks."""
    for period in periods:
        output.draw(*_period(period))


def period_name(kind: str, label: str) -> str:
    """A period as people say it: `Week 2026 W24, 8 to 14 June 2026`."""
    first = first_day(kind, label)
    if first is None:
        return f"{PERIOD_NAMES[kind]} {label}"
    last = next_first_day(kind, first) - timedelta(days=1)
    dates = {
        "D": f"{calendar.day_name[first.weekday()]} {_day(first)}",
        "W": f"{_day(first, last)} to {_day(last)}",
        "M": f"{calendar.month_name[first.month]} {first.year}",
        "Y": "",
    }[kind]
    return f"{PERIOD_NAMES[kind]} {label}" + (f", {dates}" if dates else "")


def _day(day: date, before: date | None = None) -> str:
    """A date; without what it has in common with the later one that follows it."""
    text = str(day.day)
    if before is None or before.month != day.month:
        text += f" {calendar.month_name[day.month]}"
    if before is None or before.year != day.year:
        text += f" {day.year}"
    return text


def _period(period: Json) -> Iterator[Any]:
    from rich.text import Text

    figures = [(kpis.BY_ID[item["kpiId"]], item["value"]) for item in period["kpis"]]
    yield Text(period_name(period["aggKind"], period["aggValue"]), style="bold")
    yield _sums(line for kpi, value in figures for line in kpi.lines(value))
    tops = [(kpi.unit, kpi.top_table(value)) for kpi, value in figures]
    tables = [_top(top, unit) for unit, top in tops if top and top.rows]
    if len(tables) > 1 and output.is_drawn() and _fit(len(tables)):
        yield _side_by_side(tables)
    else:
        yield from tables
    if not output.is_drawn():
        yield ""


def _fit(tables: int) -> bool:
    return output.make_console().width >= tables * TABLE_COLUMNS


def _sums(lines: Iterable[tuple[str, str]]) -> Table:
    table = output.new_table(heading=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    for name, value in lines:
        table.add_row(f"  {name}", value)
    return table


def _top(top: TopTable, unit: Unit) -> Table:
    from rich.text import Text

    table = output.new_table()
    table.add_column("#", justify="right", style="dim")
    table.add_column(top.heading, no_wrap=True, overflow="ellipsis")
    table.add_column(top.figure, justify="right", no_wrap=True)
    for rank, (title, figure) in enumerate(top.rows, start=1):
        table.add_row(str(rank), Text(title), unit.text(figure))
    return table


def _side_by_side(tables: list[Table]) -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, 3, 0, 0))
    for _ in tables:
        grid.add_column()
    grid.add_row(*tables)
    return grid
