"""`offspot-metrics serve`: the whole stack in one process."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import (
    INPUT,
    PAGE,
    Database,
    Filebeat,
    Logs,
    Packages,
    Pattern,
    Timezone,
)


def _complete_reader(begun: str) -> list[str]:
    return [name for name in ("auto", "filebeat", "tail") if name.startswith(begun)]


def serve(
    packages: Packages = None,
    logs: Logs = None,
    pattern: Pattern = None,
    reader: Annotated[
        str | None,
        typer.Option(
            metavar="auto|filebeat|tail",
            help="Who reads the logs: Filebeat, the built-in reader, or Filebeat when it is found "
            "(READER; default auto).",
            show_default=False,
            autocompletion=_complete_reader,
            rich_help_panel=INPUT,
        ),
    ] = None,
    filebeat: Filebeat = None,
    database: Database = None,
    timezone: Timezone = None,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Address to listen on (HOST; default 127.0.0.1; 0.0.0.0: all).",
            show_default=False,
            rich_help_panel=PAGE,
        ),
    ] = None,
    port: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="Port to listen on (PORT; default 8000; 0: a free one).",
            show_default=False,
            rich_help_panel=PAGE,
        ),
    ] = None,
    site: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of the hotspot on the page (SITE_NAME; default: the packages file's).",
            show_default=False,
            rich_help_panel=PAGE,
        ),
    ] = None,
) -> None:
    """Read the logs, count, and serve the dashboard, until told to stop.

    Ctrl-C or SIGTERM ends it in order, a second one at once; SIGHUP reads the packages file again.
    """
    import logging
    import sys

    from cli import say
    from engine.runtime.serve import serve as serve_until_stopped
    from engine.settings import make_config
    from offspot_metrics import __version__

    config = make_config(
        {
            "packages": packages,
            "logs": logs,
            "pattern": pattern,
            "reader": reader,
            "filebeat": filebeat,
            "database": database,
            "timezone": timezone,
            "host": host,
            "port": port,
            "site": site,
        }
    )
    logging.basicConfig(
        level=config.log_level,
        stream=sys.stderr,
        format="%(levelname)s: %(message)s",
    )
    logging.raiseExceptions = False  # a log that cannot be written stops nothing
    raise typer.Exit(
        serve_until_stopped(config, __version__, lambda address: say(f"Dashboard: {address}"))
    )
