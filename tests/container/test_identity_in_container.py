"""Which hotspot it is, inside a container whose engine hides the board's number."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from lab.containers import Container
from lab.images import Image

pytestmark = [pytest.mark.full, pytest.mark.timeout(400)]

BOARD = {"same": "10000000abcdef12", "other": "10000000fedcba98", "unknown": ""}
CARD = {"same": "035344534533324780e5d2ae0a0147a1", "other": "27504853443332", "unknown": ""}
TABLE = [
    # board, card, whether it is still the same hotspot
    ("same", "same", True),
    ("same", "other", True),  # another card for the board: a repair
    ("same", "unknown", True),
    ("other", "same", True),  # another board for the card: a repair
    ("other", "other", False),  # a copy of the card in another hotspot
    ("other", "unknown", False),
    ("unknown", "same", True),
    ("unknown", "other", False),
    ("unknown", "unknown", True),  # nothing can be compared
]


def container(image: Image, folder: Path, data: Path, board: str, card: str) -> Container:
    """A container on a machine with these numbers, which the kernel shows where a Pi's does."""
    numbers = folder / "numbers"
    (numbers / "mmcblk0/device").mkdir(parents=True)
    (numbers / "mmcblk0/device/cid").write_text(f"{card}\n")
    (folder / "cpuinfo").write_text(f"processor\t: 0\nSerial\t\t: {board}\n")
    (folder / "logs").mkdir()
    (folder / "packages.yml").write_text("packages: []\n")
    mounts = {
        "/proc/cpuinfo": (folder / "cpuinfo", "ro"),
        "/sys/block": (numbers, "ro"),
        "/data": (data, "rw"),
        "/reverse-proxy-logs": (folder / "logs", "ro"),
        "/conf/packages.yml": (folder / "packages.yml", "ro"),
    }
    return Container(image, folder / "run", mounts, {"READER": "tail"})


def identity(run: Container) -> str:
    """The id that a start under these circumstances shows."""
    with run:
        run.wait_for(lambda: run.answers("/health/live"), "the start")
        firmware = Path(f"/proc/{run.pids[0]}/root/sys/firmware")
        assert list(firmware.iterdir()) == [], "the engine hides it"
        site_id = str(run.api("/api/v1/status")["site"]["id"])
        assert run.stop() == 0, run.text
    return site_id


def test_the_identity_in_a_container(unpacked: Callable[[str], Image], tmp_path: Path) -> None:
    """Whatever of board and card is the same, another one or not shown: the id stays while either
    is the same or nothing can be compared, and a copy gets another id, with what was counted.
    """
    image = unpacked("amd64")
    data = tmp_path / "data"
    data.mkdir()
    first = container(image, tmp_path / "first", data, BOARD["same"], CARD["same"])
    site_id = identity(first)
    assert len(site_id) == 36
    found = []
    for number, (board, card, _) in enumerate(TABLE):
        copy = tmp_path / f"data-{number}"
        copy.mkdir()
        with (
            closing(sqlite3.connect(data / "metrics.db")) as source,
            closing(sqlite3.connect(copy / "metrics.db")) as target,
        ):
            source.backup(target)
        run = container(image, tmp_path / f"{number}", copy, BOARD[board], CARD[card])
        found.append((board, card, identity(run) == site_id))
    assert found == TABLE
