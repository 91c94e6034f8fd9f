"""Workloads: logs that a real Caddy wrote under load, made once and kept below build/.

Each line is Caddy's to the byte; only in the larger and the spread logs the whole seconds of `ts`
are other than recorded.

The load is our own generator: requests with browsers' headers, many on their way at a time on
each connection, drawn from a mix that is like a school's: pages and what they load, homes,
revalidation, redirects, searches, uploads, missing pages, probes of phones, percent-encoding.
"""

from __future__ import annotations

import random
import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from lab.caddy import Caddy
from lab.processes import wait_until

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / "build" / "bench"
SEED: Final = 20260614

LIBRARY = "library.school.test"
OLD_LIBRARY = "kiwix.school.test"
ZIMS: Final = tuple(
    f"{kind}_{language}_{topic}_2026-0{month}"
    for month, (kind, language, topic) in enumerate(
        [
            ("wikipedia", "fr", "all"),
            ("wikipedia", "en", "schools"),
            ("wiktionary", "fr", "all"),
            ("vikidia", "fr", "all"),
            ("gutenberg", "fr", "all"),
            ("phet", "mul", "all"),
            ("khan-academy", "fr", "maths"),
            ("wikibooks", "en", "all"),
            ("ted", "en", "science"),
        ],
        start=1,
    )
)
OLD_ZIMS: Final = tuple(
    f"{topic}_fr_2025-{month:02d}"
    for month, topic in enumerate(
        ["medecine", "agriculture", "histoire", "cuisine", "climat", "physique", "droit", "sante"],
        start=1,
    )
)
FILES: Final = ("games.school.test", "books.school.test", "films.school.test", "maps.school.test")
APPS: Final = ("wikifundi", "nomad", "mathews", "kolibri", "codecombat", "offline-map")
EDUPI: Final = "edupi.school.test"
SHARE: Final = "share.school.test"

_WEBKIT: Final = "AppleWebKit/537.36 (KHTML, like Gecko)"
_AGENTS: Final = (
    f"Mozilla/5.0 (Linux; Android 10; K) {_WEBKIT} Chrome/120.0.0.0 Mobile Safari/537.36",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) {_WEBKIT} Version/17.2 Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/119.0.0.0 Safari/537.36",
)
_PAGE: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
_CONNECTIONS: Final = 8
_AT_A_TIME: Final = 50
_DISTINCT: Final = 40_000
_TS: Final = re.compile(rb'^\{"level":"[a-z]+","ts":([0-9]{10})', re.M)


def packages_text() -> str:
    """The packages file: 29 entries, as a hotspot's dashboard has them."""
    entries = [("zim", zim, f"//{LIBRARY}/viewer#{zim}", "") for zim in ZIMS]
    entries += [("zim", zim, f"//{OLD_LIBRARY}/viewer#{zim}", "") for zim in OLD_ZIMS]
    entries += [("files", host.split(".")[0], f"//{host}/", "") for host in FILES]
    entries += [("app", app, f"//{app}.school.test/", f"{app}.example.org") for app in APPS]
    entries.append(("app", "EduPi", f"//{EDUPI}/", "edupi.offspot.kiwix.org"))
    entries.append(("app", "Share", f"//{SHARE}/", "file-manager.offspot.kiwix.org"))
    lines = [
        f'- {{kind: {kind}, title: "{title}", url: "{url}"'
        + (f", ident: {ident}}}" if ident else "}")
        for kind, title, url, ident in entries
    ]
    return "packages:\n" + "\n".join(lines) + "\n"


def _site() -> str:
    return f"""
header {{
  Cache-Control "max-age=3600, must-revalidate"
  Etag `"5d8c72a5edda8"`
  X-Frame-Options SAMEORIGIN
}}
@known header If-None-Match *
handle @known {{
  respond 304
}}
@missing path */Missing_*
handle @missing {{
  respond 404
}}
@library host {LIBRARY}
handle @library {{
  @bare path_regexp bare ^/content/([^/]+)$
  redir @bare /content/{{re.bare.1}}/ 302
  header Content-Type "text/html; charset=utf-8"
  respond "page" 200
}}
@edupi host {EDUPI}
handle @edupi {{
  @created {{
    method POST
    path /api/documents/
  }}
  @deleted {{
    method DELETE
    path /api/documents/*
  }}
  header Content-Type application/json
  respond @created `{{"id":1}}` 201
  respond @deleted 204
  respond `[]` 200
}}
@share host {SHARE}
handle @share {{
  @uploaded {{
    method POST
    query upload=*
  }}
  header @uploaded X-Tfm-Files-Added {{http.request.uri.query.upload}}
  header Content-Type "text/html; charset=utf-8"
  respond "files" 200
}}
@probe path /generate_204 /hotspot-detect.html
redir @probe http://{LIBRARY}/ 302
handle {{
  header Content-Type "text/html; charset=utf-8"
  respond "page" 200
}}"""


