"""2001 PackagePopularity: home visits of the ten most visited packages, and of all."""

from __future__ import annotations

from engine.indicators import package_home_visit
from engine.kpis.model import (
    COUNT_SCHEMA,
    Json,
    Row,
    TopTable,
    Totals,
    beyond_top,
    count,
    items,
    items_schema,
    object_schema,
)

id = 2001  # noqa: A001 (the word of the field)
name = "PackagePopularity"
title = "popularity"
unit = count
compatible = True
schema = object_schema(
    {"items": items_schema("visits"), "totalVisits": COUNT_SCHEMA},
    description="KPI 2001. Visits to the home of each package; the ten largest and the total of "
    "all.",
)


def compute(totals: Totals) -> Json:
    """`{"items": [{"package", "visits"}], "totalVisits"}`."""
    visits = totals.get(package_home_visit.id, {})
    return {"items": items(visits, "visits"), "totalVisits": sum(visits.values())}


def headline(value: Json) -> dict[str, int]:
    """The total."""
    return {"totalVisits": value["totalVisits"]}


def others(totals: Totals) -> dict[str, int]:
    """Visits of the other packages, and how many packages were visited in all."""
    visits = totals.get(package_home_visit.id, {})
    return {"visits": beyond_top(visits), "packagesVisited": len(visits)}


def rows(value: Json) -> list[Row]:
    """One row per package, then the total."""
    packages = [Row(item["package"], "visits", item["visits"]) for item in value["items"]]
    return [*packages, Row("", "totalVisits", value["totalVisits"])]


def lines(value: Json) -> list[tuple[str, str]]:
    """The total."""
    return [("Visits of all packages", unit(value["totalVisits"]))]


def top_table(value: Json) -> TopTable:
    """Packages by visits."""
    packages = [(item["package"], item["visits"]) for item in value["items"]]
    return TopTable("Most visited", "Visits", packages)
