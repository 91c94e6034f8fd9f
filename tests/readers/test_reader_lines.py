"""What a line is, and how it grows: the same for Filebeat and for the built-in reader."""

import gzip
import os
from pathlib import Path

import pytest

from engine.sources.model import Block, Message
from lab.caddy import appending
from tests.support.reading import CURRENT, Following, Ledger, line, lines

LONG = line(7, uri="/" + "x" * 900_000)
TOO_LONG = line(8, uri="/" + "x" * 1_500_000)
LONGER_THAN_FILEBEAT_TAKES = line(9, uri="/" + "x" * 3_000_000)
LONGER_THAN_FILEBEAT_KEEPS = line(9, uri="/" + "x" * 9_000_000)
CUT = 1024 * 1024 + 1  # of a line over 1 MiB so much is kept, enough to know that it is too long

ODD_LINES = {
    "empty lines": b"\n\n" + line(1) + b"\n\n\n",
    "CRLF": line(1).replace(b"\n", b"\r\n") + b"\r\n" + line(2).replace(b"\n", b"\r\n"),
    "line separators of Unicode": line(1, uri="/\u2028a\u2029b\u0085c\x0bd\x0ce"),
    "invalid UTF-8": line(1).replace(b"games", b"ga\xff\xfe\xc3mes") + b"\xff\xfe\n",
    "a byte order mark": b"\xef\xbb\xbf" + line(1) + line(2) + b"\xef\xbb\xbf\n",
    "NUL bytes": line(1) + b"\0" * 5000 + line(2) + b"\0\n",
    "tabs and what looks like an event": b"12\t/logs/x.json\t" + line(1) + b"\t\t\t\n0\tx\ty\n",
    "lines of one byte": b"x\n" * 3000,
    "a line of 900 kB": LONG + line(1),
}


@pytest.mark.parametrize("what", ODD_LINES)
def test_bytes_pass_unchanged(reader: str, logs: Path, what: str) -> None:
    """Only the newline ends a line, and every byte of every line arrives as it is."""
    data = line(0) + ODD_LINES[what] + line(100)
    (logs / CURRENT).write_bytes(data)
    with Following(logs, reader) as following:
        following.wait_for_lines(data)


@pytest.mark.parametrize(
    "long", [TOO_LONG, LONGER_THAN_FILEBEAT_TAKES, LONGER_THAN_FILEBEAT_KEEPS], ids=len
)
def test_a_line_over_the_limit_is_one_line(reader: str, logs: Path, long: bytes) -> None:
    """A line over 1 MiB arrives once, cut or whole but always too long, and the next one too."""
    (logs / CURRENT).write_bytes(line(0) + long + line(1))
    with Following(logs, reader) as following:
        following.wait_for(lambda: len(following.ledger.applied) >= 3, "three lines")
    first, second, third = following.ledger.applied
    assert (first, third) == (line(0), line(1))
    assert len(second) > CUT - 1
    assert long.startswith(second[:-1])


@pytest.mark.parametrize("long", [LONG, LONGER_THAN_FILEBEAT_TAKES], ids=len)
def test_the_first_line_may_be_long(reader: str, logs: Path, long: bytes) -> None:
    """A log whose first line is longer than what is hashed of it is known by it all the same."""
    (logs / CURRENT).write_bytes(long + line(1))
    with Following(logs, reader) as following:
        following.wait_for(lambda: len(following.ledger.applied) >= 2, "two lines")
    with (logs / CURRENT).open("ab") as log:
        log.write(line(2))
    with Following(logs, reader, ledger=following.ledger) as following:
        following.wait_for(lambda: len(following.ledger.applied) >= 3, "the third line")
    assert following.ledger.applied[1:] == [line(1), line(2)]
    assert following.ledger.rewound == 0