def _requests(count: int) -> list[bytes]:
    """Distinct requests in proportion to how often each kind is made."""
    chance = random.Random(SEED)
    kinds: tuple[tuple[int, Callable[[random.Random], tuple[str, str, str]]], ...] = (
        (360, _article),
        (60, lambda c: ("GET", LIBRARY, f"/content/{c.choice(ZIMS)}/")),
        (12, lambda c: ("GET", LIBRARY, f"/content/{c.choice(ZIMS)}")),
        (30, lambda c: ("GET", LIBRARY, f"/skin/taskbar.css?cacheid={c.randrange(9999):04x}")),
        (25, lambda c: ("GET", LIBRARY, f"/search?pattern=mot{c.randrange(999)}&books.name=x")),
        (12, lambda c: ("GET", LIBRARY, f"/content/{c.choice(ZIMS)}/A/Missing_{c.random()}")),
        (150, lambda c: ("GET", OLD_LIBRARY, f"/{c.choice(OLD_ZIMS)}/A/Page_{c.randrange(9999)}")),
        (20, lambda c: ("GET", OLD_LIBRARY, f"/{c.choice(OLD_ZIMS)}/")),
        (15, lambda c: ("GET", c.choice(FILES), "/")),
        (90, lambda c: ("GET", c.choice(FILES), quote(f"/Level {c.randrange(9)}/{_word(c)}.pdf"))),
        (
            170,
            lambda c: ("GET", f"{c.choice(APPS)}.school.test", f"/static/x{c.randrange(999)}.js"),
        ),
        (16, lambda c: ("POST", f"{c.choice(APPS)}.school.test", "/api/session")),
        (2, lambda _: ("POST", EDUPI, "/api/documents/")),
        (1, lambda c: ("DELETE", EDUPI, f"/api/documents/{c.randrange(999)}")),
        (20, lambda _: ("GET", EDUPI, "/api/documents/")),
        (1, lambda c: ("POST", SHARE, f"/?upload={c.randrange(1, 5)}")),
        (10, lambda _: ("GET", "connectivitycheck.gstatic.com", "/generate_204")),
        (6, lambda c: ("HEAD", f"{LIBRARY.title()}:80", f"/content/{c.choice(ZIMS)}/")),
    )
    makers = chance.choices([m for _, m in kinds], [weight for weight, _ in kinds], k=count)
    return [_request(chance, *make(chance)) for make in makers]


def _word(chance: random.Random) -> str:
    return chance.choice(["Été", "été à l'école", "maths", "Lecture", "Волга", "pays"]) + str(
        chance.randrange(999)
    )


def _article(chance: random.Random) -> tuple[str, str, str]:
    kind = chance.choice(["A/", "A/", "I/", "", "-/"])
    return "GET", LIBRARY, f"/content/{chance.choice(ZIMS)}/{kind}{quote(_word(chance))}"


def _request(chance: random.Random, method: str, host: str, target: str) -> bytes:
    page = f"http://{host.lower().removesuffix(':80')}/viewer"
    headers = [
        f"Host: {host}",
        f"User-Agent: {chance.choice(_AGENTS)}",
        f"Accept: {_PAGE if chance.random() < 0.5 else '*/*'}",
        "Accept-Language: fr-FR,fr;q=0.8,en;q=0.5",
        "Accept-Encoding: gzip, deflate",
        f"Referer: {page}",
    ]
    if chance.random() < 0.4:
        headers.append("Upgrade-Insecure-Requests: 1")
    if chance.random() < 0.1:
        headers.append('If-None-Match: "5d8c72a5edda8"')
    if method == "POST":
        headers.append("Content-Length: 0")
    return "\r\n".join([f"{method} {target} HTTP/1.1", *headers, "", ""]).encode()


