"""Files that come, go, turn into others: the same for Filebeat and for the built-in reader."""

import gzip
import os
import shutil
from pathlib import Path

import pytest

from lab.caddy import appending
from tests.support.reading import CURRENT, Following, line, lines

NAMES = {
    "Caddy before 2.11": "caddy_access_logs-2026-06-14T10-00-00.{:03d}.json",
    "Caddy 2.11": "caddy_access_logs-2026-06-14T10-00-00.{:03d}-size.json",
}
FOLDERS = ["with spaces", "[brackets]", "com,ma", "ünï-köde-中文", "${HOME}", "$x", "st*r?"]
FOLDERS += ["qu\"o'te", "back\\slash", "{a,b}", "%{[x]}", "tab\there", "-dash", "~"]


@pytest.mark.parametrize("style", NAMES)
def test_rotation_by_rename(reader: str, logs: Path, style: str) -> None:
    """Rolled and deleted as Caddy does it, with lines written up to the last moment."""
    log = logs / CURRENT
    wanted = b""
    with Following(logs, reader) as following:
        for roll in range(8):
            data = lines(range(100 * roll, 100 * roll + 50))
            with appending(log) as stream:
                stream.write(data)
                following.wait_for(
                    lambda r=roll: len(following.ledger.applied) > 60 * r,  # type: ignore[misc]
                    f"log {roll} is seen",
                )
                log.rename(logs / NAMES[style].format(roll))
                rest = lines(range(100 * roll + 50, 100 * roll + 60))
                stream.write(rest)  # through what it had open
            wanted += data + rest
            if roll >= 2:
                (logs / NAMES[style].format(roll - 2)).unlink()
        following.wait_for_lines(wanted)
    assert (following.ledger.rewound, following.ledger.lost_bytes) == (0, 0)
    assert not following.ledger.lost_at_least


@pytest.mark.parametrize("rotations", range(6))
def test_rotated_while_down(reader: str, logs: Path, rotations: int) -> None:
    """Of two rolls that are kept nothing is lost; a third is said to be a loss of unknown size."""
    log = logs / CURRENT
    log.write_bytes(lines(range(100)))
    with Following(logs, reader) as following:
        following.wait_for_lines(lines(range(100)))
    ledger = following.ledger
    last = set(ledger.positions.log_files)
    with log.open("ab") as stream:
        stream.write(lines(range(100, 110)))
    kept = [lines(range(110))]
    for roll in range(rotations):
        log.rename(logs / NAMES["Caddy 2.11"].format(roll))
        if roll >= 2:
            (logs / NAMES["Caddy 2.11"].format(roll - 2)).unlink()
        kept = [*kept, lines(range(1000 * roll, 1000 * roll + 30))][-3:] if roll else kept
        log.write_bytes(lines(range(1000 * (roll + 1), 1000 * (roll + 1) + 30)))
    files = sorted(logs.iterdir())
    wanted = lines(range(100)) if rotations >= 3 else b""
    wanted += b"".join(path.read_bytes() for path in files)
    with Following(logs, reader, ledger=ledger, expected=last) as following:
        following.wait_for_lines(wanted)
        following.wait_for(lambda: not following.folder.missing, "what was lost is known")
    assert ledger.has(wanted), ledger.differences(wanted)
    assert ledger.lost_at_least == (rotations >= 3)


def test_restarts_in_the_middle(reader: str, logs: Path) -> None:
    """However often the reader stops and starts, each line is applied once."""
    log, ledger = logs / CURRENT, None
    for start in range(5):
        with log.open("ab") as stream:
            stream.write(lines(range(start * 10, start * 10 + 7)) + line(start * 10 + 7)[:30])
        with Following(logs, reader, ledger=ledger) as following:
            ledger = following.ledger
            wanted = b"".join(lines(range(s * 10, s * 10 + 8)) for s in range(start))
            following.wait_for_lines(wanted + lines(range(start * 10, start * 10 + 7)))
            with log.open("ab") as stream:
                stream.write(line(start * 10 + 7)[30:])
    assert ledger is not None
    wanted = b"".join(lines(range(s * 10, s * 10 + 8)) for s in range(5))
    assert ledger.has(wanted), ledger.differences(wanted)


