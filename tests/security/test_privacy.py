"""Nothing of a visitor is kept or told (S22): real traffic with markers, every byte searched."""

from __future__ import annotations

import base64
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from lab.browser import Browser, Header
from lab.caddy import Caddy
from lab.processes import LOOPBACK, missing_programs
from tests.security.cases import CURRENT, DAY, SECONDS, Serve, line

SOURCE = "127.0.42.77"
"""An address of this machine that nobody else uses."""
LOGIN, SECRET = "marker-login", "marker-password"
BASIC = base64.b64encode(f"{LOGIN}:{SECRET}".encode()).decode()
HEADERS: tuple[Header, ...] = (
    ("User-Agent", "marker-agent/1.0 (MarkerPhone)"),
    ("Authorization", f"Basic {BASIC}"),
    ("Cookie", "session=marker-cookie"),
    ("Referer", "http://lib.box/marker-referer"),
    ("X-Forwarded-For", "203.0.113.99"),
    ("Accept-Language", "marker-language"),
    ("Via", "marker-via"),
)
VISITS = [
    ("GET", "lib.box", "/content/bees_en/"),
    ("GET", "lib.box", "/content/bees_en/marker-page.html?token=marker-token#marker-fragment"),
    ("GET", "lib.box", f"/search?content=bees_en&pattern={quote('marker search')}"),
    ("GET", "games.box", "/marker-file.zip"),
    ("POST", "docs.box", "/api/documents/"),
    ("DELETE", "docs.box", "/api/documents/marker-document"),
    ("POST", "share.box", "/upload/marker-name.pdf"),
    ("GET", "marker-host.example", "/marker-path"),
    ("GET", f"{LOGIN}.lib.box", "/content/bees_en/"),
]
MARKERS = [
    *("marker", "Marker", BASIC, SOURCE, "203.0.113.", "search?", "token="),
    *("MarkerPhone", "Mozilla", "/content/", "/api/documents"),
]
ROUTES = [
    *("/", "/api/v1/", "/api/v1/openapi.json", "/api/v1/aggregations", "/api/v1/status"),
    *("/api/v1/periods", "/metrics", "/health", "/nothing.js", "/api/nothing", "/overview"),
    *(f"/api/v1/aggregations/{kind}" for kind in "DWMYX"),
    *(f"/api/v1/kpis/{kpi}/values?agg_kind=D&agg_value={DAY}" for kpi in (2001, 2003, 2004, 2005)),
    *("/api/v1/kpis/x/values", "/api/v1/periods/D/x", "/api/v1/periods/Y/2026"),
]
OWN = {"/api/v1/", "/api/v1/openapi.json"}
"""Documentation: it names its own routes, and nothing else."""
SOFTWARE = re.compile(
    rb"python|waitress|bottle|sqlite[ /][0-9]|traceback|File \"|/engine/|"
    + platform.python_version().encode(),
    re.I,
)


@pytest.fixture
def caddy(tmp_path: Path) -> Iterator[Caddy]:
    """A proxy that answers everything, and shares a file when asked to."""
    assert not missing_programs("caddy")
    site = """
      header /upload/* X-Tfm-Files-Added 2
      respond /api/documents/ 201
      respond /api/documents/* 204
      respond "ok" 200
    """
    with Caddy(tmp_path / "caddy", site, tmp_path / "serve" / "logs" / CURRENT) as running:
        yield running


def found_in(data: bytes) -> list[str]:
    """The markers that are in some bytes, in any of the usual encodings."""
    found = [marker for marker in MARKERS if marker.encode() in data]
    return found + [marker for marker in MARKERS if marker.encode("utf-16-le") in data]


@pytest.mark.parametrize("reader", ["filebeat", "tail"])
def test_nothing_of_a_visitor_is_kept_or_told(
    caddy: Caddy, tmp_path: Path, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No address, login, user agent, cookie or address of a page: not in files, answers, log."""
    runtime = tmp_path / "run"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    with Serve(tmp_path / "serve", reader=reader) as serve:
        with Browser(caddy.address, HEADERS, source=SOURCE) as browser:
            for method, host, target in VISITS:
                browser.ask(method, host, target)
            asked = browser.requests
        raw = caddy.log.read_bytes()
        assert all(marker in raw.decode() for marker in ("marker-agent", SOURCE, "marker-page"))
        with caddy.log.open("ab") as log:  # lines that are odd, broken, and of a login
            good = line("/content/bees_en/marker").replace(b'"user_id":""', b'"user_id":"marker"')
            log.write(good + good[: len(good) // 2] + b"\n" + b"marker " * 100 + b"\n")
            log.write(good.replace(b'"ts":', b'"ts":1e99'))
            log.write(good.replace(b'"status":200', b'"status":"marker"'))
        serve.wait_for_lines(asked + 5)
        serve.wait_for(lambda: serve.metric("saves_total") >= 1, "a save", SECONDS)
        with Browser((LOOPBACK, serve.port), HEADERS, source=SOURCE) as browser:
            for route in [*ROUTES, "/marker?marker=marker", "/api/v1/periods/D/marker"]:
                answer = browser.get("localhost", route)
                told = repr(sorted(answer.headers.items())).encode() + answer.body
                if route not in OWN:
                    assert found_in(told) == [], route
                assert not SOFTWARE.search(told), route
            for host in ("marker.example", "marker"):
                assert found_in(browser.get(host, "/").body) == []
            assert found_in(browser.ask("MARKER", "localhost", "/marker").body) == []
        files = [path for path in (*serve.data.rglob("*"), *runtime.rglob("*")) if path.is_file()]
        names = {path.name for path in files}
        assert {"metrics.db", "metrics.db-wal"} <= names
        for path in files:
            assert found_in(path.read_bytes()) == [], path
        assert serve.stop() == 0
    for path in (*serve.data.rglob("*"), *runtime.rglob("*")):
        assert path.is_dir() or found_in(path.read_bytes()) == [], path
    assert found_in(serve.said().encode()) == []
    assert not SOFTWARE.search(serve.said().encode())
    with Serve(tmp_path / "serve", reader=reader) as again:
        lines = again.lines
        assert again.stop() == 0
    assert lines["read"] == asked + 5
    assert lines["counted"] >= 7, "the traffic was counted all the same"
