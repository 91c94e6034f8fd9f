"""`offspot-metrics import`: what an older system has counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.settings import Config
    from engine.store.importing import Summary


def import_upstream(config: Config) -> None:
    """Import the records of a database of offspot/metrics.

    Every generation of that system's database is read, and the file is not changed. It may be
    imported again, also when it has grown: only what is new is added. Hours in which lines were
    counted here are left to what was counted.
    """
    from pathlib import Path

    from cli import output
    from cli.messages import print_message
    from cli.progress import record_bar
    from engine.runtime.clock import now
    from engine.store.importing import Import
    from engine.store.lock import Lock
    from engine.store.store import Store
    from engine.store.upstream.opening import open_upstream

    path = Path(config.upstream)
    folder = config.database.parent
    with open_upstream(path, folder if folder.is_dir() else None) as upstream:
        lock = Lock(config.database)
        try:
            with Store.open(config.database, config.timezone) as store:
                for note in store.notes:
                    print_message(note)
                with record_bar(upstream.total(), shown=not config.quiet) as progress:
                    summary = Import(store, upstream, now()).run(progress)
                zone = store.zone
        finally:
            lock.release()
    if config.findings_format == "json":
        output.print_json(_as_json(summary))
    else:
        _print(summary, str(path), zone)


def _as_json(summary: Summary) -> dict[str, Any]:
    return {
        "source": summary.source,
        "known": summary.was_known,
        "records": dict(sorted(summary.records.items())),
        "hours": summary.hours,
        "firstHour": summary.first_hour,
        "lastHour": summary.last_hour,
        "inFuture": summary.in_future,
        "cappedValues": summary.capped,
        "years": summary.years,
        "left": dict(sorted(summary.left.items())),
    }


def _print(summary: Summary, name: str, zone: Any) -> None:
    from datetime import datetime

    from cli import output

    table = output.new_table(heading=False)
    table.add_column()
    table.add_column(justify="right")
    for indicator, records in sorted(summary.records.items()):
        table.add_row(f"  {indicator}", f"{records:,}")
    for reason, records in summary.left.most_common():
        table.add_row(f"  left: {reason}", f"{records:,}")
    lines = [f"{name}: {summary.records.total():,} records of {summary.hours:,} hours"]
    if summary.first_hour is not None and summary.last_hour is not None:
        first, last = (
            datetime.fromtimestamp(hour, zone).strftime("%Y-%m-%d %H:%M")
            for hour in (summary.first_hour, summary.last_hour)
        )
        lines[0] += f", from {first} to {last} {zone.key}"
    if summary.was_known:
        lines.append("It was imported before: only what is new was added.")
    if summary.years:
        lines.append(f"Years of which only the totals are known: {', '.join(summary.years)}")
    if summary.in_future:
        lines.append(f"{summary.in_future:,} of them are dated in the future.")
    if summary.capped:
        lines.append(f"{summary.capped:,} values above 60 minutes an hour were taken as 60.")
    output.draw(lines[0], table, *lines[1:])
