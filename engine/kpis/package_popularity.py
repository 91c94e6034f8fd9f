"""2001 PackagePopularity: home visits of the ten most visited packages, and of all."""

from __future__ import annotations

from engine.indicators import package_home_visit
from engine.indicators.model import NO_DIMENSION
from engine.kpis.model import (
    COUNT,
    COUNT_SCHEMA,
    Json,
    Row,
    Summary,
    TopTable,
    beyond_top,
    items,
    items_schema,
    object_schema,
)

id = 2001  # noqa: A001 (the word of the field)
name = "PackagePopularity"
title = "popularity"
unit = COUNT
compatible = True
adds_up = True
schema = object_schema(
    {"items": items_schema("visits"), "totalVisits": COUNT_SCHEMA},
    description="KPI 2001. Visits to the home of each package; the ten largest and the total of "
    "all.",
)


def compute(period: Summary) -> Json:
    """`{"items": [{"package", "visits"}], "totalVisits"}`."""
    visits = period.sums_of(package_home_visit)
    return {"items": items(visits, "visits"), "totalVisits": sum(visits.values())}


def headline(value: Json) -> dict[str, int]:
    """The total."""
    return {"totalVisits": value["totalVisits"]}


def others(period: Summary) -> dict[str, int]:
    """Visits of the other packages, and how many packages were visited in all."""
    visits = period.sums_of(package_home_visit)
    return {"visits": beyond_top(visits), "packagesVisited": len(visits.keys() - {NO_DIMENSION})}


def rows(value: Json) -> list[Row]:
    """One row per package, then the total."""
    packages = [Row(item["package"], "visits", item["visits"]) for item in value["items"]]
    return [*packages, Row("", "totalVisits", value["totalVisits"])]


def lines(value: Json) -> list[tuple[str, str]]:
    """The total."""
    return [("Visits", unit.text(value["totalVisits"]))]


def top_table(value: Json) -> TopTable:
    """Packages by visits."""
    packages = [(item["package"], item["visits"]) for item in value["items"]]
    return TopTable("Most visited", "Visits", packages)
