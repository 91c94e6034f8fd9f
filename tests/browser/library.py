"""A hotspot with more packages than are used, and the room they take."""

from __future__ import annotations

import json
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
