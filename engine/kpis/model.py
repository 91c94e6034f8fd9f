"""What every KPI has.

A KPI is a pure function of the sums of a period's records: indicator id -> dimension -> sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

Totals = Mapping[int, Mapping[str, int]]
"""Sums over the records of a period: indicator id -> dimension value0 -> value."""

TOP: Final = 10


class Kpi(Protocol):
    """One figure of a period, as the REST API gives it."""

    id: int
    name: str

    def compute(self, totals: Totals) -> dict[str, Any]:
        """The JSON value of the KPI."""

    def metrics(self, value: dict[str, Any]) -> list[tuple[str, str, int]]:
        """The same as rows (package or empty, metric, value), for tables and CSV."""


def top(values: Mapping[str, int]) -> list[tuple[str, int]]:
    """The ten largest, ties by code point of the name."""
    return sorted(values.items(), key=lambda item: (-item[1], item[0]))[:TOP]
