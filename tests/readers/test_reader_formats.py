"""What a file in the log folder is, is told by its content, whoever reads and whatever its name."""

import gzip
import os
import shlex
from pathlib import Path

import pytest

from tests.readers.test_reader_folder import Looks
from tests.support.packing import REFUSED
from tests.support.reading import CURRENT, Following, Ledger, line, lines

ROLL = "caddy_access_logs-2026-06-14T10-00-00.000.json.gz"


@pytest.fixture
def looks(logs: Path) -> Looks:
    return Looks(logs)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("access*", "access.log.1.gz"),
        ("access*", "access.log-20260614"),
        ("*", "access.log.1.json.gz"),
        ("*", "access.log-20260614"),
        ("access.log*", "access.log.1.gz"),
        ("access.log*", "access.log.gz.1"),
    ],
)
def test_a_compressed_roll_counts_whatever_pattern_takes_it(
    reader: str, logs: Path, pattern: str, name: str
) -> None:
    """A gzip roll of ten lines beside a log of three are thirteen lines, and none of garbage."""
    (logs / name).write_bytes(gzip.compress(lines(range(10))))
    (logs / "access.log").write_bytes(lines(range(100, 103)))
    wanted = lines(range(10)) + lines(range(100, 103))
    with Following(logs, reader, pattern=pattern) as following:
        following.wait_for_lines(wanted)
        with (logs / "access.log").open("ab") as log:
            log.write(line(103))
        following.wait_for_lines(wanted + line(103))
        assert following.folder.problems == {}
        assert following.reader.restarts == 0


