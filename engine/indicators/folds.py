"""Folds: how the state of an hour grows, merges with another, and becomes the value of a record.

A state is one integer. Merging is commutative and associative, so neither the order of the lines
nor the way a log was cut matters. `COUNTS`, `MINUTES` and `SLOTS` are all the folds there are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, Protocol

from engine.times import SLOT_MINUTES, slots


class Fold(Protocol):
    """What is done with the states of an indicator. An untouched state is 0."""

    @property
    def keeps_minutes(self) -> bool:
        """Whether a record keeps its state, because its value alone cannot be merged."""

    @property
    def operator(self) -> Literal["+", "|"]:
        """The operator of SQL that merges a state into a stored one."""

    def grow(self, state: int, amount: int, minutes: int) -> int:
        """A state after lines that add `amount` in all and were written in a set of minutes."""

    def merge(self, one: int, other: int) -> int:
        """Two states of one key as one."""

    def difference(self, state: int, known: int) -> int:
        """What is left to merge into `known`, which is part of `state`, so that it becomes it."""

    def value(self, state: int) -> int:
        """The value of the hour's record."""


class _Sum:
    """A sum of amounts. What was added twice counts twice."""

    keeps_minutes = False
    operator: Literal["+", "|"] = "+"

    def grow(self, state: int, amount: int, minutes: int) -> int:  # noqa: ARG002
        return state + amount

    def merge(self, one: int, other: int) -> int:
        return one + other

    def difference(self, state: int, known: int) -> int:
        return state - known

    def value(self, state: int) -> int:
        return state


class _MinuteSet:
    """A set of the hour's minutes, as 60 bits. What is put in twice is there once."""

    keeps_minutes = True
    operator: Literal["+", "|"] = "|"

    def __init__(self, value: Callable[[int], int]) -> None:
        self._value = value

    def grow(self, state: int, amount: int, minutes: int) -> int:  # noqa: ARG002
        return state | minutes

    def merge(self, one: int, other: int) -> int:
        return one | other

    def difference(self, state: int, known: int) -> int:  # noqa: ARG002
        return state

    def value(self, state: int) -> int:
        return self._value(state)


def _minutes_of_slots(state: int) -> int:
    return slots(state) * SLOT_MINUTES


COUNTS: Final[Fold] = _Sum()
"""A sum of counts; its value is the sum."""

MINUTES: Final[Fold] = _MinuteSet(int.bit_count)
"""A set of minutes; its value is their number, 0 to 60."""

SLOTS: Final[Fold] = _MinuteSet(_minutes_of_slots)
"""A set of minutes; its value is ten for each ten-minute slot with one of them, 0 to 60."""
