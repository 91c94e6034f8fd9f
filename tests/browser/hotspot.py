"""A hotspot for the browser tests: packages, logs of the last weeks, the built program.

`dist/offspot-metrics serve` runs over a database that the same program filled from log lines, for
given titles and a seed. Nothing is mocked; only the visitors are simulated, and the date: program,
log lines and page share a clock that begins at `NOW`.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from urllib.request import urlopen

from lab.clock import starting_at
from tests.support.archive import PROGRAM

NAME = "Lycée Amani"
FQDN = "amani.hotspot"
HOST = "browse.amani.hotspot"
SHARE = "share.amani.hotspot"
NOW = 1_789_569_000
"""2026-09-16T14:30Z, a Wednesday in September: the longest day and month in English."""
HOUR = 3600
DAY = 24 * HOUR
START_SECONDS = 30.0
STOP_SECONDS = 20.0
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")

TITLES = (
    "Wikipedia for Schools",
    "Khan Academy",
    "ويكيبيديا العربية",
    "Vikidia",
    "Project Gutenberg",
    "African Storybook",
    "PhET simulations",
    "Wiktionary",
    "TED talks",
    "School Library",
    "WikiMed",
    "Bees",
    "Radio Lessons",
)


def packages_file(titles: Sequence[str]) -> str:
    """A packages file (JSON is YAML): a ZIM for each title, and the app that shares files."""
    packages = [
        {"kind": "zim", "title": title, "url": f"//{HOST}/viewer#package_{number}"}
        for number, title in enumerate(titles)
    ]
    share = {"kind": "app", "title": "Share", "url": f"//{SHARE}/"}
    packages.append({**share, "ident": "file-manager.offspot.kiwix.org"})
    # As letters: escaped, an emoji would be two halves, which YAML does not put together.
    whole = {"metadata": {"name": NAME, "fqdn": FQDN}, "packages": packages}
    return json.dumps(whole, ensure_ascii=False)


def line(
    at: float,
    uri: str,
    host: str = HOST,
    method: str = "GET",
    headers: dict[str, list[str]] | None = None,
) -> str:
    """One line of Caddy's access log."""
    request = {"method": method, "host": host, "uri": uri, "proto": "HTTP/1.1", "headers": {}}
    entry = {"level": "info", "ts": at, "logger": "http.log.access", "msg": "handled request"}
    return json.dumps({**entry, "request": request, "status": 200, "resp_headers": headers or {}})


def visitors(seed: int, titles: Sequence[str], now: float, days: int) -> Iterator[str]:
    """Lines of some school weeks that end now: off at night, off on some days, busy at noon."""
    chance = random.Random(seed)
    weights = [chance.uniform(0.2, 1) / (1 + number) for number in range(len(titles))]
    first = int(now) // DAY - days
    for day in range(first, int(now) // DAY + 1):
        if day < int(now) // DAY - 1 and chance.random() < 0.12:
            continue  # the power was cut
        for hour in range(7, 7 + chance.randint(5, 10)):
            yield from _hour(chance, titles, weights, day * DAY + hour * HOUR, now)
    # The running hour too.
    yield from _hour(chance, titles, weights, int(now) - 1800, now)


def _hour(
    chance: random.Random, titles: Sequence[str], weights: Sequence[float], start: int, now: float
) -> Iterator[str]:
    moments = sorted(start + chance.uniform(0, HOUR) for _ in range(chance.randint(10, 40)))
    for at in moments:
        if at >= now:
            return
        number = chance.choices(range(len(titles)), weights)[0]
        page = "" if chance.random() < 0.4 else f"A/page{chance.randint(1, 99)}"
        yield line(at, f"/content/package_{number}/{page}")
        if chance.random() < 0.04:
            name = f"X-Tfm-Files-{chance.choice(['Added', 'Added', 'Deleted'])}"
            yield line(at, "/upload", SHARE, "POST", {name: [str(chance.randint(1, 3))]})


@dataclass
class Hotspot:
    """A folder with a packages file and a database, and the program that serves them."""

    folder: Path
    titles: Sequence[str] = TITLES
    processing: bool = False
    program: Sequence[str | Path] = (PROGRAM,)
    zone: str = "UTC"
    port: int = field(default=0, init=False)
    _process: subprocess.Popen[str] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fill(self, lines: Iterator[str]) -> None:
        """Write the packages file, and count the lines into the database."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "logs").mkdir(exist_ok=True)
        packages = self.folder / "packages.yml"
        packages.write_text(packages_file(self.titles), encoding="utf-8")
        log = self.folder / "replayed.json"
        log.write_text("".join(f"{text}\n" for text in lines), encoding="utf-8")
        if log.stat().st_size:
            common = ["--packages", str(packages), "--database", str(self.folder / "metrics.db")]
            subprocess.run(
                [*self.program, "replay", "--quiet", *common, str(log)],
                check=True,
                capture_output=True,
                timeout=120,
                env=self._environment(),
            )

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        processing = "false" if self.processing else "true"
        ours = {"HOME": str(self.folder), "PROCESSING_DISABLED": processing, "TZ": self.zone}
        return {**kept, **ours, **starting_at(NOW)}

    def start(self) -> None:
        """Start the program; the second time on the port of the first."""
        paths = {"packages": "packages.yml", "database": "metrics.db", "logs": "logs"}
        options = [text for n, p in paths.items() for text in (f"--{n}", str(self.folder / p))]
        self._process = subprocess.Popen(
            [*self.program, "serve", *options, "--reader", "tail", "--port", str(self.port)],
            env=self._environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        said: list[str] = []
        for text in self._process.stderr:  # ends with the process, so it cannot wait for ever
            said.append(text)
            if found := ADDRESS.search(text):
                self.port = int(found[1])
                return
        raise AssertionError(f"serve did not start: {''.join(said)}")

    def stop(self) -> None:
        """Stop it as systemd would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.communicate(timeout=STOP_SECONDS)
            self._process = None

    def ask(self, path: str) -> Any:
        """The JSON that the API answers."""
        url = f"{self.url}/api/v1/{quote(path, safe='/?=&+%')}"
        with urlopen(url, timeout=START_SECONDS) as answer:
            return json.load(answer)

    def figures(self, first: str, last: str, **wanted: str) -> Any:
        """What the API answers of the days from one to another."""
        query = urlencode({"from": first, "to": last, **wanted})
        with urlopen(f"{self.url}/api/v1/figures?{query}", timeout=START_SECONDS) as answer:
            return json.load(answer)

    def newest(self, kind: str) -> Any:
        """All that the API says of the newest period of a kind."""
        labels = [p["aggValue"] for p in self.ask("periods")["periods"] if p["aggKind"] == kind]
        return self.ask(f"periods/{kind}/{labels[0]}")


@contextmanager
def running(hotspot: Hotspot) -> Iterator[Hotspot]:
    hotspot.start()
    try:
        yield hotspot
    finally:
        hotspot.stop()


def random_weeks(
    folder: Path, seed: int, titles: Sequence[str] = TITLES, days: int = 45
) -> Hotspot:
    """A hotspot with some weeks of invented visitors."""
    hotspot = Hotspot(folder, titles)
    hotspot.fill(visitors(seed, titles, NOW, days))
    return hotspot
