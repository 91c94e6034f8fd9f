"""`replay`: every line once, whatever the names, the order and the packing of the logs."""

from __future__ import annotations

import gzip
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.cases import Program, Result, day_of, invoke, lines, visits, visits_counted, write

FATES = [
    "counted",
    "unmatched",
    "bad-time",
    "incomplete",
    "not-access-log",
    "not-json",
    "too-long",
]
WHOLE = visits(600, 60)
HALF = b"".join(WHOLE.splitlines(keepends=True)[:30])
OTHER = visits(700, 20, name="ants_en")


class Into:
    """Replays into one database, one after another."""

    def __init__(self, packages: Path, place: Path) -> None:
        self.packages = packages
        self.database = place / "metrics.db"

    def __call__(self, *arguments: object) -> Result:
        options = ["-q", "--format", "json", "--packages", self.packages]
        return invoke("replay", *options, "--database", self.database, *arguments)

    def count(self, *arguments: object) -> int:
        """The visits of the day after this replay, which must succeed."""
        result = self(*arguments)
        assert result.code == 0, result.err
        return visits_counted(result)


@pytest.fixture
def into(packages: Path, place: Path) -> Into:
    """An empty database."""
    return Into(packages, place)


def test_the_same_log_twice_counts_once(into: Into, place: Path) -> None:
    """And the second time it is said that nothing is new in it."""
    (log,) = write(place, log__json=WHOLE)
    assert into.count(log) == 60
    again = into(log)
    assert visits_counted(again) == 60
    assert again.json["lines"]["read"] == 0
    assert "already counted, nothing new in it" in again.err


def test_the_same_log_twice_in_one_command_counts_once(packages: Path, place: Path) -> None:
    """Also without a database."""
    (log,) = write(place, log__json=WHOLE)
    result = invoke("replay", "-q", "--format", "json", "--packages", packages, log, log, log)
    assert visits_counted(result) == 60


def test_names_and_packing_do_not_matter(into: Into, place: Path) -> None:
    """A log is known by its content."""
    paths = write(
        place,
        log__json=WHOLE,
        caddy_access_logs__2026__json=WHOLE,
        copy__json__gz=gzip.compress(WHOLE),
        members__gz=gzip.compress(HALF) + gzip.compress(WHOLE[len(HALF) :]),
    )
    assert [into.count(path) for path in paths] == [60, 60, 60, 60]


def test_half_then_whole_adds_the_other_half(into: Into, place: Path) -> None:
    """A log that has grown is read on from where it was left; a shorter copy adds nothing."""
    half, whole = write(place, half__json=HALF, whole__json__gz=gzip.compress(WHOLE))
    assert into.count(half) == 30
    second = into(whole)
    assert second.json["lines"]["read"] == 30
    assert visits_counted(second) == 60
    assert into.count(half) == 60


@pytest.mark.parametrize("known_first", [True, False])
def test_a_known_log_inside_of_a_longer_file(into: Into, place: Path, known_first: bool) -> None:
    """`cat` of a known and a new log adds the new one, in both orders."""
    joined = WHOLE + OTHER if known_first else OTHER + WHOLE
    log, cat = write(place, log__json=WHOLE, cat__json=joined)
    assert into.count(log) == 60
    second = into(cat)
    assert second.json["lines"]["read"] == 20
    assert visits_counted(second) == 80


def test_a_piece_cut_from_the_middle_is_refused_by_name(into: Into, place: Path) -> None:
    """It begins like no known log, and its time is counted: 1, unless --allow-overlap."""
    middle = b"".join(WHOLE.splitlines(keepends=True)[20:40])
    log, piece = write(place, log__json=WHOLE, piece__json=middle)
    into(log)
    refused = into(piece)
    refused.failed(1, f"{piece} was not counted", "--allow-overlap")
    assert visits_counted(refused) == 60
    assert into.count("--allow-overlap", piece) == 80


def test_one_refused_file_does_not_stop_the_others(into: Into, place: Path) -> None:
    """Each file is counted whole or not at all."""
    middle = b"".join(WHOLE.splitlines(keepends=True)[20:40])
    log, piece, other = write(place, log__json=WHOLE, piece__json=middle, other__json=OTHER)
    result = into(log, piece, place / "missing.json", other)
    assert result.code == 1
    assert visits_counted(result) == 80
    assert str(piece) in result.err
    assert "missing.json" in result.err


