"""B5, B10, F24: file systems that use inodes again, lie in memory, or know no names as we do."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.sources.model import Block, Message
from tests.support.reading import CURRENT, FILEBEAT, READERS, Following, Ledger, line, lines

MAKERS = {"ext4": ["mkfs.ext4", "-q", "-F", "-N", "32"], "vfat": ["mkfs.vfat"]}
KINDS = ("tmpfs", "ext4", "overlay", "vfat")


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> str:
    if not FILEBEAT.exists():
        pytest.fail("build/filebeat is not there: make filebeat")
    return str(request.param)


def mount(kind: str, folder: Path) -> Path:
    """A fresh file system of a kind; skips where the machine does not let us."""
    where = folder / "mounted"
    where.mkdir()
    if kind == "overlay":
        base = folder / "base"
        base.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", base], check=True)
        for name in ("lower", "upper", "work"):
            (base / name).mkdir()
        options = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
        command = ["mount", "-t", "overlay", "overlay", "-o", options, str(where)]
    elif kind == "tmpfs":
        command = ["mount", "-t", "tmpfs", "none", str(where)]
    else:
        image = folder / "image"
        with image.open("wb") as stream:
            stream.truncate(40 * 1024 * 1024)
        try:
            subprocess.run([*MAKERS[kind], image], check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip(f"{MAKERS[kind][0]} is not here")
        command = ["mount", "-o", "loop", str(image), str(where)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        _unmount(folder)
        pytest.skip(f"{kind} cannot be mounted here: {done.stderr.strip()}")
    return where


def _unmount(folder: Path) -> None:
    for name in ("mounted", "base"):
        if (folder / name).is_mount():
            subprocess.run(["umount", "-l", folder / name], check=False)


@pytest.fixture
def mounted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    yield mount(request.param, tmp_path)
    _unmount(tmp_path)


@pytest.mark.parametrize("mounted", KINDS, indirect=True)
def test_rotation_and_restart(reader: str, mounted: Path) -> None:
    """B10: rolled while running and while down, on each kind of file system: nothing amiss."""
    logs = mounted / "the lögs"
    logs.mkdir()
    log, ledger, wanted = logs / CURRENT, Ledger(), b""
    for start in range(3):
        with log.open("ab") as stream:
            stream.write(lines(range(start * 1000, start * 1000 + 100)))
        wanted += lines(range(start * 1000, start * 1000 + 100))
        with Following(logs, reader, ledger=ledger) as following:
            following.wait_for_lines(wanted)
            log.rename(logs / f"caddy_access_logs-{start}-a.json")
            log.write_bytes(lines(range(start * 1000 + 200, start * 1000 + 250)))
            wanted += lines(range(start * 1000 + 200, start * 1000 + 250))
            following.wait_for_lines(wanted)
        log.rename(logs / f"caddy_access_logs-{start}-b.json")
    assert (ledger.rewound, ledger.lost_bytes, ledger.lost_at_least) == (0, 0, False)


@pytest.mark.parametrize("mounted", ["ext4"], indirect=True)
def test_an_inode_is_used_again(reader: str, mounted: Path) -> None:
    """B5: a new log with the inode of the one before, while running and while down, is new."""
    logs = mounted / "logs"
    logs.mkdir()
    log, ledger, wanted, inodes = logs / CURRENT, Ledger(), b"", []
    for start in range(4):
        log.unlink(missing_ok=True)
        log.write_bytes(lines(range(start * 1000, start * 1000 + 100)))
        inodes.append(log.stat().st_ino)
        wanted += lines(range(start * 1000, start * 1000 + 100))
        with Following(logs, reader, ledger=ledger) as following:
            following.wait_for_lines(wanted)
            log.unlink()
            log.write_bytes(lines(range(start * 1000 + 500, start * 1000 + 600)))
            inodes.append(log.stat().st_ino)
            wanted += lines(range(start * 1000 + 500, start * 1000 + 600))
            following.wait_for_lines(wanted)
    assert len(set(inodes)) < len(inodes), "ext4 was to use one again"
    assert (ledger.rewound, ledger.lost_bytes, ledger.lost_at_least) == (0, 0, False)
    assert os.statvfs(mounted).f_files <= 64


@pytest.mark.parametrize("mounted", ["tmpfs"], indirect=True)
def test_rolls_deleted_at_once(reader: str, mounted: Path) -> None:
    """F24: a clock that jumps two days makes Caddy delete all rolls; what we hold is still read."""
    logs = mounted / "logs"
    logs.mkdir()
    wanted = b""
    for roll in range(3):
        data = lines(range(roll * 10_000, roll * 10_000 + 4000))
        (logs / f"caddy_access_logs-{roll}.json").write_bytes(data)
        wanted += data
    seen = 0

    def take_and_delete(message: Message) -> None:
        nonlocal seen
        ledger.take(message)
        seen += isinstance(message, Block)
        if seen == 1 and isinstance(message, Block):  # all are open, next to nothing is read
            for path in logs.iterdir():
                path.unlink()
            (logs / CURRENT).write_bytes(line(90_000))

    ledger = Ledger()
    with Following(logs, reader, ledger=ledger, emit=take_and_delete) as following:
        following.wait_for_lines(wanted + line(90_000))
        assert [path.name for path in logs.iterdir()] == [CURRENT]


@pytest.mark.parametrize("mounted", ["tmpfs"], indirect=True)
def test_unmounted_and_mounted_again(reader: str, mounted: Path) -> None:
    """F15: the folder goes with its file system and comes with another one: read when it can be."""
    log = mounted / CURRENT
    log.write_bytes(lines(range(10)))
    with Following(mounted, reader) as following:
        following.wait_for_lines(lines(range(10)))
        subprocess.run(["umount", "-l", mounted], check=True)  # we hold a log: not without -l
        following.wait_for(
            lambda: all(open_log.vanished_at for open_log in following.folder.open_logs.values()),
            "it is gone",
        )
        subprocess.run(["mount", "-t", "tmpfs", "none", mounted], check=True)
        log.write_bytes(lines(range(100, 120)))
        following.wait_for_lines(lines(range(10)) + lines(range(100, 120)))
