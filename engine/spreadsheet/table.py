"""An answer of `/api/v1/figures` as a table in words: names, hours, why a row has no figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from engine.kpis.hourly import HourFigures, PackageUse
from engine.times import HOUR_SECONDS, first_day, load_zone
from engine.usage_report.language import Language

Json = dict[str, Any]
Cell = str | int | float
"""A text, a count, or hours."""

_MONDAY: Final = date(2024, 1, 1)
_STATES: Final = ("no-figures", "not-yet", "to-come", "total-only")
_FIRST_COLUMNS: Final = {
    "package": ("package",),
    "hour": ("day", "hour"),
    "hour-of-week": ("weekday", "hour"),
}
"""What the rows are of -> what the columns before the figures are of; else the same."""


@dataclass(frozen=True)
class Table:
    """What is written, from top to bottom."""

    about: list[tuple[str, str]]
    """Whose figures of which time these are."""
    header: list[str]
    total: list[Cell]
    """The first row: the whole stretch."""
    rows: list[list[Cell]]
    by: str


def table_of(answer: Json, hotspot: str, language: Language, now: int) -> Table:
    """The table of an answer. Counts stay counts; minutes become hours."""
    by, rows = answer["by"], answer["rows"]
    figures = figures_in(answer)
    names = _FIRST_COLUMNS.get(by, (by,))
    header = [language.text(f"export.{name}") for name in names]
    has_states = by not in ("package", "hour-of-week")
    header += [_named(name, language) for name in figures]
    header += [language.text("export.note")] if has_states else []
    whole = language.text("export.all" if by == "package" else "export.one")
    total: list[Cell] = [whole, *[""] * (len(names) - 1), *_total(answer, figures)]
    return Table(
        about=_about(answer, hotspot, language),
        header=header,
        total=[*total, ""] if has_states else total,
        rows=[
            [
                *_LABELS.get(by, _of_period)(row, _begin(row, answer), language),
                *(_empty(row, figures) or _cells(row, figures)),
                *([_note(row, now, language)] if has_states else []),
            ]
            for row in rows
        ],
        by=by,
    )


def figures_in(answer: Json) -> list[str]:
    """The names of the figures of each row, in their order."""
    if answer["by"] == "package":
        row = PackageUse().as_json("", PackageUse() if answer.get("comparison") else None)
    else:
        row = HourFigures().as_json(of_package=answer["package"] is not None)
    return [name for name, value in row.items() if isinstance(value, int)]


def _total(answer: Json, names: list[str]) -> list[Cell]:
    """The same figures of the whole stretch, and of the one it is compared with."""
    total = answer["total"]
    if not any(total.get(name) for name in HourFigures().as_json(of_package=False)):
        return [""] * len(names)  # nothing was counted in it
    before = (answer.get("comparison") or {}).get("before", {})
    return _cells(total | {f"{name}Before": value for name, value in before.items()}, names)


def _about(answer: Json, hotspot: str, language: Language) -> list[tuple[str, str]]:
    running = "" if answer["complete"] else language.text("export.running")
    first, last = date.fromisoformat(answer["from"]), date.fromisoformat(answer["to"])
    about = [
        (language.text("export.title"), hotspot or language.text("export.hotspot")),
        (language.stretch(first, last), running),
    ]
    if answer["package"] is not None:
        about.append((language.text("export.package"), answer["package"]))
    return about


def _named(name: str, language: Language) -> str:
    text = language.text(f"export.{name}")
    return language.text("export.inHours", name=text) if _is_time(name) else text


def _is_time(name: str) -> bool:
    return name.startswith("minutes")


def _cells(figures: Json, names: list[str]) -> list[Cell]:
    return [round(figures[name] / 60, 2) if _is_time(name) else figures[name] for name in names]


def _empty(row: Json, names: list[str]) -> list[Cell]:
    """Empty cells where there is nothing to show: zero would say that nobody came."""
    missing = row.get("state") in _STATES and not any(row[name] for name in names)
    return [""] * len(names) if missing or row.get("hoursCounted") == 0 else []


def _note(row: Json, now: int, language: Language) -> str:
    if row["state"] in _STATES:
        return language.text(f"export.{row['state']}")
    is_running = row["start"] <= now < row["end"]
    return language.text("export.running") if is_running else ""


def _begin(row: Json, answer: Json) -> datetime:
    """When a row begins on the clock of the hotspot; else the first hour of the stretch."""
    first_hour = -(-answer["start"] // HOUR_SECONDS) * HOUR_SECONDS
    return datetime.fromtimestamp(row.get("start", first_hour), load_zone(answer["timezone"]))


def _of_package(row: Json, _at: datetime, language: Language) -> list[Cell]:
    return [row["package"] or language.text("report.remainder")]


def _of_hour(_row: Json, at: datetime, _language: Language) -> list[Cell]:
    return [at.date().isoformat(), f"{at:%H:%M}"]


def _of_hour_of_week(row: Json, at: datetime, language: Language) -> list[Cell]:
    day = _MONDAY + timedelta(days=row["weekday"] - 1)
    return [language.weekday_name(day), f"{row['hour']:02d}:{at.minute:02d}"]


def _of_period(row: Json, _at: datetime, language: Language) -> list[Cell]:
    """A day as its date, which spreadsheets sort; a week or month by name."""
    label = row["label"]
    kind = "W" if "W" in label else "D" if label.count("-") == 2 else "M"
    if kind == "D":
        return [label]
    first = first_day(kind, label)
    assert first is not None, label
    if kind == "W":
        return [language.stretch(first, first + timedelta(days=6))]
    return [language.period(kind, label)]


_LABELS: Final[dict[str, Callable[[Json, datetime, Language], list[Cell]]]] = {
    "package": _of_package,
    "hour": _of_hour,
    "hour-of-week": _of_hour_of_week,
}
