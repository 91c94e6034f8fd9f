"""What every indicator has.

A state is one integer per (hour, indicator, dimension); its indicator's fold (`folds.py`) says how
it grows and merges, so that two states of one hour become one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from engine.indicators.folds import Fold
from engine.inputs.model import Input

Key = tuple[int, int, str]
"""(hour, indicator id, dimension value0); the dimension of "no dimension" is the empty text."""

States = dict[Key, int]
"""The state of each key that was touched."""

NO_DIMENSION = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one input does to one state, which grows by `amount` and by the input's minute."""

    indicator_id: int
    dimension: str
    fold: Fold
    amount: int


class Indicator(Protocol):
    """A quantity that is kept per hour and dimension."""

    id: int
    name: str
    fold: Fold

    def on(self, event: Input) -> tuple[str, int] | None:
        """The dimension and the amount that an input adds; None when it is not concerned."""
