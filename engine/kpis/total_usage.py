"""2003 TotalUsage: minutes of activity of the ten most used packages, and of the offspot."""

from __future__ import annotations

from engine.indicators import total_usage_by_package, total_usage_overall
from engine.kpis.model import (
    COUNT_SCHEMA,
    DURATION,
    Json,
    Row,
    Summary,
    TopTable,
    beyond_top,
    items,
    items_schema,
    object_schema,
)

id = 2003  # noqa: A001 (the word of the field)
name = "TotalUsage"
title = "total usage"
unit = DURATION
compatible = True
adds_up = False  # several packages can be in use at once
schema = object_schema(
    {"items": items_schema("minutesActivity"), "totalMinutesActivity": COUNT_SCHEMA},
    description="KPI 2003. Minutes of use in steps of ten; the ten largest and the hotspot as a "
    "whole.",
)


def compute(period: Summary) -> Json:
    """`{"items": [{"package", "minutesActivity"}], "totalMinutesActivity"}`."""
    minutes = period.sums_of(total_usage_by_package)
    return {
        "items": items(minutes, "minutesActivity"),
        "totalMinutesActivity": sum(period.sums_of(total_usage_overall).values()),
    }


def headline(value: Json) -> dict[str, int]:
    """The time in which any package was used."""
    return {"totalMinutesActivity": value["totalMinutesActivity"]}


def others(period: Summary) -> dict[str, int]:
    """Minutes of the other packages, and how many packages were used in all."""
    minutes = period.sums_of(total_usage_by_package)
    return {"minutesActivity": beyond_top(minutes), "packagesUsed": len(minutes)}


def rows(value: Json) -> list[Row]:
    """One row per package, then the total."""
    packages = [
        Row(item["package"], "minutesActivity", item["minutesActivity"]) for item in value["items"]
    ]
    return [*packages, Row("", "totalMinutesActivity", value["totalMinutesActivity"])]


def lines(value: Json) -> list[tuple[str, str]]:
    """The time in which any package was used."""
    return [("Time in use", unit.text(value["totalMinutesActivity"]))]


def top_table(value: Json) -> TopTable:
    """Packages by time."""
    packages = [(item["package"], item["minutesActivity"]) for item in value["items"]]
    return TopTable("Most used", "Time in use", packages)
