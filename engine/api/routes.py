"""The routes of the API: one function each, from what was asked to an `Answer`.

In: a decoded path and a raw query. Out: an `Answer`, or None when no route has this path.
Must not: know about headers, methods or hosts (that is `app`), nor about storage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, quote

import bottle

from engine import kpis
from engine.api import documentation
from engine.api.answers import (
    NEVER_STORE,
    Answer,
    error_answer,
    invalid_answer,
    invalid_parameter,
    json_answer,
    redirect_answer,
)
from engine.api.figures import Report
from engine.api.reading import Reading, UnreadableError
from engine.times import PERIOD_KINDS

ROOT: Final = "/api/v1"
PROMETHEUS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_MAX_QUERY_FIELDS = 20
_KPI_ID = re.compile(r"0*([0-9]{1,9})")
_WEEK_WITH_DASH = re.compile(r"([0-9]{4})-(W[0-9]{2})")


@dataclass(frozen=True, slots=True)
class Sources:
    """What is shown beside the figures, asked anew each time."""

    status: Callable[[], Mapping[str, Any]]
    health: Callable[[], list[str]]
    metrics: Callable[[], str]
    now: Callable[[], int]


class Routes:
    """All routes, found by Bottle's router."""

    def __init__(self, reading: Reading, sources: Sources) -> None:
        self._reading = reading
        self._sources = sources
        self.router = bottle.Bottle()
        for rule, make in (
            ("/api", self._to_root),
            ("/api/", self._to_root),
            (ROOT, self._to_root),
            (f"{ROOT}/", self._documentation),
            (f"{ROOT}/documentation.css", self._stylesheet),
            (f"{ROOT}/openapi.json", self._specification),
            (f"{ROOT}/aggregations", self._aggregations),
            (f"{ROOT}/aggregations/<kind>", self._aggregation),
            (f"{ROOT}/kpis/<kpi_id>/values", self._kpi_value),
            (f"{ROOT}/periods", self._periods),
            (f"{ROOT}/periods/<kind>/<label>", self._period),
            (f"{ROOT}/status", self._status),
            ("/health", self._health),
            ("/metrics", self._metrics),
        ):
            self.router.route(rule, "GET", make)

    def answer(self, path: str, query: str) -> Answer | None:
        """The answer for a path; raises what `Reading` raises."""
        query = _wanted_query(path, query)
        kept = self._reading.recall((path, query), self._minute())
        if kept is not None:
            return kept
        found = self._match(path)
        if found is not None:
            make, arguments = found
            return make(_Asked(path, query), **arguments)
        if path.endswith("/") and self._match(path[:-1]) is not None:
            return redirect_answer(quote(path[:-1]) + (f"?{quote(query, '=&+%')}" if query else ""))
        return None

    def kept(self, path: str, query: str) -> Answer | None:
        """The answer if it is at hand and still holds. Never raises for want of a database.

        While figures cannot be read nothing is at hand: finding out again may take seconds, and
        whoever asks this must not wait. A worker that succeeds changes that.
        """
        if not self._reading.readable:
            return None
        try:
            return self._reading.recall((path, _wanted_query(path, query)), self._minute())
        except UnreadableError:
            return None

    def _match(self, path: str) -> tuple[Callable[..., Answer], dict[str, str]] | None:
        try:
            route, arguments = self.router.match({"REQUEST_METHOD": "GET", "PATH_INFO": path})
        except bottle.HTTPError:
            return None
        return route.callback, arguments

    def _minute(self) -> int:
        return self._sources.now() // 60

    def _figures(
        self, asked: _Asked, make: Callable[[Report], Answer], *, minute: int | None = None
    ) -> Answer:
        return self._reading.compute((asked.path, asked.query), minute, make)

    def _to_root(self, _asked: _Asked) -> Answer:
        return redirect_answer(f"{ROOT}/")

    def _documentation(self, _asked: _Asked) -> Answer:
        return documentation.page()

    def _stylesheet(self, _asked: _Asked) -> Answer:
        return documentation.stylesheet()

    def _specification(self, _asked: _Asked) -> Answer:
        return documentation.specification_json()

    def _aggregations(self, asked: _Asked) -> Answer:
        return self._figures(asked, lambda report: json_answer(report.aggregations()))

    def _aggregation(self, asked: _Asked, kind: str) -> Answer:
        if kind not in PERIOD_KINDS:
            return invalid_answer(_bad_kind("path"))
        return self._figures(asked, lambda report: json_answer(report.aggregation(kind)))

    def _kpi_value(self, asked: _Asked, kpi_id: str) -> Answer:
        fields = _query_fields(asked.query)
        kind, label = fields.get("agg_kind", []), fields.get("agg_value", [])
        if not (kind and label):  # said first, as version 1 does
            return invalid_answer(*_not_given_once(agg_kind=kind, agg_value=label))
        number = _kpi_number(kpi_id)
        if number is None:
            return _KPI_NOT_FOUND
        problems = _not_given_once(agg_kind=kind, agg_value=label)
        if len(kind) == 1 and kind[0] not in PERIOD_KINDS:
            problems.append(_bad_kind("query"))
        if problems:
            return invalid_answer(*problems)

        def make(report: Report) -> Answer:
            found = report.kpi_value(number, kind[0], _canonical(label[0]))
            return _KPI_NOT_FOUND if found is None else json_answer(found)

        return self._figures(asked, make)

    def _periods(self, asked: _Asked) -> Answer:
        now = self._sources.now()
        return self._figures(
            asked, lambda report: json_answer(report.periods(now)), minute=now // 60
        )

    def _period(self, asked: _Asked, kind: str, label: str) -> Answer:
        if kind not in PERIOD_KINDS:
            return invalid_answer(_bad_kind("path"))
        now = self._sources.now()

        def make(report: Report) -> Answer:
            found = report.period(kind, _canonical(label), now)
            return _PERIOD_NOT_FOUND if found is None else json_answer(found)

        return self._figures(asked, make, minute=now // 60)

    def _status(self, _asked: _Asked) -> Answer:
        return json_answer(self._sources.status(), live=True)

    def _health(self, _asked: _Asked) -> Answer:
        reasons = self._sources.health()
        body = {"ok": not reasons, "reasons": reasons}
        return json_answer(body, status=503 if reasons else 200, live=True)

    def _metrics(self, _asked: _Asked) -> Answer:
        body = self._sources.metrics().encode("utf-8", "replace")
        return Answer(200, body, PROMETHEUS_TYPE, cache_control=NEVER_STORE)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The path, and the query where the route has one."""

    path: str
    query: str


def _wanted_query(path: str, query: str) -> str:
    """The query where a route has one. Elsewhere it is dropped, or `?1`, `?2`... would be kept."""
    return query if path.startswith(f"{ROOT}/kpis/") else ""


def _query_fields(query: str) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        return fields
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def _kpi_number(text: str) -> int | None:
    """The id of a known KPI, written in digits only; None for everything else."""
    found = _KPI_ID.fullmatch(text)
    number = int(found[1]) if found else 0
    return number if number in kpis.COMPATIBLE else None


def _not_given_once(**given: list[str]) -> list[dict[str, Any]]:
    """Parameters that are missing, or given twice so that they could be read in two ways."""
    problems = []
    for name, values in given.items():
        if not values:
            problems.append(invalid_parameter("query", name, "Field required", "missing"))
        elif len(values) > 1:
            problems.append(
                invalid_parameter("query", name, "Field must be given once", "too_many")
            )
    return problems


def _canonical(label: str) -> str:
    """`2026-W24`, as typed in commands and addresses, is the week `2026 W24`."""
    match = _WEEK_WITH_DASH.fullmatch(label)
    return f"{match[1]} {match[2]}" if match else label


def _bad_kind(place: str) -> dict[str, Any]:
    return invalid_parameter(place, "agg_kind", "Input should be 'D', 'W', 'M' or 'Y'", "enum")


_KPI_NOT_FOUND = error_answer(404, "KPI not found")
_PERIOD_NOT_FOUND = error_answer(404, "Period not found")
