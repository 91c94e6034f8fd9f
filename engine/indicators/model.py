"""What every indicator has, and how its states merge.

A state is one integer per (hour, indicator, dimension): a sum, or a set of the hour's minutes as
60 bits. Sums merge by adding and sets by union, so neither the order of the lines nor the way a
log was cut matters, and two states of one hour become one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from engine.inputs.model import Input

Key = tuple[int, int, str]
"""(hour, indicator id, dimension value0); the dimension of "no dimension" is the empty text."""

States = dict[Key, int]
"""The state of each key that was touched."""

NO_DIMENSION = ""


class Fold(Enum):
    """How an indicator's state grows."""

    SUM = "sum"
    MINUTES = "minutes"


@dataclass(frozen=True, slots=True)
class Effect:
    """What one input does to one state: add `amount`, or put its minute into the set."""

    indicator_id: int
    dimension: str
    fold: Fold
    amount: int = 0


class Indicator(Protocol):
    """A quantity that is kept per hour and dimension."""

    id: int
    name: str
    fold: Fold

    def on(self, event: Input) -> tuple[str, int] | None:
        """The dimension and the amount that an input adds; None when it is not concerned."""

    def value(self, state: int) -> int:
        """The value of the hour's record for a state."""
