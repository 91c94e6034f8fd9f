"""Record a week of real access logs: zimwriterfs, kiwix-serve, Caddy, visitors by HTTP.

A folder gets the packages file, and compressed what Caddy rolled (two Caddys, when the hotspot is
upgraded in mid-week). A week takes a minute to record: each line keeps every byte that Caddy wrote
but the whole seconds of its `ts`, which become those of the plan.

    .venv/bin/python -m tools.record_logs --caddy /usr/bin/caddy --later-caddy PATH
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import random
import re
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml

from lab.browser import Browser
from lab.caddy import Caddy
from lab.kiwix import KiwixServe
from lab.processes import ChainError, missing_programs, wait_until
from lab.zims import zim
from tools import school_week as school

SEED = 2026
SAMPLES = Path(__file__).resolve().parent.parent / "samples"
CURRENT = "caddy_access_logs.json"
_TS = re.compile(rb'^(\{"level":"[a-z]+","ts":)(\d+)((?:\.\d+)?),')
_ASKED = re.compile(rb'"method":"([A-Z]+)","host":"[^"]*","uri":"((?:[^"\\]|\\.)*)"')
_SWAPS = 8
"""Caddy logs after it has answered, so two neighbours may change places; never more than these."""


@dataclass(frozen=True)
class Asked:
    """A request that was made: its moment in the plan, and what its line is known by."""

    at: int
    method: bytes
    target: bytes

    def is_of(self, line: bytes) -> bool:
        found = _ASKED.search(line)
        if found is None or found[1] != self.method:
            return False
        plain = re.fullmatch(rb"[A-Za-z0-9/_.?=&%-]*", self.target) is not None
        return not plain or found[2] == self.target


def site(kiwix_port: int, folders: dict[str, Path]) -> str:
    """Caddy's directives for every host of the school."""
    kiwix = f"reverse_proxy 127.0.0.1:{kiwix_port}"
    parts = [
        f"""
@browse host {school.BROWSE}
handle @browse {{
  route {{
    redir /content/wiktionary_en_simple /content/wiktionary_en_simple/ 302
    @content path /content/*
    handle @content {{
      uri strip_prefix /content
      {kiwix} {{
        header_down Location ^/ /content/
      }}
    }}
    @shell path / /skin/* /search /suggest /random /catalog/*
    handle @shell {{
      {kiwix} {{
        header_down Location ^/ /content/
      }}
    }}
    handle /viewer {{
      header Content-Type "text/html; charset=utf-8"
      respond "<!DOCTYPE html><title>Viewer</title>" 200
    }}
    handle /viewer_settings.js {{
      header Content-Type text/javascript
      respond "const viewerSettings = {{}};" 200
    }}
    @old path_regexp old ^/([^/]+)/A/(.+)$
    redir @old /content/{{re.old.1}}/{{re.old.2}} 302
    respond 404
  }}
}}
@kiwix host {school.KIWIX}
handle @kiwix {{
  {kiwix}
}}"""
    ]
    parts += [
        f"""
@files{number} host {host}
handle @files{number} {{
  root * "{folder}"
  file_server browse
}}"""
        for number, (host, folder) in enumerate(folders.items())
    ]
    edupi, share = (
        next(p.host for p in school.PACKAGES if p.ident == ident)
        for ident in (school.EDUPI_IDENT, school.FILE_MANAGER_IDENT)
    )
    apps = " ".join(
        p.host for p in school.PACKAGES if p.kind == "app" and p.host not in (edupi, share)
    )
    probes = "\n".join(
        f"@probe{number} {{\n  host {probe.host}\n  path {probe.path}\n}}\n"
        f'handle @probe{number} {{\n  respond "{probe.body}" {probe.status}\n}}'
        for number, probe in enumerate(school.PROBES)
    )
    parts.append(
        f"""
@edupi host {edupi}
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
@share host {share}
handle @share {{
  @uploaded {{
    method POST
    query upload=*
  }}
  @removed {{
    method POST
    query delete=*
  }}
  header @uploaded X-Tfm-Files-Added {{http.request.uri.query.upload}}
  header @removed X-Tfm-Files-Deleted {{http.request.uri.query.delete}}
  header Content-Type "text/html; charset=utf-8"
  respond "<!DOCTYPE html><title>Files</title>" 200
}}
@apps host {apps}
handle @apps {{
  @tile path *.png
  header @tile Content-Type image/png
  respond "ok" 200
}}
{probes}
@landing host {school.FQDN}
handle @landing {{
  respond "<!DOCTYPE html><title>Welcome</title>" 200
}}
handle {{
  respond 404
}}"""
    )
    return "".join(parts)


def lay_out(folder: Path, chance: random.Random) -> tuple[list[Path], dict[str, Path]]:
    """Make every ZIM file and every folder of files; return them, the folders by host."""
    zims, folders = [], {}
    for package in school.PACKAGES:
        if package.zim:
            made = school.pages(package, chance)
            path = folder / f"{package.zim}.zim"
            name = package.zim.split("_20")[0]
            zims.append(
                zim(path, name=name, title=package.title, pages=made, language=package.language)
            )
        elif package.kind == "files":
            folders[package.host] = folder / package.host
            for name, content in school.file_tree(package, chance).items():
                target = folders[package.host] / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
    return zims, folders


