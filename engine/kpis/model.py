"""What every KPI has: its figures, and all that is shown and said of them.

A KPI is a pure function of the sums of a period's records: indicator id -> dimension -> sum. The
REST API and its description, the CSV and the terminal are made from the KPIs of `kpis.ALL`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

Totals = Mapping[int, Mapping[str, int]]
"""Sums over the records of a period: indicator id -> dimension value0 -> value."""

Json = dict[str, Any]

Unit = Callable[[int], str]
"""A figure as people read it."""

TOP: Final = 10


class Row(NamedTuple):
    """One figure of the CSV; the package is empty for a figure of the whole period."""

    package: str
    metric: str
    value: int


class TopTable(NamedTuple):
    """The largest packages of a period, for the terminal."""

    heading: str
    figure: str
    rows: list[tuple[str, int]]
    """(title, figure), the largest first."""


class Kpi(Protocol):
    """Figures of a period, as the REST API gives them. Names of figures are its JSON keys."""

    id: int
    name: str
    title: str
    """Its name in a sentence, such as `total usage`."""
    compatible: bool
    """Whether the routes of the v1 API know it; the others are shown by our own routes only."""
    schema: Json
    """The JSON schema of what `compute` returns; it may refer to those of `openapi.yaml`."""

    @property
    def unit(self) -> Unit:
        """The unit of the figures."""

    def compute(self, totals: Totals) -> Json:
        """The JSON value of the KPI. Of no totals, every figure is zero."""

    def headline(self, value: Json) -> dict[str, int]:
        """The figures that the trend shows; their names are the same for every value."""

    def others(self, totals: Totals) -> dict[str, int]:
        """What lies beyond the top ten; the names are the same for all totals."""

    def rows(self, value: Json) -> list[Row]:
        """Every figure, for the CSV."""

    def lines(self, value: Json) -> list[tuple[str, str]]:
        """Name and text of the figures of the whole period, for the terminal."""

    def top_table(self, value: Json) -> TopTable | None:
        """The top ten for the terminal; None for a KPI without packages."""


# Units


def count(n: int) -> str:
    """`1,234`."""
    return f"{n:,}"


def duration(minutes: int) -> str:
    """Minutes as hours and minutes: `20 h 34 min`."""
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02d} min" if hours else f"{rest} min"


# The top ten


def top(values: Mapping[str, int]) -> list[tuple[str, int]]:
    """The ten largest, ties by code point of the name."""
    return sorted(values.items(), key=lambda item: (-item[1], item[0]))[:TOP]


def beyond_top(values: Mapping[str, int]) -> int:
    """The sum of all but the ten largest."""
    return sum(sorted(values.values(), reverse=True)[TOP:])


def items(values: Mapping[str, int], figure: str) -> list[Json]:
    """The top ten as JSON: `[{"package", figure}]`."""
    return [{"package": title, figure: n} for title, n in top(values)]


# JSON schemas

COUNT_SCHEMA: Final[Json] = {"$ref": "#/components/schemas/Count"}


def object_schema(properties: Json, **more: Any) -> Json:
    """An object that has all these properties."""
    return {"type": "object", **more, "required": [*properties], "properties": properties}


def items_schema(figure: str) -> Json:
    """What `items` returns."""
    item = object_schema({"package": {"type": "string"}, figure: COUNT_SCHEMA})
    return {"type": "array", "maxItems": TOP, "items": item}
