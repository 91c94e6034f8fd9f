"""1005 TotalUsageOverall: the ten-minute slots of the hour in which any package was used."""

from __future__ import annotations

from engine.indicators.model import NO_DIMENSION, Fold
from engine.inputs.model import Input, PackageRequest
from engine.times import SLOT_MINUTES, slots

id = 1005  # noqa: A001 (the word of the field)
name = "TotalUsageOverall"
fold = Fold.MINUTES


def on(event: Input) -> tuple[str, int] | None:
    """The minute of a request for any package."""
    return (NO_DIMENSION, 0) if isinstance(event, PackageRequest) else None


def value(state: int) -> int:
    """Minutes of activity: ten for each active slot, 0 to 60."""
    return slots(state) * SLOT_MINUTES
