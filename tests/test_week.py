"""The recorded week, counted once more by the simplest means that give the right figures."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.golden import replay
from tests.support.week import SAMPLES, week_lines
from tools import school_week

FILES = sorted(str(path) for path in (SAMPLES / "week").glob("*.gz"))
OWN_WORDS = {"content", "viewer", "raw", "search", "suggest", "random", "catalog", "skin", "nojs"}


def title_and_home(line: dict[str, Any]) -> tuple[str | None, bool]:
    """The package that a line of the school counts for, and whether it is a visit of its home."""
    request = line["request"]
    host = request["host"].lower().removesuffix(":80")
    path = unquote(request["uri"].partition("?")[0])
    location = urlsplit(line["resp_headers"].get("Location", [""])[0]).path
    on_host = [package for package in school_week.PACKAGES if package.host == host]
    if not 200 <= line["status"] < 400:
        return None, False
    if on_host and on_host[0].kind != "zim":
        is_home = on_host[0].kind == "files" and path == "/" and request["method"] == "GET"
        return on_host[0].title, is_home
    parts = path.split("/")[1:]
    if parts[0] == "content" and len(parts) > 1:
        name, rest = parts[1], parts[2:]
    elif parts[0] in OWN_WORDS or location.startswith("/content/"):
        return None, False
    else:
        name, rest = parts[0], parts[1:]
    homes = {f"/content/{name}", f"/content/{name}/", f"/{name}", f"/{name}/"}
    is_home = rest in ([], [""]) and request["method"] == "GET" and location not in homes
    for package in on_host:
        if name in (package.zim, re.sub(r"_\d{4}-\d\d$", "", package.zim)):
            return package.title, is_home
    return None, False


def labels(ts: float) -> list[tuple[str, str]]:
    day = datetime.fromtimestamp(ts, UTC)
    year, week, _ = day.isocalendar()
    return [
        ("D", day.strftime("%Y-%m-%d")),
        ("M", day.strftime("%Y-%m")),
        ("W", f"{year} W{week:02}"),
        ("Y", day.strftime("%Y")),
    ]


def slots(minutes: set[int]) -> int:
    """Minutes of use of one or more hours, from minutes since the epoch."""
    by_hour: dict[int, list[int]] = defaultdict(list)
    for minute in sorted(minutes):
        by_hour[minute // 60].append(minute)
    return 10 * sum(len({(m - on[0]) // 10 for m in on}) for on in by_hour.values())


def top(values: dict[str, int], key: str) -> list[dict[str, Any]]:
    ordered = sorted(values.items(), key=lambda item: (-item[1], item[0]))
    return [{"package": title, key: value} for title, value in ordered[:10]]


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in week_lines()]


def test_replay_of_the_week(lines: list[dict[str, Any]]) -> None:
    """A replay counts in the real week what a plain count of its lines gives."""
    visits: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    used: dict[tuple[str, str], dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    used_by_any: dict[tuple[str, str], set[int]] = defaultdict(set)
    shared: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    on: dict[tuple[str, str], set[int]] = defaultdict(set)
    counted = 0
    for line in lines:
        minute = int(line["ts"]) // 60
        for label in labels(line["ts"]):
            on[label].add(minute)
        title, is_home = title_and_home(line)
        if title is None:
            continue
        counted += 1
        headers = line["resp_headers"]
        added = int(headers.get("X-Tfm-Files-Added", ["0"])[0])
        gone = int(headers.get("X-Tfm-Files-Deleted", ["0"])[0])
        if title == "EduPi":
            added, gone = int(line["status"] == 201), int(line["status"] == 204)
        for label in labels(line["ts"]):
            visits[label][title] += is_home
            used[label][title].add(minute)
            used_by_any[label].add(minute)
            shared[label].update(added=added, gone=gone)
    printed = replay(["--packages", str(SAMPLES / "packages.yml"), "--timezone", "UTC", *FILES])
    assert printed["lines"]["read"] == len(lines)
    assert printed["lines"]["counted"] == counted
    assert printed["lines"]["unmatched"] == len(lines) - counted
    periods = {(period["aggKind"], period["aggValue"]): period for period in printed["periods"]}
    assert list(periods) == sorted(visits)
    for label, period in periods.items():
        kpis = {kpi["kpiId"]: kpi["value"] for kpi in period["kpis"]}
        assert kpis[2001] == {
            "items": top({t: n for t, n in visits[label].items() if n}, "visits"),
            "totalVisits": visits[label].total(),
        }
        assert kpis[2003] == {
            "items": top(
                {t: slots(in_use) for t, in_use in used[label].items()}, "minutesActivity"
            ),
            "totalMinutesActivity": slots(used_by_any[label]),
        }
        assert kpis[2004] == {"nbMinutesOn": len(on[label])}
        assert kpis[2004]["nbMinutesOn"] >= kpis[2003]["totalMinutesActivity"]
        assert kpis[2005] == {
            "filesCreated": shared[label]["added"],
            "filesDeleted": shared[label]["gone"],
        }


def test_replay_of_the_week_with_any_number_of_jobs() -> None:
    """Neither the number of processes nor the order of the files changes anything of what one
    process counts, which is what a plain count gives (above).
    """
    options = ["--packages", str(SAMPLES / "packages.yml")]
    alone = replay([*options, "--jobs", "1", *FILES])
    assert alone == replay([*options, *FILES])
    for jobs in ("1", "2", "4"):
        assert replay([*options, "--jobs", jobs, *reversed(FILES)]) == alone
