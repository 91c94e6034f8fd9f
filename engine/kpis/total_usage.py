"""2003 TotalUsage: minutes of activity of the ten most used packages, and of the offspot."""

from __future__ import annotations

from engine.indicators import total_usage_by_package, total_usage_overall
from engine.kpis.model import (
    COUNT_SCHEMA,
    Json,
    Row,
    TopTable,
    Totals,
    beyond_top,
    duration,
    items,
    items_schema,
    object_schema,
)

id = 2003  # noqa: A001 (the word of the field)
name = "TotalUsage"
title = "total usage"
unit = duration
compatible = True
schema = object_schema(
    {"items": items_schema("minutesActivity"), "totalMinutesActivity": COUNT_SCHEMA},
    description="KPI 2003. Minutes of use in steps of ten; the ten largest and the hotspot as a "
    "whole.",
)


def compute(totals: Totals) -> Json:
    """`{"items": [{"package", "minutesActivity"}], "totalMinutesActivity"}`."""
    minutes = totals.get(total_usage_by_package.id, {})
    return {
        "items": items(minutes, "minutesActivity"),
        "totalMinutesActivity": sum(totals.get(total_usage_overall.id, {}).values()),
    }


def headline(value: Json) -> dict[str, int]:
    """The time in which any package was used."""
    return {"totalMinutesActivity": value["totalMinutesActivity"]}


def others(totals: Totals) -> dict[str, int]:
    """Minutes of the other packages, and how many packages were used in all."""
    minutes = totals.get(total_usage_by_package.id, {})
    return {"minutesActivity": beyond_top(minutes), "packagesUsed": len(minutes)}


def rows(value: Json) -> list[Row]:
    """One row per package, then the total."""
    packages = [
        Row(item["package"], "minutesActivity", item["minutesActivity"]) for item in value["items"]
    ]
    return [*packages, Row("", "totalMinutesActivity", value["totalMinutesActivity"])]


def lines(value: Json) -> list[tuple[str, str]]:
    """The time in which any package was used."""
    return [("Time with activity", unit(value["totalMinutesActivity"]))]


def top_table(value: Json) -> TopTable:
    """Packages by time."""
    packages = [(item["package"], item["minutesActivity"]) for item in value["items"]]
    return TopTable("Most used", "Time", packages)
