"""The numbers of board and card are found where a Raspberry Pi and a container show them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.runtime.hardware import hashed, read_hardware
from engine.store.site import Hardware

BOARD = "10000000abcdef12"
CARD = "035344534533324780e5d2ae0a0147a1"


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_nothing_is_known_where_nothing_is_shown(tmp_path: Path) -> None:
    """Without any of the files both are empty, and nothing is raised."""
    assert read_hardware(tmp_path / "none/metrics.db", tmp_path) == Hardware("", "")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sys/firmware/devicetree/base/serial-number", f"{BOARD}\0"),
        (
            "proc/cpuinfo",
            f"processor\t: 0\n\nRevision\t: c03114\nSerial\t\t: {BOARD}\nModel : Pi\n",
        ),
    ],
)
def test_the_board_is_the_same_by_either_file(tmp_path: Path, name: str, text: str) -> None:
    """A container, which has no `/sys/firmware`, finds the number that the host finds."""
    put(tmp_path, name, text)
    assert read_hardware(tmp_path / "metrics.db", tmp_path).board == hashed("board", BOARD) != ""


@pytest.mark.parametrize("number", ["", "0000000000000000", "\n", "0"])
def test_a_number_of_zeros_is_none(tmp_path: Path, number: str) -> None:
    """Boards without a number of their own say zeros, all of them the same."""
    put(tmp_path, "proc/cpuinfo", f"Serial : {number}\n")
    put(tmp_path, "sys/block/mmcblk0/device/cid", number)
    assert read_hardware(tmp_path / "metrics.db", tmp_path) == Hardware("", "")


def test_the_card_is_that_of_the_database(tmp_path: Path) -> None:
    """Of several disks the one that the database is on, a partition of it or the whole."""
    device = tmp_path.stat().st_dev
    place = f"{os.major(device)}:{os.minor(device)}"
    put(tmp_path, "sys/block/mmcblk0/device/cid", "aa")
    put(tmp_path, "sys/devices/usb/block/sda/device/serial", CARD)
    (tmp_path / "sys/devices/usb/block/sda/sda1").mkdir()
    (tmp_path / "sys/dev/block").mkdir(parents=True)
    link = tmp_path / "sys/dev/block" / place
    for target in ("sda/sda1", "sda"):
        link.symlink_to(f"../../devices/usb/block/{target}")
        assert read_hardware(tmp_path / "metrics.db", tmp_path).card == hashed("card", CARD)
        link.unlink()


def test_the_only_card_is_taken_where_the_disk_is_not_seen(tmp_path: Path) -> None:
    """On the layers of a container the device of the database is none of the disks."""
    put(tmp_path, "sys/block/mmcblk0/device/cid", CARD)
    put(tmp_path, "sys/block/sda/device/serial", "a stick that somebody has put in")
    assert read_hardware(tmp_path / "metrics.db", tmp_path).card == hashed("card", CARD)
    put(tmp_path, "sys/block/mmcblk1/device/cid", "bb")
    assert read_hardware(tmp_path / "metrics.db", tmp_path).card == ""


def test_only_a_hash_is_told(tmp_path: Path) -> None:
    """The numbers themselves are nowhere in what is kept, and board and card never look alike."""
    put(tmp_path, "proc/cpuinfo", f"Serial : {CARD}\n")
    put(tmp_path, "sys/block/mmcblk0/device/cid", CARD)
    found = read_hardware(tmp_path / "metrics.db", tmp_path)
    assert found.board != found.card
    assert CARD not in repr(found)
