"""1004 Uptime: the minutes of the hour in which the offspot was on."""

from __future__ import annotations

from engine.indicators.folds import MINUTES
from engine.indicators.model import NO_DIMENSION
from engine.inputs.model import ClockTick, Input

id = 1004  # noqa: A001 (the word of the field)
name = "Uptime"
fold = MINUTES


def on(event: Input) -> tuple[str, int] | None:
    """The minute of a clock tick."""
    return (NO_DIMENSION, 0) if isinstance(event, ClockTick) else None