@pytest.mark.parametrize("way", ["one run", "a run each", "a run each, backwards", "each twice"])
def test_a_database_is_the_same_however_it_was_filled(
    into: Into, packages: Path, place: Path, way: str
) -> None:
    """Several runs merge to what one run counts, records and figures alike."""
    paths = [
        *write(place, a__json=visits(0, 50)),
        *write(place, b__json__gz=gzip.compress(visits(50, 50, name="ants_en"))),
        *write(place, c__json=visits(100, 50) + b"broken\n"),
    ]
    runs = {
        "one run": [paths],
        "a run each": [[path] for path in paths],
        "a run each, backwards": [[path] for path in reversed(paths)],
        "each twice": [[path] for path in (*paths, *paths)],
    }[way]
    results = [into(*run) for run in runs]
    at_once = invoke(
        "replay", "-q", "--format", "json", "--packages", packages, "--idle-gap", "0", *paths
    )
    assert results[-1].json["periods"] == at_once.json["periods"]
    assert sum(result.json["lines"]["read"] for result in results) == 151


def test_jobs_make_no_difference(packages: Path, place: Path) -> None:
    """One, two or four processes print the same bytes, for plain and packed logs."""
    big = b"".join(visits(0, 1440, day=f"2026-06-{day:02d}") for day in range(1, 29))
    noise = b"not json\n" * 5000
    plain, packed = write(
        place, plain__json=big + noise, packed__json__gz=gzip.compress(visits(0, 300), 1)
    )
    assert plain.stat().st_size > 16 * 1024 * 1024  # so that processes are started for it
    printed = {
        invoke(
            "replay", "-q", "--format", "json", "--jobs", jobs, "--packages", packages, *paths
        ).out
        for jobs in (1, 2, 4)
        for paths in ([plain, packed],)
    }
    assert len(printed) == 1


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input(program: Program, packages: Path, pack: Any) -> None:
    """`-` is standard input, plain or packed."""
    options = ["replay", "-q", "--format", "json", "--packages", packages]
    result = program.run(*options, "-", stdin=pack(WHOLE))
    assert result.code == 0, result.err
    assert visits_counted(result) == 60


def test_standard_input_twice_or_closed(program: Program, packages: Path) -> None:
    """Named twice it is read once; closed, it is missing: 66."""
    options = ["replay", "-q", "--format", "json", "--packages", packages]
    twice = program.run(*options, "-", "-", stdin=WHOLE)
    assert twice.code == 0, twice.err
    assert visits_counted(twice) == 60
    closed = subprocess.run(
        ["/bin/sh", "-c", f"{shlex.join(program.command(*options, '-'))} <&-"],
        capture_output=True,
        env=program.environment,
        timeout=60,
        check=False,
    )
    assert closed.returncode == 66
    assert b"is closed" in closed.stderr


def test_what_is_odd_is_said(program: Program, packages: Path, place: Path) -> None:
    """A last line without end, a file without any line of Caddy, an option that does nothing."""
    torn, garbage = write(place, torn__json=WHOLE + b'{"le', rubbish__bin=b"\0\1\n" * 9)
    options = ["replay", "-q", "--packages", packages]
    assert "its last line has no end" in program.run(*options, torn).err
    assert "is it the right file" in program.run(*options, garbage).err
    said = program.run(*options, "--database", place / "m.db", "--idle-gap", "5", torn).err
    assert "--idle-gap is ignored" in said


def test_standard_input_merges_like_a_file(program: Program, packages: Path, place: Path) -> None:
    """The half that is known is passed over, and the rest counts."""
    options = ["replay", "-q", "--format", "json", "--packages", packages]
    options += ["--database", place / "m.db", "-"]
    assert visits_counted(program.run(*options, stdin=HALF)) == 30
    assert visits_counted(program.run(*options, stdin=WHOLE)) == 60
    assert visits_counted(program.run(*options, stdin=WHOLE)) == 60


def _apart(minutes: int) -> bytes:
    first = "2026-06-14T10:00:10.125Z GET lib.box/content/bees_en/ 200"
    later = f"2026-06-14T10:{minutes:02d}:10.250Z GET lib.box/content/bees_en/ 200"
    return lines(first, later)


