"""2001 PackagePopularity: home visits of the ten most visited packages, and of all."""

from __future__ import annotations

from typing import Any

from engine.indicators import package_home_visit
from engine.kpis.model import Totals, top

id = 2001  # noqa: A001 (the word of the field)
name = "PackagePopularity"


def compute(totals: Totals) -> dict[str, Any]:
    """`{"items": [{"package", "visits"}], "totalVisits"}`."""
    visits = totals.get(package_home_visit.id, {})
    return {
        "items": [{"package": title, "visits": count} for title, count in top(visits)],
        "totalVisits": sum(visits.values()),
    }


def metrics(value: dict[str, Any]) -> list[tuple[str, str, int]]:
    """One row per package, then the total."""
    rows = [(item["package"], "visits", item["visits"]) for item in value["items"]]
    return [*rows, ("", "totalVisits", value["totalVisits"])]
