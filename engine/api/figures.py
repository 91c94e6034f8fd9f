"""The parameters of `/api/v1/figures`: read and checked, with every problem named at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from engine.api.answers import invalid_parameter
from engine.figures.answers import BY, Query
from engine.figures.comparison import OTHERS
from engine.figures.stretch import FIRST_YEAR, LAST_YEAR
from engine.settings.choices import LANGUAGES
from engine.text import MAX_TITLE_LENGTH

FORMATS: Final = ("json", "csv", "xlsx")
MAX_DAYS: Final = 3_700
"""Longer than anything that was ever counted; a bound of what one answer may cost."""
MAX_DAYS_OF_HOURS: Final = 800
MAX_DAYS_OF_HOURS_IN_XLSX: Final = 370
"""Cells of a workbook are in memory, and eight may be made at once."""

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.A)
_NUMBER = re.compile(r"[0-9]{1,6}", re.A)
_REQUIRED = ("from", "to")
Problem = dict[str, Any]


@dataclass(frozen=True)
class FiguresRequest:
    """What is asked for, and how it is to be written."""

    query: Query
    format: str
    language: str | None


def read_request(given: Mapping[str, list[str]]) -> FiguresRequest | list[Problem]:
    """The request that the parameters make, or what is wrong with them.

    `given`: each parameter of the query with its values.
    """
    values: dict[str, Any] = {}
    problems = unknown_parameters(given, _PARAMETERS)
    for name, read in _PARAMETERS.items():
        texts = given.get(name, [])
        if len(texts) > 1:
            problems.append(
                invalid_parameter("query", name, "Field must be given once", "too_many")
            )
        elif texts:
            value = read.value(texts[0])
            if value is None:
                problems.append(invalid_parameter("query", name, read.problem, read.kind))
            else:
                values[name] = value
        elif name in _REQUIRED:
            problems.append(invalid_parameter("query", name, "Field required", "missing"))
    return problems or _contradictions(values) or _request(values)


def unknown_parameters(
    given: Mapping[str, list[str]], known: Mapping[str, object]
) -> list[Problem]:
    """One problem where a parameter is none of the known ones; it does not repeat what was sent."""
    if set(given) <= set(known):
        return []
    names = f"only {', '.join(known)} are known" if known else "there are none here"
    message = f"Unknown parameter: {names}"
    return [{"loc": ["query"], "msg": message, "type": "extra_forbidden"}]


def _contradictions(values: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with parameters that are right by themselves."""
    first, last, by = values["from"], values["to"], values.get("by", "package")
    if first > last:
        return [invalid_parameter("query", "to", "Input should not be before from", "value_error")]
    most = MAX_DAYS
    if by == "hour":
        is_xlsx = values.get("format") == "xlsx"
        most = MAX_DAYS_OF_HOURS_IN_XLSX if is_xlsx else MAX_DAYS_OF_HOURS
    if (last - first).days >= most:
        message = f"Input should make at most {most} days with from"
        return [invalid_parameter("query", "to", message, "value_error")]
    if "lang" in values and values.get("format", "json") == "json":
        message = "Field is for the formats csv and xlsx"
        return [invalid_parameter("query", "lang", message, "value_error")]
    return []


def _request(values: Mapping[str, Any]) -> FiguresRequest:
    query = Query(
        first=values["from"],
        last=values["to"],
        by=values.get("by", "package"),
        package=values.get("package"),
        limit=values.get("limit", 0),
        offset=values.get("offset", 0),
        compare=values.get("compare"),
    )
    return FiguresRequest(query, values.get("format", "json"), values.get("lang"))


@dataclass(frozen=True)
class _Parameter:
    """How the text of a parameter is read (None: it is wrong), and what to say if it cannot."""

    value: Callable[[str], Any]
    problem: str
    kind: str


def _one_of(names: tuple[str, ...]) -> _Parameter:
    *others, last = (f"'{name}'" for name in names)
    listed = f"{', '.join(others)} or {last}" if others else last
    return _Parameter(
        lambda text: text if text in names else None, f"Input should be {listed}", "enum"
    )


def _date(text: str) -> date | None:
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    try:
        day = date(*map(int, found.groups()))
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


_DAY: Final = _Parameter(_date, "Input should be a date such as 2026-09-01", "date_parsing")
_COUNT: Final = _Parameter(
    lambda text: int(text) if _NUMBER.fullmatch(text) else None,
    "Input should be a number from 0 to 999999",
    "int_parsing",
)
_PARAMETERS: Final = {
    "from": _DAY,
    "to": _DAY,
    "by": _one_of(BY),
    "package": _Parameter(
        lambda text: text if len(text) <= MAX_TITLE_LENGTH else None,
        f"Input should have at most {MAX_TITLE_LENGTH} characters",
        "string_too_long",
    ),
    "limit": _COUNT,
    "offset": _COUNT,
    "compare": _one_of(tuple(OTHERS)),
    "format": _one_of(FORMATS),
    "lang": _one_of(LANGUAGES),
}