@pytest.mark.parametrize(
    ("minutes", "gap", "on"),
    [(10, None, 11), (11, None, 2), (10, 9, 2), (30, 30, 31), (1, 0, 2), (5, 0, 2)],
)
def test_short_silences_are_on(
    packages: Path, place: Path, minutes: int, gap: int | None, on: int
) -> None:
    """Two minutes at most --idle-gap (10) apart have all minutes between them on."""
    (log,) = write(place, log__json=_apart(minutes))
    more = [] if gap is None else ["--idle-gap", gap]
    result = invoke("replay", "-q", "--format", "json", "--packages", packages, *more, log)
    assert day_of(result)[2004] == {"nbMinutesOn": on}


def test_silences_are_filled_over_all_files(packages: Path, place: Path) -> None:
    """Not over each: a log that was rolled is one log."""
    a, b = _apart(6).splitlines(keepends=True)
    paths = write(place, a__json=a, b__json=b)
    result = invoke("replay", "-q", "--format", "json", "--packages", packages, *paths)
    assert day_of(result)[2004] == {"nbMinutesOn": 7}


def test_a_database_keeps_only_minutes_with_lines(into: Into, place: Path) -> None:
    """What is kept must not depend on what was replayed together."""
    (log,) = write(place, log__json=_apart(6))
    assert day_of(into(log))[2004] == {"nbMinutesOn": 2}


def test_json_has_every_fate_and_every_period(packages: Path, place: Path) -> None:
    """`read` is the sum; periods by kind as text, then label; KPIs by id."""
    log = (
        visits(0, 2, day="2025-12-31")
        + visits(0, 1, day="2026-01-01")
        + lines("2026-01-01T00:01:00Z GET elsewhere.box/ 200")
        + b'{"msg":"starting"}\n{"msg":"handled request"}\nrubbish\n'
        + b"x" * 1_048_577
        + b"\n"
    )
    bad_time = lines("2026-01-01T00:02:00Z GET lib.box/ 200").replace(b'"ts":1', b'"ts":91')
    (path,) = write(place, log__json=log + bad_time)
    result = invoke("replay", "-q", "--format", "json", "--packages", packages, path)
    assert result.out.endswith("}\n")
    assert result.out.count("\n") == 1
    assert list(result.json) == ["lines", "periods"]
    counts = result.json["lines"]
    assert set(counts) == {"read", *FATES}
    assert counts == {"read": 9, "counted": 3} | dict.fromkeys(FATES[1:], 1)
    names = [(period["aggKind"], period["aggValue"]) for period in result.json["periods"]]
    assert names == [
        ("D", "2025-12-31"),
        ("D", "2026-01-01"),
        ("M", "2025-12"),
        ("M", "2026-01"),
        ("W", "2026 W01"),
        ("Y", "2025"),
        ("Y", "2026"),
    ]
    for period in result.json["periods"]:
        assert list(period) == ["aggKind", "aggValue", "kpis"]
        assert [list(kpi) for kpi in period["kpis"]] == [["kpiId", "value"]] * 4


def test_no_line_at_all_still_has_every_fate(packages: Path, place: Path) -> None:
    """Zeros too."""
    (path,) = write(place, log__json=b"")
    result = invoke("replay", "-q", "--format", "json", "--packages", packages, path)
    assert result.json == {"lines": {"read": 0} | dict.fromkeys(FATES, 0), "periods": []}


def test_csv_has_all_periods(packages: Path, place: Path) -> None:
    """One header, then the figures of each period in the order of the JSON."""
    (path,) = write(place, log__json=visits(0, 1))
    result = invoke("replay", "-q", "--format", "csv", "--packages", packages, path)
    rows = result.out.split("\r\n")
    assert rows[0] == "agg_kind,agg_value,kpi_id,kpi,package,metric,value"
    assert rows[1] == '"D","2026-06-14",2001,"PackagePopularity","Bees","visits",1'
    assert [row[1] for row in rows[1::7] if row] == ["D", "M", "W", "Y"]
    assert rows[-1] == ""


def test_the_table_explains_each_fate(packages: Path, place: Path) -> None:
    """Lines by fate with what they are; speed on standard error."""
    (path,) = write(place, log__json=visits(0, 1234) + b"garbage\n")
    result = invoke("replay", "--packages", packages, path)
    assert "Lines read   1,235\n" in result.out
    assert "  counted    1,234  added to a figure\n" in result.out
    assert "  not-json       1  broken, empty, or of another log format\n" in result.out
    assert "lines/s" in result.err
    assert "lines/s" not in result.out
    assert invoke("replay", "-q", "--packages", packages, path).err == ""
