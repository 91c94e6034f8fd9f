"""Indicators: inputs to states, states to the values of records. `ALL` lists every one.

In: inputs. Out: effects on states, and merged states. It must not know of lines or of SQL.
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
from engine.indicators.model import Effect, Fold, Indicator, States
from engine.inputs.model import ClockTick, Input

ALL: Final[tuple[Indicator, ...]] = (
    package_home_visit,
    shared_files_operations,
    uptime,
    total_usage_overall,
    total_usage_by_package,
)
BY_ID: Final[dict[int, Indicator]] = {indicator.id: indicator for indicator in ALL}
MINUTE_IDS: Final = frozenset(i.id for i in ALL if i.fold is Fold.MINUTES)


def effects_of(events: Iterable[Input]) -> tuple[Effect, ...]:
    """What inputs of one line do to the states, whatever its time."""
    found: list[Effect] = []
    for event in events:
        for indicator in ALL:
            touched = indicator.on(event)
            if touched is not None:
                effect = Effect(indicator.id, touched[0], indicator.fold, touched[1])
                if effect.fold is Fold.SUM or effect not in found:
                    found.append(effect)
    return tuple(found)


ON: Final = effects_of([ClockTick()])
"""What any valid line, and any tick of the clock, does."""


def apply(states: States, effects: Iterable[Effect], hour: int, minute_bit: int, n: int) -> None:
    """Let `n` lines of one minute (a bit of the hour's set) have their effects on the states."""
    for effect in effects:
        key = (hour, effect.indicator_id, effect.dimension)
        if effect.fold is Fold.MINUTES:
            states[key] = states.get(key, 0) | minute_bit
        else:
            states[key] = states.get(key, 0) + effect.amount * n


def merge(into: States, other: States) -> None:
    """Put the states of another part of the same logs into `into`."""
    for key, state in other.items():
        into[key] = merged(key[1], into.get(key, 0), state)


def merged(indicator_id: int, one: int, other: int) -> int:
    """Two states of one key as one."""
    return one | other if indicator_id in MINUTE_IDS else one + other
