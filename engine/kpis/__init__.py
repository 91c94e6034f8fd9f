"""KPIs: the records of a period to the figures that people read. `ALL` lists every one.

In: sums of records. Out: JSON values, and all that is shown and said of them. It must not know of
SQL, of lines or of the time.
"""

from __future__ import annotations

from typing import Final

from engine.kpis import package_popularity, shared_files, total_usage, uptime
from engine.kpis.model import Kpi, Totals

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


def headlines(totals: Totals) -> dict[str, int]:
    """The figures that the trend shows of a period, of all KPIs."""
    return {figure: n for kpi in ALL for figure, n in kpi.headline(kpi.compute(totals)).items()}


def others(totals: Totals) -> dict[str, int]:
    """What lies beyond the top ten of a period, of all KPIs."""
    return {figure: n for kpi in ALL for figure, n in kpi.others(totals).items()}
