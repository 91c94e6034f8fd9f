"""`offspot-metrics replay`: count log files, and print the KPIs."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import COUNTING, DATABASE, OUTPUT, Format, Output, Packages, Timezone

if TYPE_CHECKING:
    from engine.packages import Packages as FoundPackages
    from engine.replay import Summary
    from engine.report import Report

MAX_EXPLAINED = 1_000


def replay(
    logfiles: Annotated[
        list[str],
        typer.Argument(metavar="LOGFILE...", help="Logs, plain or .gz; - for standard input."),
    ],
    packages: Packages = None,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Merge the lines into this database, each line once (without: keep nothing).",
            show_default=False,
            rich_help_panel=DATABASE,
        ),
    ] = None,
    allow_overlap: Annotated[
        bool,
        typer.Option(
            "--allow-overlap",
            help="Count also a file whose time is counted already (the log of another proxy).",
            rich_help_panel=DATABASE,
        ),
    ] = False,
    timezone: Timezone = None,
    idle_gap: Annotated[
        int | None,
        typer.Option(
            metavar="MINUTES",
            min=0,
            max=1440,
            help="The longest silence in which the offspot was on all the same "
            "(without --database only; default 10).",
            show_default=False,
            rich_help_panel=COUNTING,
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            max=64,
            help="Processes to count with; 0: one per core.",
            rich_help_panel=COUNTING,
        ),
    ] = 0,
    format: Output = Format.table,  # noqa: A002 (the name of the option)
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="No progress bar, no speed.", rich_help_panel=OUTPUT),
    ] = False,
) -> None:
    """Count log files, and print their newest KPIs.

    These are the KPIs of the newest day, week, month and year; JSON and CSV have all. Every line
    counts once, whatever the names, the order and the compression of the files, and however often
    a log is given.
    """
    from cli import exit_code_of, say, say_error
    from cli.progress import progress_bar
    from engine.names import displayable
    from engine.packages import read_packages
    from engine.replay import Replay
    from engine.report import Report
    from engine.runtime import clock
    from engine.settings import IDLE_GAP_MINUTES, make_config
    from engine.store.database import MEMORY
    from engine.store.store import Lock, Store

    config = make_config({"packages": packages, "database": database, "timezone": timezone})
    found = read_packages(config.packages)
    path = config.database if database else MEMORY
    lock = Lock(path) if database else None
    try:
        store = Store.open(path, config.zone)
        for note in (*found.warnings, *store.notes, *([lock.note] if lock and lock.note else [])):
            say(f"offspot-metrics: {note}")
        today = clock.now()
        started = clock.monotonic()
        with progress_bar(logfiles, shown=not quiet) as progress:
            counting = Replay(
                store,
                found,
                jobs=jobs or os.cpu_count() or 1,
                check_overlap=bool(database) and not allow_overlap,
                progress=progress,
            )
            summary = counting.run(logfiles, today)
        seconds = clock.monotonic() - started
        if not database:
            gap = IDLE_GAP_MINUTES if idle_gap is None else idle_gap
            counting.fill_silences(gap, today)
        elif idle_gap is not None:
            say("offspot-metrics: --idle-gap is not used: with a database, silences stay silent")
        _print(Report(store.reader()), summary, format)
        store.close()
    finally:
        if lock:
            lock.release()
    if not quiet:
        total = summary.fates.total()
        speed = f", {total / seconds:,.0f} lines/s" if total and seconds > 0 else ""
        say(f"offspot-metrics: {total:,} lines in {seconds:.2f} s{speed}")
    for name in summary.known:
        say(f"offspot-metrics: {displayable(name)}: known already, nothing new in it")
    for name in summary.unfinished:
        say(f"offspot-metrics: {displayable(name)}: its last line has no end, and was not read")
    if summary.fates.total() and not summary.fates["counted"]:
        _say_why(summary, found)
    for name, lines in summary.ambiguous:
        say(
            f"offspot-metrics: {displayable(name)}: it begins like a log that was counted, and "
            f"goes on otherwise; {lines:,} of its lines are of the time of that log and were "
            "left out"
        )
    for error in summary.errors:
        say_error(error)
    if summary.errors:
        raise typer.Exit(exit_code_of(summary.errors[0]))


def _say_why(summary: Summary, packages: FoundPackages) -> None:
    """Why no line counts at all, judged by the first ones: is it the right file?"""
    from cli import say, words
    from engine.inputs.reasons import explain

    lines = summary.sample.split(b"\n")[:-1][:MAX_EXPLAINED]
    found = [explain(line, packages) for line in lines]
    reasons = Counter(one.reason for one in found if one.reason)
    say("offspot-metrics: no line counts: is it the right file?")
    for reason, number in reasons.most_common(2):
        details = Counter(one.detail for one in found if one.reason is reason)
        meaning = words.meaning_of(reason.value, ", ".join(list(details)[:4]))
        say(f"  {number:,} of the first {len(lines):,} lines: {meaning}")
        if remedy := words.remedy_of(reason.value):
            say(f"  try: {remedy}")


def _print(report: Report, summary: Summary, how: Format) -> None:
    from cli import output, tables
    from engine.inputs.model import FATES

    periods = sorted(report.known_periods(), key=lambda p: (p.kind, p.label))
    if how is Format.table:
        newest = {period.kind: period for period in periods}
        tables.print_periods(
            report.as_command_line(newest[kind]) for kind in "DWMY" if kind in newest
        )
        _print_lines(summary)
        return
    figures = [report.as_command_line(period) for period in periods]
    if how is Format.csv:
        output.print_csv(figures)
        return
    lines: dict[str, int] = {fate: summary.fates[fate] for fate in FATES}
    output.print_json({"lines": {"read": sum(lines.values())} | lines, "periods": figures})


def _print_lines(summary: Summary) -> None:
    """Lines by fate, with what each fate means."""
    from cli import output, words

    table = output.new_table(heading=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_row("Lines read", f"{summary.fates.total():,}", "")
    for fate, meaning in words.FATES.items():
        if summary.fates[fate] or fate in ("counted", "unmatched"):
            table.add_row(f"  {fate}", f"{summary.fates[fate]:,}", meaning)
    output.draw(table)
