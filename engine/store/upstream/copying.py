"""Copies a database of the older system with its journals: opening one in WAL mode changes it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from engine.errors import Busy, StorageError

COPY_ATTEMPTS: Final = 5


def size_of(path: Path, suffix: str = "") -> int:
    """The bytes of a file, or of what SQLite keeps next to it; 0 where there is none."""
    try:
        return path.with_name(path.name + suffix).stat().st_size
    except OSError:
        return 0


def copied(path: Path, folder: Path) -> Path:
    """Copy a file with its journals while nothing writes to them. Raises Busy or StorageError."""
    suffixes = ("", "-journal", "-wal")
    parts = [path.with_name(path.name + suffix) for suffix in suffixes]
    target = folder / "copy.db"
    for _ in range(COPY_ATTEMPTS):
        before = [_stamp(part) for part in parts]
        for part, suffix in zip(parts, suffixes, strict=True):
            copy = target.with_name(target.name + suffix)
            copy.unlink(missing_ok=True)
            try:
                shutil.copyfile(part, copy)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StorageError(
                    f"{part} cannot be copied into {folder.parent}: {error.strerror or error}",
                    "make room on that disk",
                ) from error
        if before == [_stamp(part) for part in parts]:
            return target
    raise Busy(f"{path} is being written", "stop the older system, then try again")


def _stamp(part: Path) -> tuple[int, int, int] | None:
    try:
        found = part.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
