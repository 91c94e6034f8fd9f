"""Compares a stretch with an earlier one, and decides whether a change may be made of the two.

It may when both were counted from beginning to end. Days on which the hotspot usually has figures
are looked for: a school that is closed on Sundays misses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from engine.figures import stretch as stretches
from engine.figures.figures import Figures, Json, Known
from engine.figures.stretch import Span, Stretch
from engine.kpis.hourly import PackageUse
from engine.times import day_start, local_day

OTHERS: Final = {"before": stretches.before, "year": stretches.year_before}
"""What a stretch may be compared with -> that stretch."""


@dataclass(frozen=True)
class Sides:
    """Two stretches of equal length, or of equally long into them while one is running."""

    stretch: Stretch
    other: Stretch
    this: Span
    before: Span


def sides_of(stretch: Stretch, compare: str, known: Known) -> Sides | None:
    """What is compared; None where there is no such stretch."""
    other = OTHERS[compare](stretch, known.zone)
    if other is None:
        return None
    return Sides(stretch, other, *stretches.so_far(stretch, other, known.now, known.zone))


def comparison(figures: Figures, sides: Sides, known: Known) -> Json:
    """`Comparison` of `openapi.yaml`."""
    reason, missing = _unfair(figures, sides, known)
    return {
        "aggValue": sides.other.label,
        "from": sides.other.first.isoformat(),
        "to": sides.other.last.isoformat(),
        "soFar": sides.stretch.end > known.now,
        "thisUntil": sides.this.end,
        "beforeStart": sides.before.start,
        "beforeUntil": sides.before.end,
        "fair": reason is None,
        "reason": reason,
        "missingDays": missing,
        "countedFrom": known.counted_from if reason == "counted-from" else None,
        "this": figures.total(sides.this),
        "before": figures.total(sides.before),
    }


def package_rows(
    uses: dict[str, PackageUse], before: dict[str, PackageUse] | None = None
) -> list[Json]:
    """`PackageFigures` of every package, the most visited first; with what each had before."""
    nothing = PackageUse()
    titles = sorted(
        {*uses, *(before or {})},
        key=lambda title: (
            *(-n for n in uses.get(title, nothing)),
            *(-n for n in (before or {}).get(title, nothing)),
            title,
        ),
    )
    if before is None:
        return [uses[title].as_json(title) for title in titles]
    return [uses.get(title, nothing).as_json(title, before.get(title, nothing)) for title in titles]


def _unfair(figures: Figures, sides: Sides, known: Known) -> tuple[str | None, int]:
    """Why no change may be made of the two, and how many days are missing in them."""
    stretch, other = sides.stretch, sides.other
    if not all(figures.has_figures(Span(it.start, it.end)) for it in (stretch, other)):
        return "no-figures", 0
    if known.without_hours(sides.before.start, sides.before.end) or known.without_hours(
        sides.this.start, sides.this.end
    ):
        return "total-only", 0
    since = known.counted_from
    if since is not None and since > sides.before.start:
        within_first_day = local_day(since, known.zone) == sides.other.first
        if sides.other.days == 1 or not within_first_day:
            return "counted-from", 0
    missing = _missing_days(figures, sides, known.zone)
    return ("missing-days" if missing else None), missing


def _missing_days(figures: Figures, sides: Sides, zone: ZoneInfo) -> int:
    """Days without figures in either stretch, of weekdays that have some in one of the two.

    A day that is cut, because one stretch is running, has only begun: it is left out.
    """
    with_figures: set[date] = set()
    without: set[date] = set()
    for span in (sides.this, sides.before):
        found, missing = figures.days(span)
        with_figures |= found
        cut = local_day(span.end, zone)
        without |= missing - ({cut} if day_start(cut, zone) < span.end else set())
    weekdays = {day.weekday() for day in with_figures}
    return sum(1 for day in without if day.weekday() in weekdays)
