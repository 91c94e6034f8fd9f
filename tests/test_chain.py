"""The real chain: a ZIM, kiwix-serve, Caddy, a browser's requests, both readers, the API."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab.browser import Browser, Header
from lab.caddy import Caddy
from lab.kiwix import KiwixServe
from lab.metrics import Metrics
from lab.processes import missing_programs
from lab.zims import zim
from tests.support.archive import PROGRAM, require_current

ROOT = Path(__file__).resolve().parent.parent
FILEBEAT = ROOT / "build" / "filebeat"
READERS = ("filebeat", "tail")
CURRENT = "caddy_access_logs.json"

READ_SECONDS = 60.0
"""Until a line is counted: seconds, on a busy machine too."""
SHOWN_SECONDS = 75.0
"""Until the API shows it: one save, which comes every minute, and some patience."""
RELOADS = 1400
"""Enough lines to make Caddy roll its log at 1 MiB."""

PACKAGES = """
packages:
  - {kind: zim, title: Bees, url: "//lib.box/viewer#bees_en"}
  - {kind: zim, title: Ants, url: "//lib.box/viewer#ants_en_2026-05"}
  - {kind: zim, title: Bees anew, url: "//new.box/viewer#bees_en"}
  - {kind: files, title: Games, url: "//games.box/"}
  - {kind: app, title: Docs, url: "//docs.box/", ident: edupi.offspot.kiwix.org}
  - {kind: app, title: Share, url: "//share.box/", ident: file-manager.offspot.kiwix.org}
