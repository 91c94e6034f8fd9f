"""Logs that are missing, unreadable, packed or damaged, and folders that are no log folders."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import shlex
import socket
import subprocess
from http.client import HTTPConnection
from pathlib import Path

import pytest

from lab.processes import Child, wait_until
from tests.cli.cases import (
    NOBODY,
    Program,
    Result,
    invoke,
    lines,
    visits,
    visits_counted,
    write,
)
from tests.support.packing import REFUSED
from tests.support.sizes import quick
from tools.build_zipapp import plain_python

GOOD = visits(600, 30)


def test_a_log_that_is_not_there_is_66_and_the_others_count(packages: Path, place: Path) -> None:
    """The message has the name; nothing stops the files after it."""
    (log,) = write(place, log__json=GOOD)
    missing = place / "missing.json"
    result = invoke("replay", "--format", "json", "--packages", packages, missing, log)
    assert visits_counted(result) == 30
    result = invoke("replay", "-q", "--packages", packages, missing, log)
    result.failed(66, str(missing), "No such file", "check the name")


def test_a_folder_says_which_files_to_name(packages: Path, place: Path) -> None:
    """`replay /var/log` is a slip that everybody makes once."""
    result = invoke("replay", "-q", "--packages", packages, place)
    result.failed(66, f"{place} is a folder", f"{place}/*.json*")


def test_what_is_no_file_is_66(packages: Path, place: Path) -> None:
    """A device or a named pipe is not waited for."""
    os.mkfifo(place / "pipe.json")
    for path in (place / "pipe.json", Path("/dev/zero")):
        invoke("replay", "-q", "--packages", packages, path).failed(66, "not a regular file")


def test_a_log_of_root_only_is_77(program: Program, packages: Path, place: Path) -> None:
    """Caddy 2.9 and later write 0600: the message says so."""
    (log,) = write(place, log__json=GOOD)
    log.chmod(0o600)
    result = program.run("replay", "-q", "--packages", packages, log, user=NOBODY)
    result.failed(77, str(log), "may not be read", "Caddy 2.9", "run as root")


@pytest.mark.parametrize("database", [False, True])
def test_a_truncated_gzip_counts_up_to_the_damage(
    packages: Path, place: Path, database: bool
) -> None:
    """65, the damage is named, and what came before it is counted and kept."""
    packed = gzip.compress(visits(0, 1200), 6)
    (log,) = write(place, log__json__gz=packed[: len(packed) // 2])
    more = ["--database", place / "m.db"] if database else []
    result = invoke("replay", "-q", "--format", "json", "--packages", packages, *more, log)
    result.failed(65, str(log), "it is cut short", "what came before it was counted")
    counted = visits_counted(result)
    assert 300 < counted < 1200
    if database:
        write(place, log__json__gz=packed)
        result = invoke("replay", "-q", "--format", "json", "--packages", packages, *more, log)
        assert result.code == 0
        assert visits_counted(result) == 1200


def test_a_gzip_with_a_broken_middle_counts_up_to_it(packages: Path, place: Path) -> None:
    """Bytes that were turned over are damage too."""
    packed = bytearray(gzip.compress(visits(0, 1200), 6))
    middle = len(packed) // 2
    packed[middle : middle + 64] = bytes(64)
    (log,) = write(place, log__json__gz=bytes(packed))
    result = invoke("replay", "-q", "--format", "json", "--packages", packages, log)
    result.failed(65, "it is damaged")
    assert 0 < visits_counted(result) < 1200


def test_binary_rubbish_is_lines_that_are_no_json(packages: Path, place: Path) -> None:
    """A file of noise is counted as noise, never raised about."""
    noise = bytes(range(256)) * 400
    (log,) = write(place, log__json=noise)
    result = invoke("replay", "-q", "--format", "json", "--packages", packages, log)
    assert result.code == 0
    assert result.json["lines"]["not-json"] == result.json["lines"]["read"] == 400


PACKED = {
    "zstd": b"\x28\xb5\x2f\xfd" + bytes(100),
    "bzip2": b"BZh91AY&SY" + bytes(100),
    "xz": lzma.compress(GOOD),
    "zip": b"PK\x03\x04" + bytes(100),
}


def test_other_ways_of_packing_are_named(program: Program, packages: Path, place: Path) -> None:
    """It is told by content, not by name, with the command that unpacks it on the way."""
    logs = [place / f"{kind}.json" for kind in PACKED]
    for log in logs:
        log.write_bytes(PACKED[log.stem])
    result = program.run("replay", "-q", "--packages", packages, *logs)
    for kind, said in zip(PACKED, each_error(result, len(logs)), strict=True):
        said.failed(65, f"{kind}.json", f"packed with {kind}", "| offspot-metrics replay -")


def each_error(result: Result, number: int) -> list[Result]:
    """What was said of each of so many files, as if it were the only one."""
    start = "offspot-metrics: "
    said = result.err.split(start)[1:]
    assert len(said) == number, result.err
    return [Result(result.code, result.out, start + one) for one in said]


def refused(result: Result, kind: str) -> None:
    """It is said how a log is packed, and no line of it was read."""
    _, name, command = REFUSED[kind]
    result.failed(
        65, f"packed with {name}, which is not read", command, "| offspot-metrics replay -"
    )
    assert result.json["lines"]["read"] == 0


def test_archives_and_other_packers_are_refused_with_a_way_out(
    program: Program, packages: Path, place: Path
) -> None:
    """By content, within gzip too: 65, no line of garbage, and what unpacks it."""
    logs = [place / f"{kind}.json" for kind in REFUSED]
    for log in logs:
        log.write_bytes(REFUSED[log.stem][0](visits(0, 3)))
    result = program.run("replay", "-q", "--format", "json", "--packages", packages, *logs)
    for kind, said in zip(REFUSED, each_error(result, len(logs)), strict=True):
        refused(said, kind)
        assert f"{kind}.json" in said.err


AT_ONCE = ("tar v7", "gzip in gzip", "bzip2")


@pytest.mark.parametrize("kind", quick(REFUSED, *AT_ONCE))
def test_they_are_refused_from_a_pipe(program: Program, packages: Path, kind: str) -> None:
    """As from a file."""
    packed = REFUSED[kind][0](visits(0, 3))
    options = ["replay", "-q", "--format", "json", "--packages", packages]
    refused(program.run(*options, "-", stdin=packed), kind)


@pytest.mark.parametrize("kind", REFUSED)
def test_they_are_refused_from_a_pipe_of_single_bytes(
    program: Program, packages: Path, place: Path, kind: str
) -> None:
    """However little of it comes at first."""
    (log,) = write(place, log__json=REFUSED[kind][0](visits(0, 3)))
    options = ["replay", "-q", "--format", "json", "--packages", str(packages)]
    code = "import os, sys\nfor b in open(sys.argv[1], 'rb').read():\n os.write(1, bytes([b]))"
    pipe = shlex.join([plain_python(), "-I", "-S", "-c", code, str(log)])
    done = subprocess.run(
        ["/bin/sh", "-c", f"{pipe} | {shlex.join(program.command(*options, '-'))}"],
        capture_output=True,
        env=program.environment,
        timeout=60,
        check=False,
    )
    refused(Result(done.returncode, done.stdout.decode(), done.stderr.decode()), kind)


def test_the_way_out_of_a_packed_log_counts_it(
    program: Program, packages: Path, place: Path
) -> None:
    """The command that is named, run as it stands, gives the figures of the log."""
    kinds = ("zstd", "xz", "tar gnu", "tar v7", "tar in gzip", "gzip in gzip")
    logs = [place / f"it's a {kind}.json" for kind in kinds]
    for kind, log in zip(kinds, logs, strict=True):
        log.write_bytes(REFUSED[kind][0](visits(0, 3)))
    options = ["replay", "-q", "--format", "json", "--packages", str(packages)]
    errors = each_error(program.run(*options, *logs), len(logs))
    for kind, said in zip(kinds, errors, strict=True):
        unpack = said.err.partition("unpack it on the way: ")[2].partition(" | offspot-metrics")[0]
        done = subprocess.run(["/bin/sh", "-c", unpack], capture_output=True, check=True)
        result = program.run(*options, "-", stdin=done.stdout)
        assert result.code == 0, result.err
        count = 6 if kind in {"tar gnu", "tar in gzip"} else 1
        assert visits_counted(result) == 3 * count, kind


@pytest.mark.parametrize("way", ["plain", "gzip", "a pipe", "gzip in a pipe", "standard input"])
@pytest.mark.parametrize("whole", quick([0, 1, 3], 0, 3))
def test_a_last_line_without_its_end_is_said(
    program: Program, packages: Path, place: Path, way: str, whole: int
) -> None:
    """From a file, a compressed one and a pipe alike, also when there is no other line."""
    content = visits(0, whole) + visits(700, 1)[:-1]
    content = gzip.compress(content) if "gzip" in way else content
    (log,) = write(place, log__json=content)
    options = ["replay", "-q", "--format", "json", "--packages", packages]
    if way in {"plain", "gzip"}:
        result = program.run(*options, log)
    elif way == "standard input":
        with log.open("rb") as stdin:
            done = subprocess.run(
                program.command(*options, "-"),
                stdin=stdin,
                capture_output=True,
                env=program.environment,
                check=False,
            )
        result = Result(done.returncode, done.stdout.decode(), done.stderr.decode())
    else:
        result = program.run(*options, "-", stdin=content)
    assert result.code == 0
    assert result.json["lines"]["read"] == whole
    assert result.err.count("its last line has no end, and was not read") == 1


def test_compression_is_told_by_content(packages: Path, place: Path) -> None:
    """A plain file called .gz and a packed one called .json are both read."""
    paths = write(place, a__json__gz=visits(0, 5), b__json=gzip.compress(visits(100, 7)))
    result = invoke("replay", "-q", "--format", "json", "--packages", packages, *paths)
    assert visits_counted(result) == 12


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\n\n\n", b"no newline at all", gzip.compress(b"", mtime=0)]
)
def test_a_log_without_lines_is_no_error(packages: Path, place: Path, content: bytes) -> None:
    """An empty log is what a hotspot has at its start."""
    (log,) = write(place, log__json=content)
    result = invoke("replay", "-q", "--format", "json", "--packages", packages, log)
    assert result.code == 0
    assert result.json["periods"] == []
    assert result.json["lines"]["read"] == content.strip(b"nowelia t").count(b"\n")


def test_no_name_at_all_is_wrong_usage(packages: Path) -> None:
    """Exit 2, with what is missing."""
    invoke("replay", "--packages", packages).failed(2, "Missing argument 'LOGFILE...'")


# ------------------------------------------------------------------- serve and its folder


def test_a_folder_that_appears_later_is_read_then(
    program: Program, packages: Path, place: Path
) -> None:
    """On a hotspot the logs' folder may be mounted, and the log made, after the start."""
    logs, database = place / "logs", place / "m.db"
    with program.serving("--packages", packages, "--logs", logs, "--database", database) as child:
        logs.mkdir()
        write(logs, caddy_access_logs__json=GOOD)
        wait_until(lambda: _counted(database) == 30, "the log is counted", 30, Child(child))


