"""Reads the numbers of the board and of the card, as far as the system shows them.

Only hashes of them leave this module. Container engines hide `/sys/firmware`, but not the serial
number that Raspberry Pi kernels write into `/proc/cpuinfo`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from engine.store.site import Hardware

ROOT: Final = Path("/")
_BOARD: Final = "sys/firmware/devicetree/base/serial-number"
_NUMBERS: Final = ("device/cid", "device/serial")


def read_hardware(database: Path, root: Path = ROOT) -> Hardware:
    """The hardware that a database is on. Never raises."""
    return Hardware(
        hashed("board", _board_number(root)), hashed("card", _card_number(database, root))
    )


def hashed(kind: str, number: str) -> str:
    """The hash of a number; empty for one that says nothing, such as zeros."""
    if not number.strip("0 \t\r\n\0"):
        return ""
    return hashlib.sha256(f"offspot-metrics {kind} {number}".encode()).hexdigest()


def _board_number(root: Path) -> str:
    number = _read(root / _BOARD)
    if number:
        return number
    for line in _read(root / "proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "Serial":
            return value.strip()
    return ""


def _card_number(database: Path, root: Path) -> str:
    """The number of the disk that a database is on, else that of the only card there is."""
    for disk in _disks(database, root):
        for name in _NUMBERS:
            if number := _read(disk / name):
                return number
    return ""


def _disks(database: Path, root: Path) -> Iterator[Path]:
    with suppress(OSError):
        device = database.parent.stat().st_dev
        block = root / f"sys/dev/block/{os.major(device)}:{os.minor(device)}"
        part = block.resolve(strict=True)
        yield part
        yield part.parent  # of a partition
    with suppress(OSError):
        cards = sorted((root / "sys/block").glob("mmcblk*/device/cid"))
        if len(cards) == 1:
            yield cards[0].parent.parent


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_bytes().strip(b"\0 \t\r\n").decode("ascii", "replace")
    return ""
