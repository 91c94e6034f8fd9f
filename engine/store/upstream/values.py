"""What a row of the older system's database means: values of records, states and yearly KPIs.

Its KPIs were written in three forms over the years: a bare array, then an object with a `data` in
snake_case, then the same in camelCase.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from engine.text import cut_text, visible_text
from engine.times import LATEST_AT

Values = dict[tuple[int, str], int]
"""(indicator id, dimension) -> value; the dimension of "no dimension" is the empty text."""

PAGE_VISITS: Final = 1002
"""Visits by page, which are not counted by this version."""
_PACKAGE_VISITS, _SHARED_FILES, _UPTIME, _USAGE, _PACKAGE_USAGE = 1001, 1003, 1004, 1005, 1006
_OPERATIONS: Final = ("FILE_CREATED", "FILE_DELETED")
_SLOT_MINUTES: Final = 10
LISTED: Final = 10
"""So many packages a KPI lists at most."""
_LARGEST: Final = 1 << 40
"""More than anybody can have counted; sums of such values stay within SQLite's integers."""


def checked(row: Any, hour: Any) -> tuple[tuple[int, str] | None, int, str]:
    """The key and the value of a row, or the reason why it is not taken."""
    if not isinstance(hour, int) or not 0 <= hour < LATEST_AT:
        return None, 0, "of an impossible time"
    if hour % 3600:
        return None, 0, "not of the beginning of an hour"
    if row["dimension_id"] is None:
        return None, 0, "of a dimension that is not there"
    value = row["value"]
    if not isinstance(value, int):
        return None, 0, "no whole number"
    if value < 0:
        return None, 0, "negative"
    if value > _LARGEST:
        return None, 0, "too large"
    indicator_id, title = row["indicator_id"], _title(row["value0"])
    if indicator_id in (_UPTIME, _USAGE):
        return (indicator_id, ""), value, ""
    if indicator_id == _SHARED_FILES and title not in _OPERATIONS:
        return None, 0, "of an unknown operation on files"
    if indicator_id == _PACKAGE_USAGE and not title:
        return None, 0, "of no package"
    if indicator_id not in (_PACKAGE_VISITS, _SHARED_FILES, _PACKAGE_USAGE):
        return None, 0, "of an unknown indicator"
    return (indicator_id, title), value, ""


@lru_cache(maxsize=4096)
def _title(value: Any) -> str:
    """A title as the packages file has it, so that what was and what is counted are one package."""
    return cut_text(visible_text(str(value) if isinstance(value, int) else value))


def state_value(indicator_id: int, state: Any) -> int | None:
    """The value that the state of an hour stands for: a number, or the starts of its slots."""
    text = state if isinstance(state, str) else ""
    if indicator_id in (_USAGE, _PACKAGE_USAGE):
        starts = {part.strip() for part in text.split(",") if part.strip()}
        if not all(start.isascii() and start.isdecimal() for start in starts):
            return None
        return len(starts) * _SLOT_MINUTES
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def is_year(label: Any) -> bool:
    """Whether a label is a year in which anything can have been counted."""
    return isinstance(label, str) and bool(re.fullmatch("20[0-9]{2}", label))


def year_totals(kpi_id: int, text: Any) -> Values | None:
    """The totals of a year that a KPI gives; empty for a KPI that is not known, None when it
    cannot be read. What a list of ten leaves out is a total of the empty title.
    """
    if kpi_id not in (2001, 2003, 2004, 2005):
        return {}
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None
    if isinstance(value, dict) and "data" in value:
        value = value["data"]
    try:
        return _READ[kpi_id](value)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _named(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(value)
    return {str(key).replace("_", "").lower(): part for key, part in value.items()}


def _first(value: Mapping[str, Any], *names: str) -> Any:
    for name in names:
        if name in value:
            return value[name]
    raise KeyError(*names)


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise ValueError(value)
    return value


def _items(value: Any) -> tuple[dict[str, int], int]:
    """Numbers by title, and their total over all titles."""
    whole = {"items": value} if isinstance(value, list) else _named(value)
    found: dict[str, int] = {}
    for item in whole["items"]:
        named = _named(item)
        title = _title(_first(named, "package", "content", "title", "name"))
        number = _number(_first(named, "visits", "count", "minutesactivity", "minutes"))
        found[title] = found.get(title, 0) + number
    given = [_number(part) for name, part in whole.items() if name.startswith("total")]
    if not given and len(found) >= LISTED:  # the oldest form has shares, and no total
        given = [_number(_total_from_share(whole["items"][0]))]
    return found, max(*given, max(found.values(), default=0), 0)


def _total_from_share(item: Mapping[str, Any]) -> int:
    share = item.get("percentage", 0)
    return round(item["count"] * 100 / share) if share > 0 else 0


def _popularity(value: Any) -> Values:
    found, given = _items(value)
    untitled = found.pop("", 0)
    rest = max(given - sum(found.values()), untitled)
    totals = {(_PACKAGE_VISITS, title): number for title, number in found.items()}
    return {**totals, (_PACKAGE_VISITS, ""): rest} if rest > 0 else totals


def _usage(value: Any) -> Values:
    found, given = _items(value)
    totals = {(_PACKAGE_USAGE, title): number for title, number in found.items() if title}
    return {**totals, (_USAGE, ""): given}


def _uptime(value: Any) -> Values:
    number = value if isinstance(value, int) else _first(_named(value), "nbminuteson", "minutes")
    return {(_UPTIME, ""): _number(number)}


def _shared_files(value: Any) -> Values:
    named = _named(value)
    names = ("filescreated", "filesdeleted")
    return {
        (_SHARED_FILES, operation): _number(named.get(name, 0))
        for operation, name in zip(_OPERATIONS, names, strict=True)
    }


_READ: Final = {2001: _popularity, 2003: _usage, 2004: _uptime, 2005: _shared_files}
