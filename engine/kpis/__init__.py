"""KPIs: the figures of a period that people read, computed from its records. `ALL` lists them."""

from __future__ import annotations

from typing import Final

from engine.kpis import package_popularity, shared_files, total_usage, uptime
from engine.kpis.model import NO_DATA, Kpi, Summary

ALL: Final[tuple[Kpi, ...]] = (
    package_popularity,
    total_usage,
    uptime,
    shared_files,
)
"""By id, which is the order in which they are shown."""
BY_ID: Final[dict[int, Kpi]] = {kpi.id: kpi for kpi in ALL}
COMPATIBLE: Final = {kpi.id: kpi for kpi in ALL if kpi.compatible}
"""What the routes of the v1 API know."""


def headlines(period: Summary = NO_DATA) -> dict[str, int]:
    """The figures that the trend shows of a period, of all KPIs."""
    return {figure: n for kpi in ALL for figure, n in kpi.headline(kpi.compute(period)).items()}


def others(period: Summary = NO_DATA) -> dict[str, int]:
    """What lies beyond the top ten of a period, of all KPIs."""
    return {figure: n for kpi in ALL for figure, n in kpi.others(period).items()}
