"""1006 TotalUsageByPackage: the ten-minute slots of the hour in which a package was used."""

from __future__ import annotations

from engine.indicators.model import Fold
from engine.inputs.model import Input, PackageRequest
from engine.times import SLOT_MINUTES, slots

id = 1006  # noqa: A001 (the word of the field)
name = "TotalUsageByPackage"
fold = Fold.MINUTES


def on(event: Input) -> tuple[str, int] | None:
    """The minute of a request for the package's title."""
    return (event.title, 0) if isinstance(event, PackageRequest) else None


def value(state: int) -> int:
    """Minutes of activity: ten for each active slot, 0 to 60."""
    return slots(state) * SLOT_MINUTES