def _counted(database: Path) -> int:
    result = invoke("kpis", "--period", "2026-06-14", "--format", "json", "--database", database)
    kpis = {kpi["kpiId"]: kpi["value"] for kpi in result.json["kpis"]}
    return int(kpis[2001]["totalVisits"])


def test_a_folder_that_may_not_be_read_does_not_stop_the_page(
    program: Program, packages: Path, place: Path
) -> None:
    """What there is is still served; doctor and /health say what is wrong."""
    logs, database = place / "logs", program.home / "m.db"
    logs.mkdir()
    logs.chmod(0o700)
    options = ["--packages", packages, "--logs", logs, "--database", database]
    found = program.run("doctor", *options, user=NOBODY)
    assert found.code == 77
    assert f"{logs} may not be listed" in found.out
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with program.serving(*options, "--port", port, user=NOBODY):
        assert b"<html" in get(port, "/")[1]
        wait_until(lambda: get(port, "/health")[0] == 503, "/health tells", 30)
        assert str(logs).encode() in get(port, "/health")[1]
        logs.chmod(0o755)
        wait_until(lambda: get(port, "/health")[0] == 200, "/health is well", 30)


def get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of an answer."""
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_lines_of_another_day_do_not_disturb(packages: Path, place: Path) -> None:
    """Each line lands in the day of its own time."""
    (log,) = write(
        place,
        log__json=lines(
            "2026-06-14T23:59:59Z GET lib.box/content/bees_en/ 200",
            "2026-06-15T00:00:00Z GET lib.box/content/bees_en/ 200",
        ),
    )
    result = invoke("replay", "-q", "--format", "json", "--packages", packages, log)
    assert visits_counted(result, "2026-06-14") == visits_counted(result, "2026-06-15") == 1
