"""`offspot-metrics backup`: a verified copy of the database, also while it is in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.settings import Config


def backup(config: Config) -> None:
    """Copy the database to a file, also while serve runs.

    The copy is of one moment, and it is checked before it gets its name.
    """
    import shutil
    import sys
    from pathlib import Path

    from cli.messages import print_message
    from engine.errors import UsageError
    from engine.store.files import temporary_folder
    from engine.store.repair.backup import back_up_to

    if config.target != "-":
        back_up_to(config.database, Path(config.target))
        size = Path(config.target).stat().st_size
        print_message(f"{config.target}: {size:,} bytes, verified")
        return
    if sys.__stdout__ is None or sys.stdout.isatty():
        raise UsageError("a backup is no text for a terminal", "name a file, or redirect: - > FILE")
    with temporary_folder("a copy of the database") as folder:
        copy = folder / "backup"
        back_up_to(config.database, copy)
        with copy.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
