"""Compressed logs that are more than they seem (S18): bombs, endless members, odd names."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import re
import struct
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.security.cases import MEGABYTE, MIB, NOON, PACKAGES, line
from tests.support.archive import PROGRAM
from tests.support.measured import measured

MAX_RESIDENT = 150 * MEGABYTE
GOOD = b"".join(line(at=NOON + n) for n in range(3))
PEAK = """
import re, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdin=sys.stdin)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, file=sys.stderr)
sys.exit(done.returncode)
"""


def replay(folder: Path, *logs: str, stdin: Path | None = None) -> tuple[int, Any, str, int]:
    """Exit code, JSON, messages and the most memory of a replay of logs, by the real program."""
    packages = folder / "packages.yml"
    packages.write_text(PACKAGES)
    command = [str(PROGRAM), "replay", "--format", "json", "--jobs", "1"]
    command += ["--packages", str(packages), *logs]
    with (stdin or Path(os.devnull)).open("rb") as given:
        done = subprocess.run(
            ["python3", "-c", PEAK, *command],
            stdin=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
            cwd=folder,
            env=os.environ | {"HOME": str(folder)},
        )
    said, _, memory = done.stderr.rstrip().rpartition("\n")
    assert "Traceback" not in said
    return done.returncode, json.loads(done.stdout or "null"), said, int(memory)


def zeros(megabytes: int, before: bytes = b"", after: bytes = b"") -> bytes:
    """So many megabytes of nothing, packed a thousand to one, between good lines."""
    packer = zlib.compressobj(9, wbits=31)
    out = [packer.compress(before)]
    out += [packer.compress(b"\0" * MIB) for _ in range(megabytes)]
    return b"".join([*out, packer.compress(after), packer.flush()])


@pytest.mark.parametrize(
    "megabytes",
    [64, pytest.param(8192, marks=[pytest.mark.full, pytest.mark.timeout(600)])],
)
@pytest.mark.parametrize("how", ["file", "pipe"])
def test_a_bomb_streams(tmp_path: Path, megabytes: int, how: str) -> None:
    """S18: gigabytes from megabytes are read to the end, in bounded memory, as one long line."""
    bomb = tmp_path / "caddy.json"
    bomb.write_bytes(zeros(megabytes, GOOD, b"\n" + line(at=NOON + 60)))
    logs = [str(bomb)] if how == "file" else ["-"]
    code, found, _, memory = replay(tmp_path, *logs, stdin=bomb if how == "pipe" else None)
    measured(packed=bomb.stat().st_size, megabytes=megabytes, how=how, mb=memory / MEGABYTE)
    assert code == 0
    assert (found["lines"]["counted"], found["lines"]["too-long"]) == (4, 1)
    assert memory <= MAX_RESIDENT


@pytest.mark.parametrize(
    "members",
    [20_000, pytest.param(1_000_000, marks=[pytest.mark.full, pytest.mark.timeout(600)])],
)
def test_endless_members(tmp_path: Path, members: int) -> None:
    """S18: a file of very many empty parts is read to its end; what stands among them counts."""
    empty = gzip.compress(b"", mtime=0)
    log = tmp_path / "log.gz"
    log.write_bytes(gzip.compress(GOOD) + empty * members + gzip.compress(line(at=NOON + 60)))
    code, found, _, memory = replay(tmp_path, str(log))
    measured(members=members, mb=memory / MEGABYTE)
    assert code == 0
    assert found["lines"]["counted"] == found["lines"]["read"] == 4
    assert memory <= MAX_RESIDENT


def _cut(packed: bytes) -> bytes:
    return packed[:-9]


def _flipped(packed: bytes) -> bytes:
    return packed[:-8] + bytes(byte ^ 0xFF for byte in packed[-8:])


def _followed(packed: bytes) -> bytes:
    return packed + b"this is no member"


def _bomb_cut(packed: bytes) -> bytes:
    return packed + zeros(64)[:-9]


def _bomb_broken(packed: bytes) -> bytes:
    bomb = bytearray(zeros(64))
    bomb[-100] ^= 0xFF
    return packed + bytes(bomb)


def _long_name(packed: bytes) -> bytes:
    return packed[:3] + b"\x08" + packed[4:10] + b"../" * 100_000 + b"\0" + packed[10:]


@pytest.mark.parametrize("spoil", [_cut, _flipped, _followed, _bomb_cut, _bomb_broken])
def test_a_damaged_end_is_said(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    """S18: what comes before the damage counts, the damage is named, the exit code is 65."""
    log = tmp_path / "log.gz"
    log.write_bytes(spoil(gzip.compress(GOOD)))
    code, found, said, memory = replay(tmp_path, str(log))
    assert code == 65, said
    assert found["lines"]["counted"] == 3
    assert str(log) in said
    assert memory <= MAX_RESIDENT


@pytest.mark.parametrize("extra", [0xFFFF, 10])
def test_headers_of_members_are_skipped(tmp_path: Path, extra: int) -> None:
    """S18: names and extra fields in a packed file lead nowhere and take no room."""
    packed = gzip.compress(GOOD)
    odd = (
        packed[:3] + b"\x04" + packed[4:10] + struct.pack("<H", extra) + b"x" * extra + packed[10:]
    )
    (tmp_path / "log.gz").write_bytes(odd + _long_name(gzip.compress(line(at=NOON + 60))))
    code, found, _, _ = replay(tmp_path, "log.gz")
    assert (code, found["lines"]["counted"]) == (0, 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.gz", "packages.yml"]


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../escaped.json", GOOD)
        archive.writestr("/tmp/escaped.json", b"\0" * MIB * 16)
    return out.getvalue()


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        member = tarfile.TarInfo("../escaped.json")
        member.size = len(GOOD)
        archive.addfile(member, io.BytesIO(GOOD))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return out.getvalue()


OTHERS = {
    "zip": (_zip, "unzip -p"),
    "xz": (lambda: lzma.compress(b"\0" * MIB * 64, preset=0), "xz -dc"),
    "bzip2": (lambda: bz2.compress(b"\0" * MIB * 16), "bzip2 -dc"),
    "zstd": (lambda: b"\x28\xb5\x2f\xfd" + b"\0" * 1000, "zstd -dc"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_packers_are_refused_by_name(tmp_path: Path, kind: str) -> None:
    """S18: nothing but gzip is unpacked, whatever the name says; the way out is in the message."""
    make, command = OTHERS[kind]
    (tmp_path / "log.json.gz").write_bytes(make())
    code, _, said, memory = replay(tmp_path, "log.json.gz")
    assert code == 65
    assert f"packed with {kind}" in said
    assert command in said
    assert memory <= MAX_RESIDENT


def test_an_archive_is_no_log_and_nothing_is_unpacked_from_it(tmp_path: Path) -> None:
    """S18: a tar is refused by name, within gzip too; its names and links are not looked at."""
    (tmp_path / "log.gz").write_bytes(_tar())
    code, found, said, _ = replay(tmp_path, "log.gz")
    assert code == 65
    assert found["lines"]["read"] == 0
    assert "packed with tar within gzip" in said
    assert "tar -xOzf log.gz | offspot-metrics replay -" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.gz", "packages.yml"]
    assert not (tmp_path.parent / "escaped.json").exists()


def test_a_packed_log_within_a_packed_log_stays_packed(tmp_path: Path) -> None:
    """S18: one layer is taken off, never two: what is inside is no log."""
    inner = gzip.compress(gzip.compress(zeros(64)))
    (tmp_path / "log.gz").write_bytes(gzip.compress(GOOD + inner + b"\n" + line(at=NOON + 60)))
    code, found, _, memory = replay(tmp_path, "log.gz")
    assert code == 0
    assert found["lines"]["counted"] == 4
    assert memory <= MAX_RESIDENT


def _etc(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [_etc, os.mkfifo, _folder])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """S18: a link to a device, a pipe that nobody writes to, a folder: 66, without waiting."""
    make(tmp_path / "log.json")
    code, _, said, _ = replay(tmp_path, "log.json")
    assert code == 66
    assert "log.json" in said


NAMES = ["-x.json", "--help", "a b.json", "\u202egnp.json", "\x1b[2J.json", "'$(id)'.json", "*"]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_names_are_only_names(name: str) -> None:
    """S18: options, blanks, escapes, characters of shells and patterns are read as they are."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / name).write_bytes(GOOD)
        code, found, said, _ = replay(folder, "--", name)
        assert (code, found["lines"]["counted"]) == (0, 3)
        assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", said)
        code, _, said, _ = replay(folder, "--", f"no-{name}")
        assert code == 66
        assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", said)
