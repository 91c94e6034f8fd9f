"""`offspot-metrics restore`: a backup becomes the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.settings import Config


def restore(config: Config) -> None:
    """Put a backup in the place of the database.

    The backup is checked first. The database that was there is kept in quarantine next to it, and
    this hotspot keeps its identity. Logs that are still there are counted again from where the
    backup stands.
    """
    from pathlib import Path

    from cli.messages import print_message
    from engine.runtime.clock import now
    from engine.store.lock import Lock
    from engine.store.repair.restore import check_source, restore

    source = Path(config.source)
    check_source(source)  # before a lock is made next to a database that may not be there
    lock = Lock(config.database)
    try:
        print_message(restore(config.database, source, now()))
    finally:
        lock.release()
