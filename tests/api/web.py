"""Shared by the tests of HTTP and the API: an application over a real database of a week, a client.

Every WSGI call goes through the validator of the standard library.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator
from zoneinfo import ZoneInfo

from engine.api.app import Api, ApiSettings
from engine.api.assets import Assets, load_assets
from engine.api.routes import Sources
from engine.http.wsgi import DEFERRED, Deferred
from engine.indicators.model import States
from engine.report import Report
from engine.store.reader import Reader
from engine.store.store import Store

NOON = 1781431200
"""2026-06-14 10:00 UTC, a Sunday: 12:00 in Paris."""
HOUR = 3600
DAY = 24 * HOUR
PARIS = ZoneInfo("Europe/Paris")
STRICT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""The Content-Security-Policy of the contract, word by word."""

STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "serverTime": NOON,
    "startedAt": NOON - 60,
    "timezone": "Europe/Paris",
    "site": {"name": "Kiwix Hotspot", "fqdn": "my.hotspot", "id": None, "logo": None},
    "processing": True,
    "verdict": {
        "state": "not-counting",
        "reasons": [
            {
                "code": "lines-with-errors",
                "state": "not-counting",
                "values": {"lines": 20, "detail": "404"},
                "text": "none of 20 lines counts",
                "remedy": "check that the content is there",
            }
        ],
    },
    "collectingSince": None,
    "lastLineAt": None,
    "lastSaveAt": None,
    "lines": {"read": 3, "counted": 2, "unmatched": 1},
    "packages": {
        "stale": False,
        "message": None,
        "warnings": [],
        "items": [{"title": "Bees", "kinds": ["zim"], "lastSeenAt": None}],
    },
    "reader": {"kind": "tail", "state": "running", "restarts": 0, "lagBytes": 0, "files": 1},
    "loss": {"bytes": 0, "atLeast": False, "logs": 0},
    "clock": {"trusted": None, "steadySeconds": 0, "steps": []},
    "disk": {"databaseBytes": 4096, "freeBytes": 1 << 30},
    "health": {"ok": True, "reasons": []},
}


def an_hour(hour: int, *, visits: int = 5, packages: int = 2) -> States:
    """States of one hour: minutes 9 and 10 in use, the whole of it on, two files shared."""
    minutes, whole = 0b11 << 9, (1 << 60) - 1
    states: States = {
        (hour, 1004, ""): whole,
        (hour, 1005, ""): minutes,
        (hour, 1003, "FILE_CREATED"): 2,
    }
    for number in range(packages):
        title = (
            ["Bees", 'Games "><img src=x onerror=alert(1)>'][number] if number < 2 else f"P{number}"
        )
        states[hour, 1001, title] = visits + number
        states[hour, 1006, title] = minutes
    return states


class Hotspot:
    """A database in a folder, written as `serve` writes it, and reports on it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "metrics.db"
        self.store = Store.open(self.path, PARIS)
        self.now = NOON

    def save(self, states: States, running_hour: int | None = None) -> None:
        """One commit."""
        self.store.commit(states, running_hour=running_hour, meta={"saved_at": self.now})

    def open_report(self) -> Report:
        """A report with a connection of its own."""
        return Report(Reader.open(self.path))

    def close(self) -> None:
        """Close the writing connection."""
        self.store.close()


def a_week(folder: Path) -> Hotspot:
    """A hotspot that was used for one hour on each of eight days, the last one today."""
    hotspot = Hotspot(folder)
    for days in range(7, -1, -1):
        hotspot.save(an_hour(NOON - HOUR - days * DAY, visits=5 + days, packages=14))
    return hotspot


def an_app(
    open_report: Callable[[], Any],
    *,
    settings: ApiSettings | None = None,
    assets: Assets | None = None,
    now: Callable[[], int] = lambda: NOON,
    health: Callable[[], list[str]] = list,
    probes: dict[str, Callable[[], list[str]]] | None = None,
    site_name: Callable[[], str] = str,
) -> Api:
    """An application with a plain status and metrics."""
    sources = Sources(
        open_report=open_report,
        status=lambda: STATUS,
        health={"": health, "/live": list, "/ready": list} | (probes or {}),
        metrics=lambda: (
            "# TYPE offspot_metrics_saves_total counter\noffspot_metrics_saves_total 1\n"
        ),
        now=now,
        site_name=site_name,
    )
    return Api(sources, assets or load_assets(package="no_such_package"), settings)


@dataclass(frozen=True)
class Reply:
    """What came back. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Client:
    """Asks an application without a socket."""

    def __init__(self, app: Any, host: str = "127.0.0.1:8000") -> None:
        self._app = validator(app)
        self._host = host

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        *,
        raw_path: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Reply:
        """One request. `raw_path` goes into PATH_INFO as it is (bytes as latin-1 text)."""
        path, _, query = target.partition("?")
        environ: dict[str, Any] = {}
        setup_testing_defaults(environ)
        wsgi_path = path.encode().decode("latin-1") if raw_path is None else raw_path
        environ.update(
            REQUEST_METHOD=method,
            SCRIPT_NAME="",
            PATH_INFO=wsgi_path,
            QUERY_STRING=query,
            HTTP_HOST=self._host,
        )
        environ["wsgi.input"] = io.BytesIO()
        environ.update(extra or {})
        for name, value in (headers or {}).items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        seen: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, response_headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], object]:
            assert exc_info is None
            seen.append((status, response_headers))
            return lambda _: None

        result = self._app(environ, start_response)
        try:
            body = b"".join(result)
        finally:
            result.close()  # type: ignore[attr-defined]
        [(status, response_headers)] = seen
        names = [name.lower() for name, _ in response_headers]
        assert len(names) == len(set(names)), f"a header twice: {names}"
        return Reply(
            int(status[:3]), {name.lower(): value for name, value in response_headers}, body
        )

    def at_hand(self, target: str, **headers: str) -> bool:
        """Whether the thread of the loop gets an answer, and need not leave it to a worker."""
        try:
            self.ask("GET", target, _names(headers), extra={DEFERRED: Deferred})
        except Deferred:
            return False
        return True

    def get(self, target: str, **headers: str) -> Reply:
        """GET; `Accept_Encoding="gzip"` is the header Accept-Encoding."""
        return self.ask("GET", target, _names(headers))


def _names(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def quoted(label: str) -> str:
    """A label in a query."""
    return quote(label, safe="")