def test_lines_come_as_they_are_written(reader: str, logs: Path) -> None:
    """Lines that are appended while we read arrive, in order; half of one waits for its end."""
    log = logs / CURRENT
    log.write_bytes(line(0))
    with Following(logs, reader) as following, appending(log) as stream:
        following.wait_for_lines(line(0))
        for number in range(1, 6):
            text = line(number)
            stream.write(text[:50])
            following.wait_for(
                lambda: following.folder.lag_bytes == 50, "half a line is seen and not read"
            )
            assert len(following.ledger.applied) == number
            stream.write(text[50:] + line(100 + number)[:10])
            following.wait_for(
                lambda n=number: len(following.ledger.applied) > n,  # type: ignore[misc]
                "the whole line",
            )
            stream.truncate(log.stat().st_size - 10)
        following.wait_for_lines(lines(range(6)))
    assert following.ledger.applied == [line(n) for n in range(6)]
    assert following.ledger.rewound == 0


def test_an_endless_line_costs_no_memory(reader: str, logs: Path) -> None:
    """200 MB without a newline are passed over once, not read again at each look, and not kept."""
    log = logs / CURRENT
    log.write_bytes(line(0))
    with Following(logs, reader) as following:
        following.wait_for_lines(line(0))
        with log.open("ab") as stream:
            stream.truncate(200_000_000)  # zeros that take no room on the disk
        open_log = next(iter(following.folder.open_logs.values()))
        following.wait_for(lambda: open_log.searched == 200_000_000, "all is searched")
        assert following.folder.lag_bytes == 200_000_000 - len(line(0))
        peak = _peak_kib()
        with log.open("ab") as stream:
            stream.write(b"\n" + line(1))
        following.wait_for(lambda: len(following.ledger.applied) == 3, "the lines behind it")
        assert _peak_kib() - peak < 32 * 1024
    assert following.ledger.applied[2] == line(1)
    assert len(following.ledger.applied[1]) <= CUT + 1


def _peak_kib() -> int:
    for text in Path("/proc/self/status").read_text().splitlines():
        if text.startswith("VmHWM:"):
            return int(text.split()[1])
    raise AssertionError("no VmHWM")


def test_a_torn_line_and_what_follows_are_one_bad_line(reader: str, logs: Path) -> None:
    """Cut at any place and appended to, a log costs two lines at most: it is not taken apart.

    A good line behind a torn one on the same line is not JSON, and is counted as such.
    """
    torn, ledger = line(1), Ledger()
    wanted = b""
    for place in (0, 1, len(torn) // 2, len(torn) - 2, len(torn) - 1):
        log = logs / f"caddy_access_logs-{place:04d}.json"
        data = line(1000 + place) + torn[:place] + line(2000 + place) + line(3000 + place)
        log.write_bytes(data)
        wanted += data
    with Following(logs, reader, ledger=ledger) as following:
        following.wait_for_lines(wanted)


def test_a_look_comes_before_the_blocks_of_a_log(reader: str, logs: Path) -> None:
    """Whoever counts a block has been told of its log: that it is there, and where it is open, so
    that it can be made durable before its position is saved.
    """
    ledger = Ledger()
    told: list[bool] = []

    def emit(message: Message) -> None:
        if isinstance(message, Block):
            known = {seen.log_id: seen.descriptor for seen in ledger.look.logs}
            compressed = message.log_id in ledger.look.rolls
            told.append(compressed or os.fstat(known.get(message.log_id, -1)).st_size > 0)
        ledger.take(message)

    (logs / "caddy_access_logs-0.json.gz").write_bytes(gzip.compress(lines(range(50, 60))))
    (logs / CURRENT).write_bytes(lines(range(5)))
    with Following(logs, reader, ledger=ledger, emit=emit) as following:
        following.wait_for_lines(lines([*range(50, 60), *range(5)]))
        (logs / CURRENT).rename(logs / "caddy_access_logs-1.json")
        (logs / CURRENT).write_bytes(lines(range(10, 15)))
        following.wait_for_lines(lines([*range(50, 60), *range(5), *range(10, 15)]))
        following.wait_for(lambda: ledger.look.lag_bytes == 0, "the last look has no lag")
    assert told
    assert all(told)
    assert ledger.look.state == "stopped"
