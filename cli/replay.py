"""`offspot-metrics replay`: count log files, and print the KPIs."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from engine.packages import Packages
    from engine.replay import Summary
    from engine.report import Report
    from engine.settings import Config
    from engine.store.store import Lock

MAX_EXPLAINED: Final = 1_000


def replay(config: Config) -> None:
    """Count log files, and print their newest KPIs.

    These are the KPIs of the newest day, week, month and year; JSON and CSV have all. Every line
    counts once, whatever the names, the order and the compression of the files, and however often
    a log is given.
    """
    from cli.messages import exit_code_of
    from engine.packages import read_packages
    from engine.store.store import Lock

    packages = read_packages(config.packages)
    lock = Lock(config.merge_into) if config.merge_into else None
    try:
        summary, seconds = _count(config, packages, lock)
    finally:
        if lock:
            lock.release()
    if not config.quiet:
        _print_speed(summary, seconds)
    _print_remarks(summary, packages)
    if summary.errors:
        raise typer.Exit(exit_code_of(summary.errors[0]))


def _count(config: Config, packages: Packages, lock: Lock | None) -> tuple[Summary, float]:
    """Count the files and print the figures. What was read, and the seconds it took."""
    from cli.messages import print_message
    from cli.progress import progress_bar
    from engine.replay import Replay
    from engine.report import Report
    from engine.runtime import clock
    from engine.store.database import MEMORY
    from engine.store.repair.recovery import finish_interrupted
    from engine.store.store import Store

    path = config.merge_into or MEMORY
    repairs = finish_interrupted(path, clock.now()) if lock else []
    store = Store.open(path, config.timezone)
    for note in (
        *repairs,
        *packages.warnings,
        *store.notes,
        *([lock.note] if lock and lock.note else []),
    ):
        print_message(note)
    today, started = clock.now(), clock.monotonic()
    with progress_bar(config.logfiles, shown=not config.quiet) as progress:
        counting = Replay(
            store,
            packages,
            jobs=config.jobs or os.cpu_count() or 1,
            check_overlap=lock is not None and not config.allow_overlap,
            progress=progress,
        )
        summary = counting.run(config.logfiles, today)
    seconds = clock.monotonic() - started
    if lock is None:
        counting.fill_silences(config.idle_gap, today)
    elif "idle_gap" in config.origins:
        print_message("--idle-gap is ignored: it has no effect with --database")
    _print_figures(Report(store.reader()), summary, config.figures_format)
    store.close()
    return summary, seconds


def _print_speed(summary: Summary, seconds: float) -> None:
    from cli.messages import print_message

    total = summary.fates.total()
    speed = f", {total / seconds:,.0f} lines/s" if total and seconds > 0 else ""
    print_message(f"{total:,} lines in {seconds:.2f} s{speed}")


def _print_remarks(summary: Summary, packages: Packages) -> None:
    """What was not counted as might be expected, and why."""
    from cli.messages import print_error, print_message
    from engine.text import displayable

    for name in summary.known:
        print_message(f"{displayable(name)}: already counted, nothing new in it")
    for name in summary.unfinished:
        print_message(f"{displayable(name)}: its last line has no end, and was not read")
    if summary.fates.total() and not summary.fates["counted"]:
        _print_reasons(summary, packages)
    for name, lines in summary.ambiguous:
        print_message(
            f"{displayable(name)}: it begins like a log that was counted, and "
            f"continues differently; {lines:,} of its lines are from the time of that log and were "
            "left out"
        )
    for error in summary.errors:
        print_error(error)


def _print_reasons(summary: Summary, packages: Packages) -> None:
    """Why no line counts at all, judged by the first ones: is it the right file?"""
    from cli import meanings
    from cli.messages import print_hint, print_lines, print_message
    from engine.inputs.reasons import explain

    lines = summary.sample.split(b"\n")[:-1][:MAX_EXPLAINED]
    found = [explain(line, packages) for line in lines]
    reasons = Counter(one.reason for one in found if one.reason)
    print_message("no line counts: is it the right file?")
    for reason, number in reasons.most_common(2):
        details = Counter(one.detail for one in found if one.reason is reason)
        meaning = meanings.meaning_of(reason.value, ", ".join(list(details)[:4]))
        print_lines(f"  {number:,} of the first {len(lines):,} lines: {meaning}")
        if remedy := meanings.remedy_of(reason.value):
            print_hint(remedy)


def _print_figures(report: Report, summary: Summary, form: str) -> None:
    from cli import output, tables
    from engine.inputs.model import FATES

    periods = sorted(report.known_periods(), key=lambda p: (p.kind, p.label))
    if form == "table":
        newest = {period.kind: period for period in periods}
        tables.print_periods(
            report.as_command_line(newest[kind]) for kind in "DWMY" if kind in newest
        )
        _print_lines(summary)
        return
    figures = [report.as_command_line(period) for period in periods]
    if form == "csv":
        output.print_csv(figures)
        return
    lines: dict[str, int] = {fate: summary.fates[fate] for fate in FATES}
    output.print_json({"lines": {"read": sum(lines.values())} | lines, "periods": figures})


def _print_lines(summary: Summary) -> None:
    """Lines by fate, with what each fate means."""
    from cli import meanings, output

    table = output.new_table(heading=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_row("Lines read", f"{summary.fates.total():,}", "")
    for fate, meaning in meanings.FATES.items():
        if summary.fates[fate] or fate in ("counted", "unmatched"):
            table.add_row(f"  {fate}", f"{summary.fates[fate]:,}", meaning)
    output.draw(table)
