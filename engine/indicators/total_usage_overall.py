"""1005 TotalUsageOverall: the ten-minute slots of the hour in which any package was used."""

from __future__ import annotations

from engine.indicators.folds import SLOTS
from engine.indicators.model import NO_DIMENSION
from engine.inputs.model import Input, PackageRequest

id = 1005  # noqa: A001 (the word of the field)
name = "TotalUsageOverall"
fold = SLOTS


def on(event: Input) -> tuple[str, int] | None:
    """The minute of a request for any package."""
    return (NO_DIMENSION, 0) if isinstance(event, PackageRequest) else None
