"""The figures of an hour, which those of any longer time add up from, and their names in JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from engine.indicators import (
    package_home_visit,
    shared_files_operations,
    total_usage_by_package,
    total_usage_overall,
    uptime,
)
from engine.indicators.model import NO_DIMENSION
from engine.inputs.model import FILE_CREATED, FILE_DELETED
from engine.kpis.model import Json

Values = Mapping[tuple[int, Any], int]
"""(indicator id, dimension) -> value, or a sum of values. A dimension is a text, or its id."""
DIMENSIONS: Final = (NO_DIMENSION, FILE_CREATED, FILE_DELETED)
"""The dimensions that are no package, as texts."""


class HourFigures(NamedTuple):
    """The hotspot: counts, and minutes of which an hour has 0 to 60."""

    visits: int = 0
    minutes_in_use: int = 0
    """In which any package was in use."""
    minutes_on: int = 0
    files_created: int = 0
    files_deleted: int = 0

    def with_use(self, use: PackageUse) -> HourFigures:
        """Those of one package, beside the minutes on."""
        return HourFigures(use.visits, min(use.minutes_in_use, self.minutes_on), self.minutes_on)

    def as_json(self, *, of_package: bool = False) -> Json:
        """By their names; files are of no package."""
        return {
            "visits": self.visits,
            "minutesInUse": self.minutes_in_use,
            "minutesOn": self.minutes_on,
            "filesCreated": None if of_package else self.files_created,
            "filesDeleted": None if of_package else self.files_deleted,
        }


class PackageUse(NamedTuple):
    """One package."""

    visits: int = 0
    minutes_in_use: int = 0

    def as_json(self, title: str, before: PackageUse | None = None) -> Json:
        """By their names, with those of an earlier time if it is given."""
        found: Json = {
            "package": title,
            "visits": self.visits,
            "minutesInUse": self.minutes_in_use,
        }
        if before is not None:
            found |= {"visitsBefore": before.visits, "minutesInUseBefore": before.minutes_in_use}
        return found


def total_json(figures: HourFigures, packages_used: int | None) -> Json:
    """The figures of a longer time; without a number of packages they are of one package."""
    of_package = packages_used is None
    return {**figures.as_json(of_package=of_package), "packagesUsed": packages_used}


def visits_json(figures: Iterable[HourFigures]) -> Json:
    """How many visits there were in some hours, by name."""
    return {"visits": sum(hour.visits for hour in figures)}


def figures_of(values: Values, dimensions: tuple[Any, Any, Any] = DIMENSIONS) -> HourFigures:
    """The figures of one hour, or of a time of which only sums are known.

    `dimensions`: none, created files and deleted files.
    """
    nothing, created, deleted = dimensions
    on = values.get((uptime.id, nothing), 0)
    return HourFigures(
        sum(n for (indicator_id, _), n in values.items() if indicator_id == package_home_visit.id),
        min(values.get((total_usage_overall.id, nothing), 0), on),
        on,
        values.get((shared_files_operations.id, created), 0),
        values.get((shared_files_operations.id, deleted), 0),
    )


def package_uses(values: Values, nothing: Any = NO_DIMENSION) -> dict[Any, PackageUse]:
    """The use of each package in the same, by its dimension."""
    on = values.get((uptime.id, nothing), 0)
    of_packages = (package_home_visit.id, total_usage_by_package.id)
    found = dict.fromkeys(dimension for key, dimension in values if key in of_packages)
    return {
        dimension: PackageUse(
            values.get((package_home_visit.id, dimension), 0),
            min(values.get((total_usage_by_package.id, dimension), 0), on),
        )
        for dimension in found
    }


def add_use(into: dict[str, PackageUse], title: str, use: PackageUse) -> None:
    """Add what a package was used to what it has been used."""
    before = into.get(title, PackageUse())
    into[title] = PackageUse(before.visits + use.visits, before.minutes_in_use + use.minutes_in_use)
