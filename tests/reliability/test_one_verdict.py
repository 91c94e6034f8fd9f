"""One folder of odd files, and the same verdict of every line and file from whoever reads it."""

from __future__ import annotations

import gzip
import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from engine.inputs.model import FATES
from tests.cli.cases import invoke
from tests.reliability.serving import Serving
from tests.reliability.store_support import line, write_packages
from tests.support.packing import REFUSED
from tests.support.reading import FILEBEAT, READERS

PATTERN = "access*"
SETS = 7
"""Files that are read."""
AT = 1_781_388_000


def own(number: int) -> bytes:
    """A line of its own that counts."""
    return line(AT + number, 0, str(number))


def changed(number: int, **fields: Any) -> bytes:
    """A line of its own that counts, but for what is changed in it."""
    data = json.loads(own(number)) | fields
    return json.dumps(data, separators=(",", ":")).encode() + b"\n"


def options(reader: str) -> list[str]:
    return ["--reader", reader, *(["--filebeat", str(FILEBEAT)] if reader == "filebeat" else [])]


def odd_lines(first: int) -> bytes:
    """A line of each kind that was ever taken for two things."""
    return b"".join(
        [
            own(first),
            changed(first + 1, ts="2026-06-10T08:00:00.123-0330"),
            changed(first + 2, ts="2026-06-10T08:00:00.123+08:00"),
            changed(first + 3, ts=1_781_431_500_123.25),
            changed(first + 4, ts=1_781_431_500_123_456_789),
            changed(first + 5, ts="2026/06/10 08:00:00"),
            changed(first + 6, status=404),
            changed(first + 7, msg="http: TLS handshake error from 203.0.113.7:1: EOF"),
            b'{"log":"%d","stream":"stderr","time":"2026-06-14T10:00:00Z"}\n' % first,
            b'{"MESSAGE":"%d","PRIORITY":"6"}\n' % first,
            b'203.0.113.7 - - [14/Jun/2026:10:00:0%d +0000] "GET / HTTP/1.1" 200 1\n' % (first % 9),
            b"2026/06/14 10:00:00.000\tINFO\thandled request\t{}\n",
            own(first)[:100] + b"\n",
            b"x" * 1_100_000 + b"\n",
            b"\n",
        ]
    )


def odd_folder(logs: Path) -> None:
    """Fill a folder."""
    (logs / "access.json").write_bytes(odd_lines(100))
    (logs / "access-1.json.gz").write_bytes(gzip.compress(odd_lines(200)))
    (logs / "access-2.json").write_bytes(gzip.compress(odd_lines(300)))
    (logs / "access-3.json.gz").write_bytes(odd_lines(400))
    (logs / "access-4.json.gz").write_bytes(gzip.compress(odd_lines(500) + own(9)[:-1]))
    (logs / "access-5.json").write_bytes(odd_lines(600) + own(10)[:-1])
    content = odd_lines(700)
    members = gzip.compress(content[:500]) + gzip.compress(content[500:])
    (logs / "access-6.json").write_bytes(members)
    for number, kind in enumerate(REFUSED, start=20):
        suffix = (".json", ".json.gz", "")[number % 3]
        (logs / f"access-{number}{suffix}").write_bytes(REFUSED[kind][0](odd_lines(1000 * number)))
    elsewhere = logs.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "log").write_bytes(odd_lines(900))
    (logs / "access-link").symlink_to(elsewhere / "log")


def by_replay(logs: Path, packages: Path) -> tuple[Counter[str], set[str], set[str]]:
    """Lines by fate; names of what is not read; names of logs whose last line has no end."""
    fates: Counter[str] = Counter()
    refused, torn = set(), set()
    for path in sorted(logs.iterdir()):
        if path.is_symlink():  # named by hand, a link is followed
            refused.add(path.name)
            continue
        done = invoke("replay", "-q", "--format", "json", "--packages", packages, path)
        read = json.loads(done.out)["lines"]
        fates.update({fate: read[fate] for fate in FATES})
        if "which is not read" in done.err:
            assert done.code == 65
            assert not read["read"]
            refused.add(path.name)
        else:
            assert done.code == 0, done.err
        if "its last line has no end" in done.err:
            torn.add(path.name)
    return +fates, refused, torn


