"""Folders in memory, for tests of which none is about what a disk does."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BASE = Path("/dev/shm")


@contextmanager
def memory_folder(name: str) -> Iterator[Path]:
    """A new folder in memory, where a sync costs nothing."""
    base = _BASE if os.access(_BASE, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=name, dir=base, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
