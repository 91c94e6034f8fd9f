"""A hotspot with more packages than are used, the room they take, and sums of its records."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

from tests.browser.hotspot import NOW, TITLES, Hotspot, visitors

SEED = 16
"""With it the hotspot is off on some days, and on none of weeks 35 and 36."""
DAYS = 45
NEVER = {"Unread atlas": 7_300_000_000, "Unread songs": 450_000_000, "Unread maps": None}
"""Packages that nobody opens, with what they take."""
LOST = "Taken away"
"""A package that was used, and is not in the packages file any more."""


def library(folder: Path, *, more: int = 0, seed: int = SEED) -> Hotspot:
    """`TITLES`, `more` courses and one that is gone have visitors; those of `NEVER` have none."""
    used = [*TITLES, *(f"Course {number:02d}" for number in range(more)), LOST]
    hotspot = Hotspot(folder, [*used, *NEVER], processing=True)
    hotspot.fill(visitors(seed, used, NOW, DAYS))
    path = folder / "packages.yml"
    whole = json.loads(path.read_text("utf-8"))
    whole["packages"] = [
        {**package, "download": {"size": size}}
        if (size := NEVER.get(package["title"]))
        else package
        for package in whole["packages"]
        if package["title"] != LOST
    ]
    path.write_text(json.dumps(whole, ensure_ascii=False), "utf-8")
    return hotspot


def figures_path(first: str, last: str, **query: str) -> str:
    """The query of `/api/v1/figures` for a stretch of days."""
    return f"figures?{urlencode({'from': first, 'to': last, **query})}"


@dataclass
class Visits:
    """Visits of a period, added up from its records by this code alone."""

    of_package: Counter[str]
    at: Counter[tuple[int, int]]
    """by weekday (Monday is 1) and hour"""
    of_package_at: Counter[tuple[str, int, int]]


def recorded(hotspot: Hotspot, period: str) -> Visits:
    """What the command `records` says of a period that is over."""
    command = [*hotspot.program, "records", "--period", period, "--format", "json"]
    command += ["--database", str(hotspot.folder / "metrics.db")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    visits = Visits(Counter(), Counter(), Counter())
    for record in json.loads(done.stdout)["records"]:
        if record["indicator"] != "PackageHomeVisit":
            continue
        at = datetime.fromisoformat(record["startLocal"])
        title, hour = record["dimension"], (at.isoweekday(), at.hour)
        visits.of_package[title] += record["value"]
        visits.at[hour] += record["value"]
        visits.of_package_at[title, *hour] += record["value"]
    assert visits.of_package.total() > 0
    return visits