"""

SITE = """
@lib host lib.box
handle @lib {{
  reverse_proxy 127.0.0.1:{kiwix}
}}
# As kiwix-serve 3.4 and later: ZIMs below /content/, old addresses redirected there.
@new host new.box
handle @new {{
  route {{
    @content path /content/*
    handle @content {{
      uri strip_prefix /content
      reverse_proxy 127.0.0.1:{kiwix} {{
        header_down Location ^/ /content/
      }}
    }}
    @old path_regexp old ^/([^/]+)/A/(.+)$
    redir @old /content/{{re.old.1}}/{{re.old.2}} 302
    respond /viewer "frame" 200
    respond 404
  }}
}}
@games host games.box
handle @games {{
  root * "{games}"
  file_server browse
}}
@docs host docs.box
handle @docs {{
  @created method POST
  @deleted method DELETE
  respond @created 201
  respond @deleted 204
  respond "[]" 200
}}
@share host share.box
handle @share {{
  @added query added=*
  @deleted query deleted=*
  header @added X-Tfm-Files-Added {{http.request.uri.query.added}}
  header @deleted X-Tfm-Files-Deleted {{http.request.uri.query.deleted}}
  respond "ok" 200
}}
handle {{
  respond "nobody's" 200
}}
"""

BROWSER: tuple[Header, ...] = (
    ("User-Agent", "Mozilla/5.0 (Linux; Android 13; K) Chrome/124.0.0.0 Mobile Safari/537.36"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "fr-FR,fr;q=0.8,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate"),
)

VISITS = {"Ants": 1, "Bees": 1, "Bees anew": 1, "Games": 2}
"""Home visits of one round of `click`."""
CREATED, DELETED = 5, 3
"""Files shared and removed in one round of `click`."""


@dataclass
class Offspot:
    """A running Caddy before a kiwix-serve, and the folder of its logs."""

    caddy: Caddy
    packages: Path

    @property
    def logs(self) -> Path:
        return self.caddy.log.parent

    def lines(self) -> list[dict[str, Any]]:
        """Every line logged so far, in whatever file it is now."""
        return [
            json.loads(line)
            for path in sorted(self.logs.iterdir())
            for line in path.read_bytes().split(b"\n")[:-1]
        ]


@pytest.fixture
def offspot(tmp_path: Path) -> Iterator[Offspot]:
    require_current()
    missing = missing_programs("caddy", "kiwix-serve", "zimwriterfs")
    missing += [str(path) for path in (FILEBEAT,) if not path.exists()]
    if missing:
        pytest.fail(f"not there: {', '.join(missing)}; `make test` sets them up")
    style = '<link rel="stylesheet" href="style.css">'
    pages = {
        "index.html": f"<html><head><title>Home</title>{style}</head><body>Home</body></html>",
        "Wax.html": f"<html><head><title>Wax</title>{style}</head><body>Wax is soft.</body></html>",
        "style.css": "body { margin: 1em }",
    }
    zims = [
        zim(tmp_path / "bees_en.zim", name="bees_en", title="Bees", pages=pages),
        zim(tmp_path / "ants_en_2026-05.zim", name="ants_en", title="Ants", pages=pages),
    ]
    games = tmp_path / "games"
    games.mkdir()
    (games / "chess.txt").write_text("e4 e5\n")
    packages = tmp_path / "packages.yml"
    packages.write_text(PACKAGES)
    with KiwixServe(tmp_path / "kiwix", zims) as kiwix:
        site = SITE.format(kiwix=kiwix.port, games=games)
        with Caddy(tmp_path / "caddy", site, tmp_path / "logs" / CURRENT) as caddy:
            yield Offspot(caddy, packages)


def click(offspot: Offspot) -> int:
    """One round of what visitors do; how many requests were made."""
    with Browser(offspot.caddy.address, BROWSER) as browser:
        before = browser.requests
        # Debian's kiwix-serve: the home redirects to the first page.
        assert browser.follow("lib.box", "/bees_en/") == ["/bees_en/", "/bees_en/index.html"]
        style = browser.get("lib.box:80", "/bees_en/style.css")
        fresh = browser.get(
            "lib.box", "/bees_en/style.css", [("If-None-Match", style.headers["etag"])]
        )
        assert fresh.status == 304
        assert browser.get("lib.box", "/bees_en/A/Wax.html").status == 200
        assert browser.get("lib.box", "/bees_en/Honey.html").status == 404
        assert browser.get("lib.box", "/search?content=bees_en&pattern=wax").status == 200
        assert browser.get("lib.box", "/skin/taskbar.css").status == 200
        # A dated ZIM by its undated name, the path in another spelling.
        assert browser.follow("Lib.Box", "/ants%5Fen/")[-1].endswith("index.html")
        # A newer kiwix-serve.
        assert browser.get("new.box", "/viewer").status == 200
        assert browser.follow("new.box", "/content/bees_en") == [
            "/content/bees_en",
            "/content/bees_en/index.html",
        ]
        assert browser.follow("new.box", "/bees_en/A/Wax.html")[-1] == "/content/bees_en/Wax.html"
        # Files: the home twice, once by a HEAD that is no visit.
        assert browser.get("games.box", "/").status == 200
        assert browser.get("GAMES.BOX:80", "/?sort=name").status == 200
        assert browser.ask("HEAD", "games.box", "/").status == 200
        assert browser.get("games.box", "/chess.txt", [("Range", "bytes=0-1")]).status == 206
        # Shared files: two by EduPi and three by the file manager, then one and two removed.
        for _ in range(2):
            assert browser.ask("POST", "docs.box", "/api/documents/", body=b"x").status == 201
        assert browser.ask("DELETE", "docs.box", "/api/documents/7").status == 204
        assert browser.ask("POST", "share.box", "/?added=3", body=b"x").status == 200
        assert browser.ask("POST", "share.box", "/?deleted=2", body=b"x").status == 200
        assert browser.get("nowhere.box", "/").status == 200
        return browser.requests - before


def reload_a_page(offspot: Offspot) -> int:
    """Ask for one page so often that Caddy rolls its log; how many requests were made."""
    with Browser(offspot.caddy.address, BROWSER) as browser:
        for _ in range(RELOADS):
            assert browser.get("lib.box", "/bees_en/Wax.html").status == 200
        return browser.requests


def expected(offspot: Offspot, rounds: int) -> dict[int, Any]:
    """The KPIs of so many rounds; minutes of use follow from the hours in which they were made."""
    visits = sorted(VISITS.items(), key=lambda item: (-item[1], item[0]))
    active: dict[str, dict[int, set[int]]] = {}
    names = {
        "lib.box/bees_en": "Bees",
        "lib.box/ants%5Fen": "Ants",
        "lib.box/ants_en": "Ants",
        "new.box/content": "Bees anew",
    }
    for line in offspot.lines():
        host = line["request"]["host"].lower().removesuffix(":80")
        first = host + "/" + line["request"]["uri"].split("/")[1]
        title = names.get(first) or {
            "games.box": "Games",
            "docs.box": "Docs",
            "share.box": "Share",
        }.get(host)
        if title and line["status"] < 400:
            hour, minute = divmod(int(line["ts"]) // 60, 60)
            for key in (title, ""):
                active.setdefault(key, {}).setdefault(hour, set()).add(minute)
    minutes = {
        title: 10 * sum(len({(m - min(on)) // 10 for m in on}) for on in hours.values())
        for title, hours in active.items()
    }
    total = minutes.pop("")
    usage = sorted(minutes.items(), key=lambda item: (-item[1], item[0]))
    return {
        2001: {
            "items": [{"package": title, "visits": n * rounds} for title, n in visits],
            "totalVisits": sum(VISITS.values()) * rounds,
        },
        2003: {
            "items": [{"package": title, "minutesActivity": n} for title, n in usage],
            "totalMinutesActivity": total,
        },
        2005: {"filesCreated": CREATED * rounds, "filesDeleted": DELETED * rounds},
    }


def has_read(metrics: Metrics, lines: int) -> bool:
    read: int = metrics.api("/api/v1/status")["lines"]["read"]
    return read >= lines


def zone_within_a_year(now: datetime) -> tuple[str, int]:
    """A time zone of whole hours in which no year ends within two hours, and the year there.

    Caddy writes the time of the machine, so the test cannot choose another one.
    """
    for ahead in (0, 12):
        there, later = (now + timedelta(hours=ahead + more) for more in (0, 2))
        if there.year == later.year:
            return (f"Etc/GMT-{ahead}" if ahead else "UTC"), there.year
    raise AssertionError(now)


@pytest.mark.parametrize(
    ("now", "zone", "year"),
    [
        ("2028-02-29T12:00", "UTC", 2028),
        ("2026-12-31T21:59", "UTC", 2026),
        ("2026-12-31T23:58", "Etc/GMT-12", 2027),
        ("2027-01-01T00:00", "UTC", 2027),
    ],
)
def test_the_zone_of_the_chain_has_one_year(now: str, zone: str, year: int) -> None:
    """The figures of the chain are those of one year, also in the last minutes of December."""
    assert zone_within_a_year(datetime.fromisoformat(now + "+00:00")) == (zone, year)


def shows(metrics: Metrics, year: int, wanted: dict[int, Any]) -> bool:
    """Whether the REST API has these KPIs of the year; the uptime is left aside."""
    return wanted == {
        kpi: metrics.api(f"/api/v1/kpis/{kpi}/values?agg_kind=Y&agg_value={year}").get("value")
        for kpi in (2001, 2003, 2005)
    }


def printed(database: Path, zone: str) -> tuple[dict[int, Any], int]:
    """The KPIs of the year as `kpis` prints them from a database at rest, and the uptime."""
    done = subprocess.run(
        [
            str(PROGRAM),
            "kpis",
            "--period",
            "this-year",
            "--format",
            "json",
            "--database",
            str(database),
        ],
        capture_output=True,
        check=True,
        timeout=60,
        env={**os.environ, "TZ": zone},
    )
    kpis = {kpi["kpiId"]: kpi["value"] for kpi in json.loads(done.stdout)["kpis"]}
    return kpis, kpis.pop(2004)["nbMinutesOn"]


@pytest.mark.timeout(400)
def test_figures_are_what_was_clicked(offspot: Offspot, tmp_path: Path) -> None:
    """Both readers show in the API, and leave in the database, exactly what visitors did."""
    started_at, begin = datetime.now(UTC), time.monotonic()
    zone, year = zone_within_a_year(started_at)
    databases = {reader: tmp_path / f"{reader}.db" for reader in READERS}

    def serve(stack: ExitStack) -> dict[str, Metrics]:
        return {
            reader: stack.enter_context(
                Metrics(
                    PROGRAM,
                    [
                        *("--packages", str(offspot.packages), "--logs", str(offspot.logs)),
                        *("--database", str(databases[reader]), "--reader", reader),
                        *(("--filebeat", str(FILEBEAT)) if reader == "filebeat" else ()),
                    ],
                    tmp_path / reader,
                    zone,
                )
            )
            for reader in READERS
        }

    # Lines come while the program runs, and Caddy rolls its log meanwhile.
    with ExitStack() as stack:
        running = serve(stack)
        requests = click(offspot) + reload_a_page(offspot)
        for metrics in running.values():
            metrics.wait_for(
                partial(has_read, metrics, requests),
                f"{requests} lines read",
                READ_SECONDS,
            )
            assert metrics.api("/api/v1/status")["lines"]["not-json"] == 0
            assert metrics.stop() == 0
    assert len(offspot.lines()) == requests
    assert len(list(offspot.logs.iterdir())) > 1, "Caddy was to roll its log"
    for database in databases.values():
        assert printed(database, zone)[0] == expected(offspot, rounds=1)

    # Lines come while it is down, and are found at the next start; none counts twice.
    click(offspot)
    with ExitStack() as stack:
        running = serve(stack)
        wanted = expected(offspot, rounds=2)
        for metrics in running.values():
            metrics.wait_for(
                partial(shows, metrics, year, wanted),
                "the figures of both rounds",
                SHOWN_SECONDS,
            )
            assert metrics.stop() == 0
    for database in databases.values():
        figures, uptime = printed(database, zone)
        assert figures == wanted
        assert 1 <= uptime <= (time.monotonic() - begin) // 60 + 2
