"""Indicators: the quantities that are kept for each hour. `ALL` lists them.

Inputs have effects on the states of an hour; states of the same hour merge into one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.indicators import (
    package_home_visit,
    shared_files_operations,
    total_usage_by_package,
    total_usage_overall,
    uptime,
)
from engine.indicators.folds import Fold
from engine.indicators.model import Effect, Indicator, States
from engine.inputs.model import ClockTick, Input

ALL: Final[tuple[Indicator, ...]] = (
    package_home_visit,
    shared_files_operations,
    uptime,
    total_usage_overall,
    total_usage_by_package,
)
FOLDS: Final[dict[int, Fold]] = {indicator.id: indicator.fold for indicator in ALL}


def effects_of(events: Iterable[Input]) -> tuple[Effect, ...]:
    """What inputs of one line do to the states, whatever its time."""
    return tuple(
        Effect(indicator.id, touched[0], indicator.fold, touched[1])
        for event in events
        for indicator in ALL
        if (touched := indicator.on(event)) is not None
    )


ON: Final = effects_of([ClockTick()])
"""What any valid line, and any tick of the clock, does."""


def apply(states: States, effects: Iterable[Effect], hour: int, minutes: int, n: int) -> None:
    """Let `n` lines of one hour, written in a set of its minutes, have their effects on states."""
    for effect in effects:
        key = (hour, effect.indicator_id, effect.dimension)
        states[key] = effect.fold.grow(states.get(key, 0), effect.amount * n, minutes)


def merge(into: States, other: States) -> None:
    """Put the states of another part of the same logs into `into`."""
    for key, state in other.items():
        into[key] = FOLDS[key[1]].merge(into.get(key, 0), state)
