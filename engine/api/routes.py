"""The routes of the API and of the dashboard: one function each, from a request to an `Answer`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import bottle

from engine import kpis
from engine.api import manual
from engine.api.answer_cache import AnswerCache
from engine.api.answers import (
    NEVER_STORE,
    Answer,
    error_answer,
    headers_of,
    invalid_answer,
    invalid_parameter,
    json_answer,
    redirect_answer,
)
from engine.api.assets import Assets
from engine.api.figures import read_request, unknown_parameters
from engine.api.files import figures_in_format
from engine.http.wsgi import DEFERRED
from engine.times import PERIOD_KINDS

if TYPE_CHECKING:
    from engine.report import Report

ROOT: Final = "/api/v1"
PROMETHEUS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
REST: Final = "/<path:path>"
"""The rule of whatever no other one matches."""

_API_PREFIXES = ("/api", "/health", "/metrics")
_MAX_QUERY_FIELDS = 20
_KPI_ID = re.compile(r"0*([0-9]{1,9})")
_WEEK_WITH_DASH = re.compile(r"([0-9]{4})-(W[0-9]{2})")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where answers come from. All are called from any thread, at each request.

    `open_report` is called once in each thread that answers, and again after a failure. `health`:
    reasons why not, empty when healthy, for `/health` and what may stand behind it. `verdict`:
    what `/health` adds to its reasons. `metrics`: Prometheus text. `now`: whole epoch seconds.
    `site_name`: the name of the hotspot, empty for none.
    """

    open_report: Callable[[], Report]
    status: Callable[[], Mapping[str, Any]]
    health: Mapping[str, Callable[[], list[str]]]
    metrics: Callable[[], str]
    now: Callable[[], int]
    site_name: Callable[[], str] = str
    verdict: Callable[[], Mapping[str, Any]] = dict


