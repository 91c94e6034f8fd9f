"""2004 Uptime: minutes in which the offspot was on."""

from __future__ import annotations

from typing import Any

from engine.indicators import uptime
from engine.kpis.model import Totals

id = 2004  # noqa: A001 (the word of the field)
name = "Uptime"


def compute(totals: Totals) -> dict[str, Any]:
    """`{"nbMinutesOn"}`."""
    return {"nbMinutesOn": sum(totals.get(uptime.id, {}).values())}


def metrics(value: dict[str, Any]) -> list[tuple[str, str, int]]:
    """One row."""
    return [("", "nbMinutesOn", value["nbMinutesOn"])]
