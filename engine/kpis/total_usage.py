"""2003 TotalUsage: minutes of activity of the ten most used packages, and of the offspot."""

from __future__ import annotations

from typing import Any

from engine.indicators import total_usage_by_package, total_usage_overall
from engine.kpis.model import Totals, top

id = 2003  # noqa: A001 (the word of the field)
name = "TotalUsage"


def compute(totals: Totals) -> dict[str, Any]:
    """`{"items": [{"package", "minutesActivity"}], "totalMinutesActivity"}`."""
    minutes = totals.get(total_usage_by_package.id, {})
    return {
        "items": [{"package": title, "minutesActivity": n} for title, n in top(minutes)],
        "totalMinutesActivity": sum(totals.get(total_usage_overall.id, {}).values()),
    }


def metrics(value: dict[str, Any]) -> list[tuple[str, str, int]]:
    """One row per package, then the total."""
    rows = [
        (item["package"], "minutesActivity", item["minutesActivity"]) for item in value["items"]
    ]
    return [*rows, ("", "totalMinutesActivity", value["totalMinutesActivity"])]
