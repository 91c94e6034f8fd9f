"""What every KPI has: how its figures are computed, and all that is shown of them.

A KPI is a module with what `Kpi` lists; it computes from the `Summary` of a period alone. The REST
API and its description, the CSV, the terminal and the types of the dashboard are made from the KPIs
of `kpis.ALL`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from engine.indicators.model import Indicator

Json = dict[str, Any]

TOP: Final = 10


@dataclass(frozen=True)
class Summary:
    """What the store knows of a period. Another kind of summary than sums is another field."""

    sums: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    """Sums of the records: indicator id -> dimension value0 -> value."""

    def sums_of(self, indicator: Indicator) -> Mapping[str, int]:
        """The sums of one indicator, by dimension."""
        return self.sums.get(indicator.id, {})

    def has_data(self) -> bool:
        """Whether there are records in the period."""
        return any(self.sums.values())


NO_DATA: Final = Summary()


@dataclass(frozen=True)
class Unit:
    """The unit of figures: its name, and a figure as people read it."""

    name: str
    text: Callable[[int], str]


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
    unit: Unit
    """The unit of all its figures."""
    compatible: bool
    """Whether the routes of the v1 API know it; the others are shown by our own routes only."""
    adds_up: bool
    """Whether the figures of all packages add up to the first headline."""
    schema: Json
    """The JSON schema of what `compute` returns; it may refer to those of `openapi.yaml`."""

    def compute(self, period: Summary) -> Json:
        """The JSON value of the KPI. Without data, every figure is zero."""

    def headline(self, value: Json) -> dict[str, int]:
        """The figures that the trend shows; their names are the same for every value."""

    def others(self, period: Summary) -> dict[str, int]:
        """What lies beyond the top ten: the figure, and how many packages there are in all.

        The names are the same for every period; a KPI without packages has none.
        """

    def rows(self, value: Json) -> list[Row]:
        """Every figure, for the CSV."""

    def lines(self, value: Json) -> list[tuple[str, str]]:
        """Name and text of the figures of the whole period, for the terminal."""

    def top_table(self, value: Json) -> TopTable | None:
        """The top ten for the terminal; None for a KPI without packages."""


# Units


def _count(n: int) -> str:
    """`1,234`."""
    return f"{n:,}"


def _duration(minutes: int) -> str:
    """Minutes as hours and minutes: `20 h 34 min`."""
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02d} min" if hours else f"{rest} min"


COUNT: Final = Unit("count", _count)
DURATION: Final = Unit("duration", _duration)

# The top ten


def top(values: Mapping[str, int]) -> list[tuple[str, int]]:
    """The ten largest, ties by code point of the name; the empty one, a remainder, is none."""
    named = [(name, n) for name, n in values.items() if name]
    return sorted(named, key=lambda item: (-item[1], item[0]))[:TOP]


def beyond_top(values: Mapping[str, int]) -> int:
    """The sum of all but the ten largest."""
    return sum(values.values()) - sum(n for _, n in top(values))


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
