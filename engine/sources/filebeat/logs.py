"""Which logs Filebeat reads, and those that only it has open."""

from __future__ import annotations

import os
from pathlib import Path

from engine.patterns import read_pattern
from engine.sources.filebeat.process import can_be_in_an_event
from engine.sources.tail.folder import LogFolder
from engine.sources.tail.open_log import regular_key


def is_given_to_filebeat(name: str, pattern: str) -> bool:
    """Whether Filebeat reads a log of this name: filebeat.yml leaves some out."""
    is_excluded = name.endswith((".gz", ".zst")) or not can_be_in_an_event(name)
    return read_pattern(pattern).matches(name) and not is_excluded


def open_through(folder: LogFolder, links: list[Path]) -> None:
    """Open logs that came and went between two looks, by links to what Filebeat has open."""
    inside = f"{folder.folder.resolve()}/"
    for link in links:
        try:
            target, status = str(link.readlink()), link.stat()
            key = (status.st_dev, status.st_ino)
            if not target.startswith(inside) or folder.has(key):
                continue
            descriptor = os.open(link, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        if regular_key(descriptor) == key:
            folder.add(Path(target).name.removesuffix(" (deleted)"), key, descriptor)
        else:
            os.close(descriptor)
