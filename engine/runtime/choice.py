"""Whether Filebeat reads the logs, which one, and where its files go.

In: a configuration. Out: the program (None: the built-in reader reads) and a folder, or the error
of a Filebeat that was asked for and cannot be had.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from engine.errors import ReaderUnavailable
from engine.settings import Config
from engine.sources.filebeat.process import find_filebeat, require_filebeat
from engine.sources.filebeat.run_folder import choose_place

log = logging.getLogger("offspot-metrics")


def choose_filebeat(config: Config) -> tuple[str | None, Path]:
    """The program, if it is to be used, and where it works. Raises ReaderUnavailable."""
    program: str | None = None
    if config.reader == "filebeat":
        program = require_filebeat(config.filebeat)
    elif config.reader == "auto":
        program = find_filebeat(config.filebeat)
    place = config.database.parent
    if program:
        try:
            place, notes = choose_place(_places(config.database))
        except ReaderUnavailable as error:
            if config.reader == "filebeat":
                raise
            log.warning("%s; the built-in reader reads the logs", error.message)
            return None, place
        for note in notes:
            log.warning("%s", note)
    return program, place


def _places(database: Path) -> list[Path]:
    """Where Filebeat's folder may be made; the first that is in memory is taken."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    places: list[str | Path] = [runtime, "/run", "/dev/shm", "/tmp", database.parent]  # noqa: S108 (run_folder.py checks them)
    return [Path(place).absolute() for place in places if place]