def _load(address: tuple[str, int], source: str, batches: Iterator[list[bytes]]) -> None:
    """Send batches of requests on one connection, each when the last one is answered."""
    with socket.create_connection(address, timeout=60, source_address=(source, 0)) as connection:
        for batch in batches:
            connection.sendall(b"".join(batch))
            answers, rest = 0, b""
            while answers < len(batch):
                data = connection.recv(1 << 18)
                if not data:
                    raise ConnectionError("Caddy closed the connection")
                rest += data
                answers += rest.count(b"HTTP/1.1 ")
                rest = rest[-8:] if not rest.endswith(b"HTTP/1.1 ") else b""
            # the last answer has a short body or none: what is left of it comes before the next


def record(target: Path, lines: int) -> None:
    """Let Caddy log so many requests as fast as they come."""
    requests = _requests(min(lines, _DISTINCT))
    folder = target.parent / "caddy"
    shutil.rmtree(folder, ignore_errors=True)
    log = folder / "log" / "caddy_access_logs.json"
    per_connection = lines // _CONNECTIONS

    def batches(number: int) -> Iterator[list[bytes]]:
        chance = random.Random(SEED + number)
        left = per_connection + (lines % _CONNECTIONS if number == 0 else 0)
        while left:
            size = min(_AT_A_TIME, left)
            yield chance.choices(requests, k=size)
            left -= size

    with Caddy(folder, _site(), log, roll_size="500GiB", roll_keep=2) as caddy:
        threads = [
            threading.Thread(target=_load, args=(caddy.address, f"127.0.0.{n + 1}", batches(n)))
            for n in range(_CONNECTIONS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_until(lambda: count_lines(log) >= lines, "the last lines", 60)
    if count_lines(log) != lines:
        raise ConnectionError(f"{count_lines(log)} lines instead of {lines}")
    log.rename(target)
    shutil.rmtree(folder)


def count_lines(path: Path) -> int:
    """How many lines a file has."""
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def packages_file() -> Path:
    """The packages file of all workloads."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "packages.yml"
    path.write_text(packages_text(), encoding="utf-8")
    return path


def recorded(lines: int) -> Path:
    """A log of that many lines, as Caddy wrote them within seconds."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    target = FOLDER / f"recorded-{lines}.json"
    if not target.exists():
        partial = target.with_suffix(".part")
        record(partial, lines)
        partial.rename(target)
    return target


def scaled(base_lines: int, times: int) -> Path:
    """The recorded log several times over, each copy later than the one before."""
    base = recorded(base_lines)
    if times == 1:
        return base
    target = FOLDER / f"recorded-{base_lines}-x{times}.json"
    if not target.exists():
        partial = target.with_suffix(".part")
        first, last = _span(base)
        with partial.open("wb") as out:
            for number in range(times):
                _copy(base, out.write, _Shift(number * (last - first + 1)))
        partial.rename(target)
    return target


def cut(base_lines: int, lines: int) -> Path:
    """The first lines of the recorded log."""
    base = recorded(base_lines)
    target = FOLDER / f"recorded-{base_lines}-first-{lines}.json"
    if not target.exists():
        with base.open("rb") as source, target.open("wb") as out:
            for _ in range(lines):
                out.write(source.readline())
    return target


def spread(base_lines: int, days: int) -> Path:
    """The recorded log with its lines spread evenly over days."""
    base = recorded(base_lines)
    target = FOLDER / f"recorded-{base_lines}-{days}-days.json"
    if not target.exists():
        partial = target.with_suffix(".part")
        with partial.open("wb") as out:
            _copy(base, out.write, _Spread(_span(base)[0], days * 86400 / base_lines))
        partial.rename(target)
    return target


class _Shift:
    """Adds seconds."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def __call__(self, found: re.Match[bytes]) -> bytes:
        return found[0][:-10] + b"%d" % (int(found[1]) + self.seconds)


class _Spread:
    """Puts lines at equal distances."""

    def __init__(self, first: int, step: float) -> None:
        self.at = float(first)
        self.step = step

    def __call__(self, found: re.Match[bytes]) -> bytes:
        self.at += self.step
        return found[0][:-10] + b"%d" % self.at


def _copy(
    source: Path, write: Callable[[bytes], object], change: Callable[[re.Match[bytes]], bytes]
) -> None:
    with source.open("rb") as file:
        while lines := b"".join(file.readlines(1 << 22)):
            write(_TS.sub(change, lines))


def _span(path: Path) -> tuple[int, int]:
    """The earliest and the latest second in a log (neighbours may have changed places)."""
    first, last = 0, 0
    with path.open("rb") as file:
        while lines := b"".join(file.readlines(1 << 22)):
            seconds = [int(found) for found in _TS.findall(lines)]
            first = min(seconds) if not first else min(first, *seconds)
            last = max(last, *seconds)
    return first, last
