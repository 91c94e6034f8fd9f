"""Rows about `replay`: lines per second, memory, and how both grow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks import peers, workload
from benchmarks.measure import Sample, timed, turn_by_turn, watched
from benchmarks.table import MEASURED, MISSING, RECORDED, Row, megabytes, rate

UPSTREAM_RATE: Final = 8_200
GOAL_ALL, GOAL_ONE, GOAL_UPSTREAM, GOAL_READING = 15, 6, 80, 4
GOAL_BYTES: Final = 64 * 1024 * 1024
STAND_IN_LINES: Final = 20_000
SPREAD_DAYS: Final = 28
LONGER: Final = 4
"""The log that speed is measured with is so many recorded ones: start-up is no part of a rate."""
SMALL_BYTES, LARGE_BYTES = 500_000_000, 5_000_000_000


def speed(lines: int, runs: int) -> list[Row]:
    """Lines per second against GoAccess, plain reading, and line by line."""
    packages = workload.packages_file()
    log, spread = workload.scaled(lines, LONGER), workload.spread(lines, SPREAD_DAYS)
    few, lines = lines, lines * LONGER
    report, database = workload.FOLDER / "goaccess.json", workload.FOLDER / "stand-in.db"
    analyser = peers.goaccess(log, report)
    work: dict[str, list[float]] = {"one": [], "goaccess": []}
    sides: dict[str, Callable[[], float]] = {
        "all": lambda: timed(peers.replay(packages, log)),
        "one": lambda: timed(peers.replay(packages, log, "--jobs", "1"), work["one"]),
        "spread": lambda: timed(peers.replay(packages, spread)),
        "spread one": lambda: timed(peers.replay(packages, spread, "--jobs", "1")),
        "reading": lambda: timed(peers.plain_reading(log)),
        "stand-in": lambda: (
            peers.line_by_line(log, database, STAND_IN_LINES) / STAND_IN_LINES * lines
        ),
    }
    if analyser:
        sides["goaccess"] = lambda: timed(analyser, work["goaccess"])
        spread_analyser = peers.goaccess(spread, report)
        assert spread_analyser is not None
        sides["goaccess spread"] = lambda: timed(spread_analyser)
    sides["reading"]()  # the file into the page cache, for all alike
    found = turn_by_turn(sides, runs)
    found |= {f"work {side}": Sample(tuple(used)) for side, used in work.items() if used}
    rows = [
        _against(found, "replay-all", "replay, all cores", "all", "goaccess", lines, GOAL_ALL),
        _against(found, "replay-one", "replay `--jobs 1`", "one", "goaccess", lines, GOAL_ONE),
        _against(
            found,
            "replay-work",
            "the same by processor time, which a busy machine changes least",
            "work one",
            "work goaccess",
            lines,
            GOAL_ONE,
        ),
        _against(
            found,
            "replay-spread-all",
            f"{few:,} lines spread over {SPREAD_DAYS} days, all cores",
            "spread",
            "goaccess spread",
            few,
            GOAL_ALL,
        ),
        _against(
            found,
            "replay-spread-one",
            "the same, `--jobs 1`",
            "spread one",
            "goaccess spread",
            few,
            GOAL_ONE,
        ),
    ]
    all_rate = lines / found["all"].median
    rows.append(
        Row(
            "replay-upstream",
            "replay, all cores, against offspot/metrics 0.3.1 line by line",
            rate(all_rate),
            f"offspot/metrics: {rate(UPSTREAM_RATE)}",
            f"{GOAL_UPSTREAM}x",
            all_rate / UPSTREAM_RATE >= GOAL_UPSTREAM,
            RECORDED,
            tuple(lines / seconds / UPSTREAM_RATE for seconds in found["all"].values),
        )
    )
    stand_in = lines / found["stand-in"].median
    rows.append(
        Row(
            "replay-stand-in",
            "the same, against a stand-in of ours: a `json.loads` and a transaction per line",
            rate(all_rate),
            f"stand-in: {rate(stand_in)}",
            "",
            None,
            ratios=found["all"].against(found["stand-in"]),
        )
    )
    reading = lines / found["reading"].median
    rows.append(
        Row(
            "replay-reading",
            "replay, all cores, against reading lines and nothing else",
            rate(all_rate),
            f"`for line in file`: {rate(reading)}",
            f"within {GOAL_READING}x",
            reading <= GOAL_READING * all_rate,
            ratios=found["all"].against(found["reading"]),
        )
    )
    return rows


def _against(
    found: dict[str, Sample], row: str, what: str, ours: str, peer: str, lines: int, goal: int
) -> Row:
    our_rate = lines / found[ours].median
    if peer not in found:
        return Row(row, what, rate(our_rate), "GoAccess: missing", f"{goal}x", None, MISSING)
    their_rate = lines / found[peer].median
    return Row(
        row,
        what,
        rate(our_rate),
        f"GoAccess: {rate(their_rate)}",
        f"{goal}x",
        our_rate / their_rate >= goal,
        ratios=found[ours].against(found[peer]),
    )


def memory(lines: int, *, large: bool) -> list[Row]:
    """Peak memory for a log of half a gigabyte, and for one of five (or of three halves)."""
    packages = workload.packages_file()
    one = workload.recorded(lines).stat().st_size
    rows = []
    for wanted in (SMALL_BYTES, LARGE_BYTES if large else 3 * SMALL_BYTES):
        factor = max(1, round(wanted / one))
        log = workload.scaled(lines, factor)
        size = f"{log.stat().st_size / 1e9:.1f} GB"
        run = watched(peers.replay(packages, log))
        analyser = peers.goaccess(log, workload.FOLDER / "goaccess.json")
        theirs = watched(analyser) if analyser else None
        rows.append(
            Row(
                f"replay-memory-{wanted // SMALL_BYTES}",
                f"replay, memory, {size} (parent and children, shared pages once)",
                megabytes(run.peak_bytes),
                "GoAccess: missing"
                if theirs is None
                else f"GoAccess: {megabytes(theirs.peak_bytes)}",
                megabytes(GOAL_BYTES),
                run.peak_bytes <= GOAL_BYTES,
                MISSING if theirs is None else MEASURED,
                () if theirs is None else (theirs.peak_bytes / run.peak_bytes,),
            )
        )
    return rows


def growth(lines: int, factors: tuple[int, ...], runs: int) -> str:
    """A table: time and memory for logs of growing length."""
    packages = workload.packages_file()
    out = ["| lines | bytes | seconds | lines/s | memory |", "|---|---|---|---|---|"]
    for factor in factors:
        log = _of_length(lines, lines // 10 * factor)
        count = lines // 10 * factor
        seconds = min(timed(peers.replay(packages, log)) for _ in range(runs))
        peak = watched(peers.replay(packages, log)).peak_bytes
        out.append(
            f"| {count:,} | {log.stat().st_size / 1e6:,.0f} MB | {seconds:.2f} "
            f"| {count / seconds:,.0f} | {megabytes(peak)} |"
        )
    return "\n".join(out) + "\n"


def _of_length(base: int, lines: int) -> Path:
    return workload.cut(base, lines) if lines < base else workload.scaled(base, lines // base)
