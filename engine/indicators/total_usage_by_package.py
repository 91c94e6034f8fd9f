"""1006 TotalUsageByPackage: the ten-minute slots of the hour in which a package was used."""

from __future__ import annotations

from engine.indicators.folds import SLOTS
from engine.inputs.model import Input, PackageRequest

id = 1006  # noqa: A001 (the word of the field)
name = "TotalUsageByPackage"
fold = SLOTS


def on(event: Input) -> tuple[str, int] | None:
    """The minute of a request for the package's title."""
    return (event.title, 0) if isinstance(event, PackageRequest) else None
