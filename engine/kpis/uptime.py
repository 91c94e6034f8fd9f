"""2004 Uptime: minutes in which the offspot was on."""

from __future__ import annotations

from engine.indicators import uptime
from engine.kpis.model import COUNT_SCHEMA, DURATION, Json, Row, Summary, object_schema

id = 2004  # noqa: A001 (the word of the field)
name = "Uptime"
title = "uptime"
unit = DURATION
compatible = True
adds_up = False
schema = object_schema(
    {"nbMinutesOn": COUNT_SCHEMA},
    description="KPI 2004. Minutes in which the hotspot was on.",
)


def compute(period: Summary) -> Json:
    """`{"nbMinutesOn"}`."""
    return {"nbMinutesOn": sum(period.sums_of(uptime).values())}


def headline(value: Json) -> dict[str, int]:
    """All of it."""
    return {"nbMinutesOn": value["nbMinutesOn"]}


def others(_period: Summary) -> dict[str, int]:
    """Nothing: it is of no packages."""
    return {}


def rows(value: Json) -> list[Row]:
    """One row."""
    return [Row("", "nbMinutesOn", value["nbMinutesOn"])]


def lines(value: Json) -> list[tuple[str, str]]:
    """One line."""
    return [("Uptime", unit.text(value["nbMinutesOn"]))]


def top_table(_value: Json) -> None:
    """None: it is of no packages."""
