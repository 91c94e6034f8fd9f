"""`offspot-metrics serve`: the whole stack in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from engine.settings import Config


def serve(config: Config) -> None:
    """Read the logs, count, and serve the dashboard, until stopped.

    Ctrl-C or SIGTERM ends it gracefully, a second one at once; after SIGHUP the packages file is
    read again.
    """
    from cli.config import print_misspelt
    from cli.messages import print_lines
    from engine.runtime.serve import serve as serve_until_stopped

    print_misspelt()
    raise typer.Exit(
        serve_until_stopped(config, lambda address: print_lines(f"Dashboard: {address}"))
    )