def test_rolls_that_are_compressed(reader: str, logs: Path) -> None:
    """A `.gz` is read at start and at each look; of one known in part, only the rest."""
    log = logs / CURRENT
    old = logs / "caddy_access_logs-2026-06-13T10-00-00.000.json.gz"
    old.write_bytes(gzip.compress(lines(range(1000, 1100))))
    log.write_bytes(lines(range(50)))
    with Following(logs, reader) as following:
        following.wait_for_lines(lines(range(1000, 1100)) + lines(range(50)))
        packed = gzip.compress(lines(range(2000, 2100)))
        half = logs / "caddy_access_logs-2026-06-14T10-00-00.000-size.json.gz"
        half.write_bytes(packed[: len(packed) // 2])
        following.wait_for(lambda: len(following.ledger.applied) > 160, "half of it is read")
        half.write_bytes(packed)
        following.wait_for_lines(
            lines(range(1000, 1100)) + lines(range(50)) + lines(range(2000, 2100))
        )
    # Rolled and compressed while nobody looked, more of it written before.
    log.unlink()
    roll = logs / "caddy_access_logs-2026-06-15T10-00-00.000.json.gz"
    roll.write_bytes(gzip.compress(lines(range(80))))
    with Following(logs, reader, ledger=following.ledger) as following:
        following.wait_for_lines(
            lines(range(1000, 1100)) + lines(range(80)) + lines(range(2000, 2100))
        )
    assert following.ledger.rewound == 0


def test_truncated_in_place(reader: str, logs: Path) -> None:
    """Emptied and written again, with lines of the same lengths: nothing counts twice."""
    log = logs / CURRENT
    log.write_bytes(lines(range(1000, 1100)))
    with Following(logs, reader) as following:
        following.wait_for_lines(lines(range(1000, 1100)))
        with log.open("r+b") as stream:
            stream.truncate(0)
            stream.write(lines(range(2000, 2060)))
        following.wait_for_lines(lines(range(1000, 1100)) + lines(range(2000, 2060)))
        with log.open("r+b") as stream:  # and now past the old size
            stream.truncate(0)
            stream.write(lines(range(3000, 3300)))
        following.wait_for_lines(
            lines(range(1000, 1100)) + lines(range(2000, 2060)) + lines(range(3000, 3300))
        )
    assert following.ledger.lost_at_least, "what was written before it was cut is not known"


def test_copied_and_truncated(reader: str, logs: Path) -> None:
    """copytruncate: the copy is known for what it is, and what was not read is read from it."""
    log = logs / CURRENT
    log.write_bytes(lines(range(1000, 1100)))
    with Following(logs, reader) as following:
        following.wait_for_lines(lines(range(1000, 1100)))
    with log.open("ab") as stream:
        stream.write(lines(range(1100, 1150)))
    shutil.copy(log, logs / "caddy_access_logs-copy.json")
    log.write_bytes(lines(range(2000, 2020)))
    with Following(logs, reader, ledger=following.ledger) as following:
        following.wait_for_lines(lines(range(1000, 1150)) + lines(range(2000, 2020)))
    assert following.ledger.rewound == 0
    assert following.ledger.lost_bytes == 0


def test_other_names_of_one_log(reader: str, logs: Path) -> None:
    """A copy of a log that grows, a hard link and a symbolic link to it count nothing twice."""
    log = logs / CURRENT
    log.write_bytes(lines(range(100)))
    with Following(logs, reader) as following:
        following.wait_for_lines(lines(range(100)))
        shutil.copy(log, logs / "caddy_access_logs-a-copy.json")
        (logs / "caddy_access_logs-link.json").hardlink_to(log)
        (logs / "caddy_access_logs-soft.json").symlink_to(log)
        with log.open("ab") as stream:
            stream.write(lines(range(100, 150)))
        following.wait_for(lambda: len(following.folder.open_logs) == 2, "the copy is seen")
        following.wait_for_lines(lines(range(150)))
    with Following(logs, reader, ledger=following.ledger) as following:
        with log.open("ab") as stream:
            stream.write(line(150))
        following.wait_for_lines(lines(range(151)))
    assert following.ledger.rewound == 0


def test_logs_that_begin_alike(reader: str, logs: Path) -> None:
    """Two logs with one first line are told apart by the rest; the common lines count once."""
    ours, other = logs / CURRENT, logs / "caddy_access_logs-other.json"
    same = lines(range(5))
    ours.write_bytes(same + lines(range(100, 120)))
    with Following(logs, reader) as following:
        following.wait_for_lines(same + lines(range(100, 120)))
        other.write_bytes(same + lines(range(200, 230)))
        wanted = same + lines(range(100, 120)) + lines(range(200, 230))
        following.wait_for_lines(wanted)
    with ours.open("ab") as stream:
        stream.write(line(120))
    with other.open("ab") as stream:
        stream.write(line(230))
    with Following(logs, reader, ledger=following.ledger) as following:
        following.wait_for_lines(wanted + line(120) + line(230))


def test_an_older_state_comes_back(reader: str, logs: Path) -> None:
    """B9: cut back to any place and appended to, the lines of before are not counted again."""
    log = logs / CURRENT
    log.write_bytes(lines(range(400)))
    with Following(logs, reader) as following:
        following.wait_for_lines(lines(range(400)))
    for cut in (399, 250, 1):
        log.write_bytes(lines(range(cut)))
        with Following(logs, reader, ledger=following.ledger) as following:
            following.wait_for(lambda: len(following.folder.open_logs) == 1, "the log is there")
            first = 10_000 - cut  # later than all before
            with log.open("ab") as stream:
                stream.write(line(first))
            following.wait_for(
                lambda n=first: line(n) in following.ledger.applied,  # type: ignore[misc]
                "the new line",
            )
    wanted = lines([*range(400), 10_000 - 399, 10_000 - 250, 9_999])
    assert following.ledger.has(wanted), following.ledger.differences(wanted)


@pytest.mark.parametrize("name", FOLDERS)
def test_any_name_of_the_folder(reader: str, tmp_path: Path, name: str) -> None:
    """Whatever the folder is called, its logs are read, by Filebeat itself where it is used."""
    logs = tmp_path / name
    logs.mkdir()
    (logs / CURRENT).write_bytes(lines(range(10)))
    with Following(logs, reader) as following:
        following.wait_for_lines(lines(range(10)))
        if reader == "filebeat" and "\t" not in name:  # the one that it cannot tell of
            following.wait_for_filebeat()


def test_many_files(reader: str, logs: Path) -> None:
    """Two hundred logs, written in turn, all at once."""
    wanted = b""
    for number in range(200):
        data = lines(range(number * 100, number * 100 + 5))
        (logs / f"caddy_access_logs-{number}.json").write_bytes(data)
        wanted += data
    with Following(logs, reader) as following:
        following.wait_for_lines(wanted)
        for number in range(0, 200, 7):
            with (logs / f"caddy_access_logs-{number}.json").open("ab") as stream:
                stream.write(line(number * 100 + 50))
            wanted += line(number * 100 + 50)
        following.wait_for_lines(wanted)


def test_what_is_no_log_is_passed_by(reader: str, logs: Path) -> None:
    """S20: links, pipes, devices, folders of a log's name are not opened, and stop nothing."""
    secret = logs.parent / "secret.json"
    secret.write_bytes(lines(range(500, 510)))
    (logs / "caddy_access_logs-link.json").symlink_to(secret)
    (logs / "caddy_access_logs-link.json.gz").symlink_to(secret)
    os.mkfifo(logs / "caddy_access_logs-pipe.json")
    os.mknod(logs / "caddy_access_logs-zero.json", 0o20666, os.makedev(1, 5))
    (logs / "caddy_access_logs-folder.json").mkdir()
    (logs / "other.json").write_bytes(lines(range(600, 610)))
    (logs / CURRENT).write_bytes(lines(range(10)))
    with Following(logs, reader) as following:
        following.wait_for_lines(lines(range(10)))
        with (logs / CURRENT).open("ab") as stream:
            stream.write(line(10))
        following.wait_for_lines(lines(range(11)))
    assert len(following.ledger.applied) == 11


def test_deleted_while_it_is_written(reader: str, logs: Path) -> None:
    """F14: what Caddy writes to a deleted log is read, and health says that it is deleted."""
    log = logs / CURRENT
    with Following(logs, reader) as following, appending(log) as stream:
        stream.write(lines(range(10)))
        following.wait_for_lines(lines(range(10)))
        log.unlink()
        following.wait_for(
            lambda: any(open_log.vanished_at for open_log in following.folder.open_logs.values()),
            "it is seen to be gone",
        )
        stream.write(lines(range(10, 20)))
        following.wait_for_lines(lines(range(20)))
        following.wait_for(lambda: CURRENT in following.folder.problems, "it is said")
        (logs / CURRENT).write_bytes(lines(range(100, 110)))
        following.wait_for_lines(lines(range(20)) + lines(range(100, 110)))


def test_the_folder_comes_later(reader: str, logs: Path) -> None:
    """F15: absent, a file, there, moved away and back: it is read when it can be."""
    logs.rmdir()
    with Following(logs, reader) as following:
        following.wait_for(lambda: "" in following.folder.problems, "it is said")
        logs.write_bytes(b"not a folder")
        following.wait_for(
            lambda: "Not a directory" in following.folder.problems.get("", ""), "it is said"
        )
        logs.unlink()
        logs.mkdir()
        (logs / CURRENT).write_bytes(lines(range(10)))
        following.wait_for_lines(lines(range(10)))
        following.wait_for(lambda: not following.folder.problems, "all is well")
        logs.rename(logs.parent / "away")
        following.wait_for(lambda: "" in following.folder.problems, "it is said")
        with (logs.parent / "away" / CURRENT).open("ab") as stream:
            stream.write(line(10))
        following.wait_for_lines(lines(range(11)))  # through what is open
        (logs.parent / "away").rename(logs)
        with (logs / CURRENT).open("ab") as stream:
            stream.write(line(11))
        following.wait_for_lines(lines(range(12)))
