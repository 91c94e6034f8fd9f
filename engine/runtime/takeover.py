"""Imports the database of an older system once, step by step while nothing else is to be done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from engine.errors import MetricsError
from engine.runtime import clock
from engine.store.importing import Import
from engine.store.store import Store
from engine.store.upstream.opening import open_upstream

DONE: Final = "taken_over"
"""The name in `meta` of the file that has been imported."""

log = logging.getLogger("offspot-metrics")


class Takeover:
    """One older database, or none. Owned by the main thread."""

    def __init__(self, older: Path | None, store: Store, noted: Callable[[], None]) -> None:
        """`noted` is called when there is something new to show of the store."""
        self.older = older
        self.store = store
        self._noted = noted
        self._steps: Iterator[int] | None = None
        self.has_begun = False
        self._opened = ExitStack()
        if older is not None and store.get(DONE) is None:
            log.info("%s is of offspot/metrics: imported once the logs are counted", older)
            self._steps = self._run(older)
        elif older is not None:
            store.notes.append(
                f"{store.get(DONE)} were imported from {older.name}, which stays as it is"
            )

    @property
    def is_pending(self) -> bool:
        """Whether there is something left to import."""
        return self._steps is not None

    def step(self) -> None:
        """Import some more. After a failure, which is reported, the next start tries again."""
        if self._steps is None:
            return
        self.has_begun = True
        try:
            if next(self._steps, None) is not None:
                return
        except MetricsError as error:
            text = f"{error.message}; it was not imported"
            log.warning("%s (try: %s)", text, error.hint)
            self._note(text)
        self.close()

    def close(self) -> None:
        """Leave the older database; what is missing is imported at the next start."""
        self._steps = None
        self._opened.close()

    def _run(self, older: Path) -> Iterator[int]:
        upstream = self._opened.enter_context(open_upstream(older, self.store.path.parent))
        running = Import(self.store, upstream, clock.now())
        yield from running.batches()
        summary = running.summary
        what = f"{summary.records.total():,} records of {summary.hours:,} hours"
        left = ", ".join(f"{n:,} {reason}" for reason, n in summary.left.most_common())
        log.info("%s: %s imported%s", older, what, f"; left: {left}" if left else "")
        self.store.put(DONE, what)
        self._note(f"{what} were imported from {older.name}, which stays as it is")

    def _note(self, text: str) -> None:
        self.store.notes.append(text)
        self._noted()