def test_what_filebeat_says_of_compressed_bytes_is_no_reason_to_end_it(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many bytes of compressed files Filebeat brings as lines, they are passed over."""
    monkeypatch.setattr("engine.sources.filebeat.source.MAX_UNPARSED_BYTES", 100_000)
    for number in range(4):
        noise = os.urandom(150_000).replace(b"\n", b"") + b"\n"
        (logs / f"access-{number}").write_bytes(gzip.compress(lines([number]) + noise, 1))
    (logs / "access").write_bytes(lines(range(100, 103)))
    with Following(logs, "filebeat", pattern="access*") as following:
        following.wait_for(lambda: len(following.ledger.applied) == 11, "all lines")
        following.wait_for_filebeat()
        with (logs / "access").open("ab") as log:
            log.write(line(104))
        following.wait_for(lambda: len(following.ledger.applied) == 12, "the new line")
        assert following.reader.restarts == 0


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_read_is_named_and_is_never_lines(logs: Path, reader: str, kind: str) -> None:
    """Each other way of packing is said once, with the command that unpacks it; the rest counts."""
    pack, name, command = REFUSED[kind]
    (logs / "caddy_access_logs-1.json").write_bytes(pack(lines(range(50))))
    (logs / CURRENT).write_bytes(lines(range(100, 103)))
    with Following(logs, reader) as following:
        following.wait_for_lines(lines(range(100, 103)))
        following.wait_for(lambda: bool(following.folder.problems), "it is said")
        assert list(following.folder.problems) == ["caddy_access_logs-1.json"]
        said = following.folder.problems["caddy_access_logs-1.json"]
        assert f"packed with {name}, which is not read" in said
        assert command in said
        assert "caddy_access_logs-1.json" in said
        with (logs / CURRENT).open("ab") as log:
            log.write(line(103))
        following.wait_for_lines(lines(range(100, 104)))
        assert following.folder.problems == {"caddy_access_logs-1.json": said}
        assert len(following.folder.open_logs) == 1
        (logs / "caddy_access_logs-1.json").unlink()
        following.wait_for(lambda: not following.folder.problems, "it is gone")
    assert not following.ledger.lost_at_least
    assert following.ledger.lost_bytes == 0


def test_a_tar_is_known_by_either_sum_of_its_header(looks: Looks, logs: Path) -> None:
    """Old ones added up bytes with a sign, which is another sum where a name is not ASCII."""
    for number, signed in enumerate((False, True)):
        header = bytearray(b"caf\xe9.json".ljust(512, b"\0"))
        header[148:156] = b" " * 8
        total = sum(byte - 256 * (signed and byte > 127) for byte in header)
        header[148:156] = b"%06o\0 " % total
        content = bytes(header) + lines(range(3))
        (logs / f"caddy_access_logs-{number}.json").write_bytes(content)
    assert looks.look() == []
    assert len(looks.folder.problems) == 2
    assert all("packed with tar" in said for said in looks.folder.problems.values())


def test_the_command_of_a_way_out_can_be_copied(looks: Looks, logs: Path) -> None:
    """Whatever the name, it is one word of the shell."""
    name = "caddy_access_logs-it's $HOME.json"
    (logs / name).write_bytes(REFUSED["xz"][0](lines(range(3))))
    looks.look()
    [said] = looks.folder.problems.values()
    command = said[said.index("into the log folder: ") :].partition(": ")[2]
    assert name in shlex.split(command)


@pytest.mark.parametrize("suffix", [".zst", ".bz2", ".xz", ".zip", ".tar", ".tar.gz", ".tgz"])
def test_a_roll_whose_name_the_pattern_misses_by_its_suffix_is_named_too(
    looks: Looks, logs: Path, suffix: str
) -> None:
    """Caddy can roll to zstd: such a file lies beside the logs and nobody reads it."""
    pack = REFUSED["zstd" if suffix == ".zst" else "tar in gzip" if "g" in suffix else "tar gnu"][0]
    (logs / f"caddy_access_logs-1.json{suffix}").write_bytes(pack(lines(range(3))))
    looks.look()
    looks.look()
    assert list(looks.folder.problems) == [f"caddy_access_logs-1.json{suffix}"]


def test_a_plain_log_named_gz_is_read_as_plain(reader: str, logs: Path) -> None:
    """Also while it grows: with Filebeat, which leaves out names that end so, we read it."""
    (logs / CURRENT).write_bytes(lines(range(3)))
    named = logs / ROLL
    named.write_bytes(lines(range(10, 15)))
    with Following(logs, reader) as following:
        following.wait_for_lines(lines(range(3)) + lines(range(10, 15)))
        with named.open("ab") as log:
            log.write(line(15))
        following.wait_for_lines(lines(range(3)) + lines(range(10, 16)))
        assert following.reader.restarts == 0


def test_a_log_becomes_what_it_is_while_it_is_written(looks: Looks, logs: Path) -> None:
    """A compressed roll of which there is one byte is taken for nothing until there are more."""
    packed = gzip.compress(lines(range(500)))
    roll = logs / "caddy_access_logs-1.json"
    for size in [0, 1, 2, 5, 100, 2000]:
        roll.write_bytes(packed[:size])
        assert looks.look() == []
    roll.write_bytes(packed)
    assert looks.look() == []
    assert looks.ledger.has(lines(range(500)))
    assert looks.folder.problems == {}
    assert looks.folder.open_logs == {}


def test_a_link_is_named_unless_it_leads_to_a_log_that_is_read(looks: Looks, logs: Path) -> None:
    """A log that is a symbolic link is not read, and it is said where the log itself lies."""
    elsewhere = logs.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "real.json").write_bytes(lines(range(3)))
    (logs / CURRENT).symlink_to(elsewhere / "real.json")
    looks.look()
    assert looks.ledger.applied == []
    said = looks.folder.problems[CURRENT]
    assert "symbolic link" in said
    assert str(elsewhere) in said
    (logs / CURRENT).unlink()
    (logs / "caddy_access_logs-real.json").write_bytes(lines(range(3)))
    (logs / CURRENT).symlink_to("caddy_access_logs-real.json")
    looks.look()
    assert looks.folder.problems == {}
    assert looks.ledger.has(lines(range(3)))
    (logs / "caddy_access_logs-gone.json").symlink_to("nowhere")
    (logs / "caddy_access_logs-loop.json").symlink_to("caddy_access_logs-loop.json")
    os.mkfifo(logs / "caddy_access_logs-pipe.json")
    looks.look()
    assert len(looks.folder.problems) == 3


def test_a_link_to_a_log_beside_it_asks_for_another_pattern(looks: Looks, logs: Path) -> None:
    """A link to a file of the same folder that the pattern does not take: that file is named, not
    the folder, which is the one that is read.
    """
    (logs / "real.json").write_bytes(lines(range(3)))
    (logs / CURRENT).symlink_to("real.json")
    looks.look()
    assert "set a pattern that takes real.json" in looks.folder.problems[CURRENT]


# ------------------------------------------------------------------- while it is being copied


def test_a_roll_that_is_still_copied_is_no_loss(reader: str, logs: Path) -> None:
    """A `.gz` that comes in pieces counts to its end, and nothing is ever said to be lost."""
    (logs / CURRENT).write_bytes(line(5000))
    packed = gzip.compress(lines(range(3000)))
    copy = logs / ROLL
    with Following(logs, reader) as following:
        for part in range(1, 6):
            copy.write_bytes(packed[: len(packed) * part // 6])
            applied = len(following.ledger.applied)
            following.wait_for(
                lambda n=applied: len(following.ledger.applied) > n,  # type: ignore[misc]
                "more of it is read",
            )
            assert following.folder.problems == {}
        copy.write_bytes(packed)
        following.wait_for_lines(line(5000) + lines(range(3000)))
    assert not following.ledger.lost_at_least


def test_a_loss_that_was_said_too_early_is_taken_back(looks: Looks, logs: Path) -> None:
    """A copy that stood still for a minute and went on after that is whole in the end."""
    packed = gzip.compress(lines(range(3000)))
    (logs / ROLL).write_bytes(packed[: len(packed) // 2])
    assert looks.look() == []
    [lost] = looks.look(60)
    assert (lost.at_least, lost.provisional) == (True, True)
    assert "cut short" in looks.folder.problems[ROLL]
    (logs / ROLL).write_bytes(packed)
    [back] = looks.look()
    assert (back.log_id, back.withdrawn) == (lost.log_id, True)
    assert looks.folder.problems == {}
    assert looks.ledger.has(lines(range(3000)))


def test_a_roll_that_vanishes_cut_short_is_a_loss(looks: Looks, logs: Path) -> None:
    """Unless it came back whole under another name, as with a copy that is then renamed."""
    packed = gzip.compress(lines(range(3000)))
    (logs / ROLL).write_bytes(packed[: len(packed) // 2])
    looks.look()
    (logs / ROLL).unlink()
    (logs / "caddy_access_logs-2.json.gz").write_bytes(packed)
    assert looks.look() == []
    assert looks.look() == []
    (logs / "caddy_access_logs-3.json.gz").write_bytes(
        gzip.compress(lines(range(9000, 9999)))[:-900]
    )
    looks.look()
    (logs / "caddy_access_logs-3.json.gz").unlink()
    [lost] = looks.look()
    assert lost.at_least


def test_a_plain_roll_that_is_copied_back_is_no_loss(looks: Looks, logs: Path) -> None:
    """A log that was counted and is copied in again, in pieces, is neither lost nor doubled."""
    data = lines(range(3000))
    log = logs / CURRENT
    log.write_bytes(data)
    looks.look()
    log.unlink()
    looks.look()
    looks.look(100.0)
    for part in range(1, 11):
        log.write_bytes(data[: len(data) * part // 10])
        assert looks.look() == []
    assert looks.ledger.has(data)


def test_a_last_line_without_its_end_in_a_roll_is_said(looks: Looks, logs: Path) -> None:
    """It is not read; when the roll goes, so many bytes are lost."""
    (logs / ROLL).write_bytes(gzip.compress(lines(range(3)) + line(3)[:77]))
    assert looks.look() == []
    assert looks.folder.notes == {f"log {ROLL}: its last line has no end, and is not read"}
    assert looks.folder.problems == {}
    assert looks.ledger.has(lines(range(3)))
    (logs / ROLL).unlink()
    [lost] = looks.look()
    assert (lost.length, lost.at_least) == (77, False)


# ------------------------------------------------------------------- a share of each turn


def bomb(megabytes: int, data: bytes) -> bytes:
    """So many megabytes, packed a thousand to one, of equal members."""
    return gzip.compress(data * (64 * 2**20 // len(data)), 6) * (megabytes // 64)


@pytest.mark.parametrize("data", [b"\0", b"not json at all\n"], ids=["one line", "many lines"])
def test_lines_count_while_a_bomb_is_unpacked(reader: str, logs: Path, data: bytes) -> None:
    """Gigabytes in a roll take a share of each turn: new lines come in time, and the end does."""
    ledger = Ledger()
    (logs / ROLL).write_bytes(gzip.compress(lines(range(900, 903))) + bomb(12_800, data))
    (logs / CURRENT).write_bytes(lines(range(3)))
    wanted = {line(number) for number in range(8)}

    def take(message: object) -> None:
        if getattr(message, "name", "") == CURRENT:
            ledger.take(message)  # type: ignore[arg-type]

    with Following(logs, reader, emit=take) as following:
        following.wait_for(lambda: len(ledger.applied) == 3, "the first lines", 5.0)
        for number in range(3, 8):
            with (logs / CURRENT).open("ab") as log:
                log.write(line(number))
            following.wait_for(lambda n=number: len(ledger.applied) == n + 1, "one more", 5.0)  # type: ignore[misc]
        assert following.folder.rolls.busy, "the bomb was too small for this test"
        following.requests.stop()
        following.thread.join(5.0)
        assert not following.thread.is_alive(), "it did not end in time"
    assert set(ledger.applied) == wanted
