"""Which file system a folder is on."""

from __future__ import annotations

import os
from pathlib import Path


def file_system_of(folder: Path) -> str:
    """The type of the file system of a folder; empty when it is not known."""
    try:
        device = folder.stat().st_dev
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    number = f"{os.major(device)}:{os.minor(device)}"
    for mount in mounts.splitlines():
        fields, _, rest = mount.partition(" - ")
        if fields.split()[2:3] == [number]:
            return rest.split(" ", 1)[0]
    return ""


def is_in_memory(folder: Path) -> bool:
    """Whether a folder lies on a file system that is empty after each boot."""
    return file_system_of(folder) in {"tmpfs", "ramfs"}