def browse(
    caddy: Caddy, visits: Iterable[tuple[int, school.Visitor, school.Visit]]
) -> Iterator[Asked]:
    """Make every request of the visits in order of planned time, one at a time; say what was asked.

    Visits overlap as they would; each has a connection of its own. What is planned for a moment
    without power never happens, nor does the rest of that visit.
    """
    queue: list[tuple[int, int, school.Ask, school.Visit, Browser]] = []
    for order, (at, visitor, visit) in enumerate(visits):
        ask = next(visit)
        browser = Browser(caddy.address, visitor.headers(), visitor.address)
        heapq.heappush(queue, (at + ask.after_seconds, order, ask, visit, browser))
    while queue:
        at, order, ask, visit, browser = heapq.heappop(queue)
        if not school.power_is_on(datetime.fromtimestamp(at, UTC)):
            browser.close()
            continue
        answer = browser.ask(ask.method, ask.host, ask.target, ask.headers, ask.body)
        target = ask.target if isinstance(ask.target, bytes) else ask.target.encode()
        yield Asked(at, ask.method.encode(), target)
        try:
            following = visit.send(answer)
        except StopIteration:
            browser.close()
            continue
        heapq.heappush(queue, (at + following.after_seconds, order, following, visit, browser))


def rolled_files(folder: Path) -> list[Path]:
    """Caddy's files, oldest first: the rolled ones as their names sort, then the current one."""
    current = folder / CURRENT
    return [*sorted(p for p in folder.iterdir() if p != current), current]


def wait_for_lines(folder: Path, count: int) -> None:
    """Return when Caddy has logged so many lines: it does so after it has answered."""

    def are_there() -> bool:
        return sum(path.read_bytes().count(b"\n") for path in folder.iterdir()) >= count

    wait_until(are_there, "the last lines", 30.0)


def to_plan(lines: Iterable[bytes], asked: Iterable[Asked]) -> Iterator[bytes]:
    """The same lines with the whole seconds of `ts` as planned and the fraction as recorded."""
    waiting = deque(asked)
    for line in lines:
        for place in range(min(_SWAPS, len(waiting))):
            if waiting[place].is_of(line):
                at = waiting[place].at
                del waiting[place]
                break
        else:
            raise ChainError(f"a line that nobody asked for: {line[:400]!r}")
        yield _TS.sub(rb"\g<1>%d\g<3>," % at, line, count=1)
    if waiting:
        raise ChainError(f"{len(waiting)} requests left no line, the first is {waiting[0]}")


def rolled_name(ts: float, *, later: bool) -> str:
    """The name that Caddy gives a file rolled at that time; from 2.11 on it says why."""
    moment = datetime.fromtimestamp(ts, UTC)
    stamp = moment.strftime("%Y-%m-%dT%H-%M-%S.") + f"{moment.microsecond // 1000:03d}"
    return f"caddy_access_logs-{stamp}{'-size' if later else ''}.json"


def write_packages(path: Path) -> None:
    """The packages file, as the hotspot's dashboard has it."""
    entries = []
    for package in school.PACKAGES:
        entry = {"kind": package.kind, "title": package.title, "url": package.url}
        if package.ident:
            entry["ident"] = package.ident
        entries.append(entry)
    document = {"metadata": {"name": school.SITE_NAME, "fqdn": school.FQDN}, "packages": entries}
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100)
    path.write_text(text, encoding="utf-8")


def record(
    caddies: tuple[str, str], folder: Path, chance: random.Random
) -> tuple[list[Path], list[Asked]]:
    """Run the school's week; the first Caddy until the power cut, the second one after it."""
    zims, folders = lay_out(folder, chance)
    people, habits = school.visitors(chance), school.Habits(chance)
    coming: list[tuple[datetime, int]] = [(start, 0) for start in school.starts(chance)]
    coming += school.stays(chance)
    logs = folder / "logs"
    asked: list[Asked] = []
    with KiwixServe(folder / "kiwix", zims) as kiwix:
        for later, program in enumerate(caddies):
            visits = []
            for moment, minutes in coming:
                if (moment >= school.POWER_CUT[1]) == later:
                    visitor = chance.choice(people)
                    visit = (
                        habits.stay(visitor, minutes)
                        if minutes
                        else habits.visit(visitor, school.choose(chance))
                    )
                    visits.append((int(moment.timestamp()), visitor, visit))
            with Caddy(
                folder / "caddy", site(kiwix.port, folders), logs / CURRENT, program=program
            ) as caddy:
                asked += browse(caddy, visits)
                wait_for_lines(logs, len(asked))
    return rolled_files(logs), asked


def main() -> int:
    """Record, map to the plan, compress."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--caddy", default="caddy", help="the Caddy of the first days")
    parser.add_argument("--later-caddy", help="the Caddy after the power cut (default: the same)")
    parser.add_argument("--samples", type=Path, default=SAMPLES, help="where to write")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    later = options.later_caddy or options.caddy
    missing = missing_programs("zimwriterfs", "kiwix-serve", options.caddy, later)
    if missing:
        print(f"Not there: {', '.join(missing)} (zim-tools, kiwix-tools, caddy)", file=sys.stderr)
        return 1
    week = options.samples / "week"
    week.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="record-logs-")))
        files, asked = record((options.caddy, later), folder, random.Random(options.seed))
        contents = [re.findall(rb"[^\n]*\n", path.read_bytes()) for path in files]
        names = [path.name for path in files]
    lines = list(to_plan((line for content in contents for line in content), asked))
    for old in week.glob("caddy_access_logs*"):
        old.unlink()
    position = size = 0
    for recorded, content in zip(names, contents, strict=True):
        mapped = lines[position : position + len(content)]
        position += len(content)
        name = recorded
        if name != CURRENT:
            after = _TS.match(lines[position])
            assert after is not None  # to_plan has just written it
            name = rolled_name(float(after[2] + after[3]), later="-size" in recorded)
        target = week / f"{name}.gz"
        target.write_bytes(gzip.compress(b"".join(mapped), 9, mtime=0))
        size += target.stat().st_size
        print(f"{target.name}: {len(mapped)} lines")
    write_packages(options.samples / "packages.yml")
    print(f"{len(lines)} lines, {size} bytes compressed", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
