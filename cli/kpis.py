"""`offspot-metrics kpis`: the KPIs of one period from the database."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import OUTPUT, Database, Format, Output, Timezone

NAMES = ("today", "yesterday", "this-week", "this-month", "this-year")


def _complete_period(begun: str) -> list[str]:
    return [name for name in NAMES if name.startswith(begun)]


def kpis(
    period: Annotated[
        str,
        typer.Option(
            metavar="P",
            help="2026-06-14, 2026-W24, 2026-06, 2026, today, yesterday, this-week, "
            "this-month or this-year.",
            autocompletion=_complete_period,
            rich_help_panel=OUTPUT,
        ),
    ] = "today",
    format: Output = Format.table,  # noqa: A002 (the name of the option)
    database: Database = None,
    timezone: Timezone = None,
) -> None:
    """Print the KPIs of a day, a week, a month or a year.

    They come from the database, the running hour included. Another --timezone than the database's
    computes them for that zone, and stores nothing.
    """
    from cli import output, say, tables
    from engine.report import Report
    from engine.runtime.clock import now
    from engine.settings import make_config
    from engine.store.reader import Reader
    from engine.times import parse_period

    config = make_config({"database": database, "timezone": timezone})
    report = Report(Reader.open(config.database), config.zone)
    try:
        wanted = parse_period(period, now(), report.zone)
        figures = report.as_command_line(wanted)
        known = {(p.kind, p.label) for p in report.known_periods()}
        gone = report.is_gone(wanted)
    finally:
        report.close()
    if gone:
        say(f"offspot-metrics: the records of {wanted.label} are no longer kept")
    elif (wanted.kind, wanted.label) not in known:
        labels = sorted(label for kind, label in known if kind == wanted.kind)
        there = f"; there is {labels[0]} to {labels[-1]}" if labels else "; the database is empty"
        say(f"offspot-metrics: nothing was recorded in {wanted.label}{there}")
    if format is Format.json:
        output.print_json(figures)
    elif format is Format.csv:
        output.print_csv([figures])
    else:
        tables.print_periods([figures])