def by_doctor(logs: Path, packages: Path) -> tuple[Counter[str], set[str], set[str]]:
    """The same."""
    done = invoke(
        *("doctor", "--format", "json", "--lines", 10_000, "--packages", packages, "--logs", logs),
        *("--pattern", PATTERN, "--database", logs.parent / "none.db"),
    )
    found = json.loads(done.out)
    assert "203.0.113.7" not in done.out
    fates = Counter(seen["fate"] for seen in found["lines"] if seen["complete"])
    torn = {seen["file"] for seen in found["lines"] if not seen["complete"]}
    [folder] = [check for check in found["checks"] if check["name"] == "log folder"]
    assert folder["state"] == "warning"
    refused = {detail.partition(" is ")[0] for detail in folder["details"] if " is " in detail}
    return fates, refused, torn


@pytest.mark.parametrize("reader", READERS)
def test_every_line_and_file_has_one_verdict(tmp_path: Path, reader: str) -> None:
    """`serve` with both readers, `replay` and `doctor` count the same lines by the same fates, and
    name the same files that are not read; and none of them takes a packed byte for a line.
    """
    logs = tmp_path / "logs"
    logs.mkdir()
    odd_folder(logs)
    packages = write_packages(tmp_path)
    fates, refused, torn = by_replay(logs, packages)
    assert set(fates) == set(FATES)
    assert fates["counted"] == 3 * SETS
    assert fates.total() == 15 * SETS
    assert len(refused) == len(REFUSED) + 1
    assert torn == {"access-4.json.gz", "access-5.json"}
    assert by_doctor(logs, packages) == (fates, refused, torn)
    with Serving(tmp_path, *options(reader), "--pattern", PATTERN) as serving:
        serving.wait(serving.counted(fates.total()), 60)
        serving.wait(lambda: len(serving.status()["health"]["reasons"]) == len(refused), 30)
        status = serving.status()
        assert Counter({fate: status["lines"][fate] for fate in FATES}) == fates
        named = {text.removeprefix("log ").partition(" is ")[0] for text in reasons(status)}
        assert named == refused
        assert status["loss"]["bytes"] == 0
        assert not status["loss"]["atLeast"]
        assert any("access-4.json.gz: its last line has no end" in note for note in status["notes"])
        time_of_end = serving.stop()
    assert time_of_end[0] == 0
    for name in refused:  # said once
        assert serving.text().count(f"log {name} is ") <= 1


def reasons(status: dict[str, Any]) -> list[str]:
    found: list[str] = status["health"]["reasons"]
    return found


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("what", ["one line", "lines that count"])
def test_a_packed_bomb_delays_neither_new_lines_nor_the_end(
    tmp_path: Path, reader: str, what: str
) -> None:
    """While gigabytes are unpacked from a roll, a new line is in the figures within five seconds,
    and SIGTERM ends `serve` within five.
    """
    logs = tmp_path / "logs"
    logs.mkdir()
    piece = b"\0" if what == "one line" else line(AT, 1)
    member = gzip.compress(piece * (16 * 2**20 // len(piece)), 6)
    roll = logs / "caddy_access_logs-1.json.gz"
    roll.write_bytes(gzip.compress(line(AT, 0)) + member * 1600)  # 25 GB
    with Serving(tmp_path, *options(reader)) as serving:
        serving.wait(lambda: bool(serving.status()), 30)
        for number in range(3):
            newest = int(time.time()) + 100 * number
            begin = time.monotonic()
            serving.add(1, at=newest, first=500 + number)
            serving.wait(lambda at=newest: serving.status()["lastLineAt"] == at, 20)  # type: ignore[misc]
            assert time.monotonic() - begin < 5.0
        code, seconds = serving.stop(signal.SIGTERM)
    assert code == 0
    assert seconds < 5.0
