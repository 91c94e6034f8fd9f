"""`offspot-metrics kpis`: the KPIs of one period from the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.report import Report
    from engine.settings import Config
    from engine.times import Period


def kpis(config: Config) -> None:
    """Print the KPIs of a day, a week, a month or a year.

    They come from the database, the running hour included. Another --timezone than the database's
    computes them for that zone, and stores nothing.
    """
    from engine.report import Report
    from engine.runtime.clock import now
    from engine.store.reader import Reader
    from engine.times import parse_period

    report = Report(Reader.open(config.database), config.timezone)
    try:
        period = parse_period(config.period, now(), report.zone)
        figures = report.as_command_line(period)
        note = _why_empty(report, period)
    finally:
        report.close()
    if note:
        from cli.messages import print_message

        print_message(note)
    _print(figures, config.figures_format)


def _why_empty(report: Report, period: Period) -> str:
    """Why a period has no figures; empty when it has some."""
    if report.is_gone(period):
        return f"the records of {period.label} are no longer kept"
    known = {(one.kind, one.label) for one in report.known_periods()}
    if (period.kind, period.label) in known:
        return ""
    labels = sorted(label for kind, label in known if kind == period.kind)
    there = f"there is {labels[0]} to {labels[-1]}" if labels else "the database is empty"
    return f"nothing was recorded in {period.label}; {there}"


def _print(figures: dict[str, Any], form: str) -> None:
    from cli import output, tables

    if form == "json":
        output.print_json(figures)
    elif form == "csv":
        output.print_csv([figures])
    else:
        tables.print_periods([figures])
