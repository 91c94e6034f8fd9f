"""Finds out which parts of a failed commit are in the database, so that they are not written twice.

Its states stay in memory, where more is added to them, and are given again with the next commit.
"""

from __future__ import annotations

from engine import indicators
from engine.indicators.model import States


class Unconfirmed:
    """The states of commits that failed, and those of them that are in the database."""

    def __init__(self) -> None:
        self._failed: States | None = None
        self._written: States = {}
        """What the caller still gives as new and the database has."""

    @property
    def is_open(self) -> bool:
        """Whether a commit failed of which it is not known whether it was written."""
        return self._failed is not None

    def failed(self, states: States) -> None:
        """A commit of these states failed in such a way that it may have been written."""
        self._failed = dict(states)

    def confirm(self, *, written: bool) -> None:
        """The database was opened again, and shows whether that commit was written."""
        failed, self._failed = self._failed, None
        if written and failed is not None:
            for key, state in failed.items():
                fold = indicators.FOLDS[key[1]]
                self._written[key] = fold.merge(self._written.get(key, 0), state)

    def without_written(self, states: States) -> States:
        """States without what the database has of them."""
        if not self._written:
            return states
        return {
            key: indicators.FOLDS[key[1]].difference(state, self._written.get(key, 0))
            for key, state in states.items()
        }

    def clear(self) -> None:
        """A commit succeeded, or the database is another one: nothing is left to confirm."""
        self._failed, self._written = None, {}
