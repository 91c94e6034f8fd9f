"""Answers of `/api/v1/figures`, and what `/api/v1/periods` says of figures: JSON-ready dicts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from engine.figures.comparison import OTHERS, comparison, package_rows, sides_of
from engine.figures.figures import Figures, Json, Known
from engine.figures.stretch import Span, Stretch, stretch_of, stretch_of_period
from engine.store.hourly_figures import HourlyFigures
from engine.times import Period

BY: Final = ("package", "hour", "day", "week", "month", "hour-of-week")
INSIDE: Final = {"D": "hour", "W": "day", "M": "day", "Y": "month"}
"""Kind of a period -> what its rows are of."""


@dataclass(frozen=True)
class Query:
    """What is asked for. `limit` 0 is no limit."""

    first: date
    last: date
    by: str = "package"
    package: str | None = None
    limit: int = 0
    offset: int = 0
    compare: str | None = None


def figures_answer(read: HourlyFigures, known: Known, query: Query) -> Json:
    """`Figures` of `openapi.yaml`."""
    stretch = stretch_of(query.first, query.last, known.zone)
    figures = Figures(read, known, query.package)
    answer: Json = {
        "timezone": known.zone.key,
        "from": query.first.isoformat(),
        "to": query.last.isoformat(),
        "start": stretch.start,
        "end": stretch.end,
        "complete": stretch.end <= known.now,
        "by": query.by,
        "package": query.package,
        "total": figures.total(Span(stretch.start, stretch.end)),
    }
    sides = sides_of(stretch, query.compare, known) if query.compare else None
    rows = _rows(figures, stretch, query, sides.before if sides else None)
    until = query.offset + query.limit if query.limit else len(rows)
    answer |= {"rowCount": len(rows), "offset": query.offset, "rows": rows[query.offset : until]}
    if query.compare:
        answer["comparison"] = comparison(figures, sides, known) if sides else None
    return answer


def _rows(figures: Figures, stretch: Stretch, query: Query, before: Span | None) -> list[Json]:
    if query.by == "package":
        uses = figures.packages(Span(stretch.start, stretch.end))
        rows = package_rows(uses, figures.packages(before) if before else None)
        return [row for row in rows if query.package in (None, row["package"])]
    if query.by == "hour-of-week":
        return figures.hours_of_week(stretch)
    return figures.rows(stretch, query.by)


def period_answer(read: HourlyFigures, known: Known, period: Period) -> Json:
    """What is said of a period beside its KPIs."""
    stretch = stretch_of_period(period, known.zone)
    figures = Figures(read, known)
    span = Span(stretch.start, stretch.end)
    wanted = [name for name in OTHERS if name != "year" or period.kind != "Y"]
    sides = {name: sides_of(stretch, name, known) for name in wanted}
    before = sides["before"]
    uses = figures.packages(span)
    by = INSIDE[period.kind]
    return {
        "total": figures.total(span),
        "packages": package_rows(uses, figures.packages(before.before) if before else {}),
        "comparisons": {
            name: comparison(figures, found, known) if (found := sides.get(name)) else None
            for name in OTHERS
        },
        "inside": {"by": by, "rows": figures.rows(stretch, by)},
    }
