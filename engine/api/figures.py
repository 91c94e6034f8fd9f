"""The figures that the API serves: the shape of what it reads, so that nothing is imported upwards.

In: nothing. Out: the `Report` protocol, which `engine/report.py` fulfils.
Must not: know where figures come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

Json: TypeAlias = Mapping[str, Any]
"""A JSON object, ready for `json.dumps`."""


class Report(Protocol):
    """Figures of one database, read by one thread.

    Times are whole seconds since the epoch. A method may raise anything when the database is out of
    reach: the reader then closes this report, opens another and asks once more.
    """

    def version(self) -> str:
        """Another text after every change of what is stored; only this object compares it."""

    def aggregations(self) -> Json:
        """`{"aggregations": [{"kind", "value"}]}`, every stored period."""

    def aggregation(self, kind: str) -> Json:
        """The stored KPIs of one kind of period, and the labels to draw an axis with."""

    def kpi_value(self, kpi_id: int, kind: str, label: str) -> Json | None:
        """`{"kpiId", "value"}`, or None when that KPI of that period is not stored."""

    def periods(self, now: int) -> Json:
        """Every period that can be shown, newest first."""

    def period(self, kind: str, label: str, now: int) -> Json | None:
        """One period with its neighbours, or None when the label names no period."""

    def close(self) -> None:
        """Let go of the database. Called by the thread that opened it."""


OpenReport: TypeAlias = Callable[[], Report]
