"""A writer for a disk that fails: a process of its own, which imports little."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from engine.errors import MetricsError
from engine.sources.log_file import LogFile
from engine.store.store import Store
from engine.times import load_zone

HOUR: Final = 1_781_388_000
COMMITS: Final = 25


def write_on(folder: Path) -> None:
    """A writer that keeps what could not be saved and tries again, as `serve` does: of every commit
    one visit, one minute and one byte of a log, in two hours. Prints how many commits failed, and
    the number of the last one that was acknowledged.
    """
    store = Store.open(
        folder / "metrics.db", load_zone("UTC"), repair_at=HOUR, may_be_read_only=True
    )
    kept: dict[tuple[int, int, str], int] = {}
    log = LogFile(b"x" * 12)
    failed = acknowledged = 0
    for number in range(COMMITS + 20):
        hour = HOUR + number // 10 * 3600
        if number < COMMITS:
            kept[hour, 1001, "Bees"] = kept.get((hour, 1001, "Bees"), 0) + 1
            kept[hour, 1005, ""] = kept.get((hour, 1005, ""), 0) | 1 << number
            log.position += 1
        try:
            store.commit(kept, [log], running_hour=hour, meta={"saved_at": HOUR})
            kept, acknowledged = {}, log.position
        except MetricsError:
            failed += 1
        if not kept and number >= COMMITS:
            break
    with contextlib.suppress(MetricsError):
        store.close()
    print(f"{failed} {acknowledged}")
