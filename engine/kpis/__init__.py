"""KPIs: the records of a period to the figures that people read. `ALL` lists every one.

In: sums of records. Out: JSON values. It must not know of SQL, of lines or of the time.
"""

from __future__ import annotations

from typing import Final

from engine.kpis import package_popularity, shared_files, total_usage, uptime
from engine.kpis.model import Kpi

ALL: Final[tuple[Kpi, ...]] = (package_popularity, total_usage, uptime, shared_files)
BY_ID: Final[dict[int, Kpi]] = {kpi.id: kpi for kpi in ALL}
COMPATIBLE_IDS: Final = (2001, 2003, 2004, 2005)
"""What the routes of the v1 API know; later KPIs are shown by our own routes only."""