class Routes:
    """What each path answers."""

    def __init__(self, cache: AnswerCache, sources: Sources, assets: Assets) -> None:
        self._cache = cache
        self._sources = sources
        self._assets = assets

    def add_to(self, app: bottle.Bottle) -> None:
        """Register all routes."""
        self._router = app.router
        app.get(["/api", "/api/", ROOT], callback=self._to_root)
        app.get(f"{ROOT}/", callback=self._documentation)
        app.get(f"{ROOT}/documentation.css", callback=self._stylesheet)
        app.get(f"{ROOT}/openapi.json", callback=self._specification)
        app.get(f"{ROOT}/aggregations", callback=self._aggregations)
        app.get(f"{ROOT}/aggregations/<kind>", callback=self._aggregation)
        app.get(f"{ROOT}/kpis/<kpi_id>/values", callback=self._kpi_value)
        app.get(f"{ROOT}/periods", callback=self._periods)
        app.get(f"{ROOT}/periods/<kind>/<label>", callback=self._period)
        app.get(f"{ROOT}/figures", callback=self._any_figures)
        app.get(f"{ROOT}/packages", callback=self._packages)
        app.get(f"{ROOT}/status", callback=self._status)
        for probe in self._sources.health:
            app.get(f"/health{probe}", callback=partial(self._health, probe))
        app.get("/metrics", callback=self._metrics)
        app.get(["/", REST], callback=self._rest)

    def _rest(self, path: str = "") -> Answer:
        """A file of the dashboard, its page, or the route of the API that was meant."""
        path = f"/{path}"
        if path.startswith(_API_PREFIXES):
            if path.endswith("/") and self._has_route(path[:-1]):
                query = f"?{quote(_wanted_query(path), '=&+%')}"
                return redirect_answer(quote(path[:-1]) + query.rstrip("?"))
            if path.startswith("/api"):
                return NOT_FOUND
        return self._assets.find(path) or NOT_FOUND

    def _has_route(self, path: str) -> bool:
        route, _ = self._router.match({"REQUEST_METHOD": "GET", "PATH_INFO": path})
        return bool(route.rule != REST)

    def _figures(
        self, make: Callable[[Report], Answer], *, minute: int | None = None, query: str = ""
    ) -> Answer:
        path: str = bottle.request.environ["PATH_INFO"]
        return self._cache.get((path, query or _wanted_query(path)), minute, make, defer)

    def _to_root(self) -> Answer:
        return redirect_answer(f"{ROOT}/")

    def _documentation(self) -> Answer:
        defer()
        return manual.page()

    def _stylesheet(self) -> Answer:
        defer()
        return manual.stylesheet()

    def _specification(self) -> Answer:
        defer()
        return manual.specification()

    def _aggregations(self) -> Answer:
        return self._figures(lambda report: json_answer(report.aggregations()))

    def _aggregation(self, kind: str) -> Answer:
        if kind not in PERIOD_KINDS:
            return invalid_answer(_bad_kind("path"))
        return self._figures(lambda report: json_answer(report.aggregation(kind)))

    def _kpi_value(self, kpi_id: str) -> Answer:
        kind, label = _query_values("agg_kind"), _query_values("agg_value")
        if not (kind and label):  # first, as version 1 does
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

        return self._figures(make)

    def _periods(self) -> Answer:
        now = self._sources.now()
        return self._figures(lambda report: json_answer(report.periods(now)), minute=now // 60)

    def _period(self, kind: str, label: str) -> Answer:
        if kind not in PERIOD_KINDS:
            return invalid_answer(_bad_kind("path"))
        now = self._sources.now()

        def make(report: Report) -> Answer:
            found = report.period(kind, _canonical(label), now)
            return _PERIOD_NOT_FOUND if found is None else json_answer(found)

        return self._figures(make, minute=now // 60)

    def _any_figures(self) -> Answer:
        request = read_request(_given())
        if isinstance(request, list):
            return invalid_answer(*request)
        now = self._sources.now()

        def make(report: Report) -> Answer:
            hotspot = "" if request.format == "json" else self._sources.site_name()
            return figures_in_format(report.figures(request.query, now), request, hotspot, now)

        return self._figures(make, minute=now // 60, query=repr(request))

    def _packages(self) -> Answer:
        if problems := unknown_parameters(_given(), {}):
            return invalid_answer(*problems)
        now = self._sources.now()
        return self._figures(lambda report: json_answer(report.packages(now)), minute=now // 60)

    def _status(self) -> Answer:
        defer()
        return json_answer(self._sources.status(), live=True)

    def _health(self, probe: str) -> Answer:
        if probe != "/live":  # that one takes no time, and waits for no worker
            defer()
        reasons = self._sources.health[probe]()
        body = {"ok": not reasons, "reasons": reasons}
        if not probe:
            body |= self._sources.verdict()
        return json_answer(body, status=503 if reasons else 200, live=True)

    def _metrics(self) -> Answer:
        defer()
        body = self._sources.metrics().encode("utf-8", "replace")
        return Answer(200, headers_of(PROMETHEUS_TYPE, NEVER_STORE), body)


def defer() -> None:
    """Called before what takes time: leaves the request to a worker, unless a worker asks."""
    deferred = bottle.request.environ.get(DEFERRED)
    if deferred is not None:
        raise deferred


def _wanted_query(path: str) -> str:
    """The query where a route has one. Elsewhere it is dropped, or `?1`, `?2`... were cached."""
    query: str = bottle.request.query_string
    return query if path.startswith(f"{ROOT}/kpis/") else ""


def _query_values(name: str) -> list[str]:
    """What the query gives for this parameter; nothing where it has too many of all."""
    if bottle.request.query_string.count("&") >= _MAX_QUERY_FIELDS:
        return []
    values: list[str] = bottle.request.query.getall(name)
    return [value.encode("latin-1").decode("utf-8", "replace") for value in values]


def _given() -> dict[str, list[str]]:
    """Every parameter of the query with its values; one that nobody knows where there are many."""
    if bottle.request.query_string.count("&") >= _MAX_QUERY_FIELDS:
        return {"": []}
    return {name: _query_values(name) for name in bottle.request.query}


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


NOT_FOUND = error_answer(404, "Not Found")
_KPI_NOT_FOUND = error_answer(404, "KPI not found")
_PERIOD_NOT_FOUND = error_answer(404, "Period not found")
