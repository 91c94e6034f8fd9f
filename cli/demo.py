"""`offspot-metrics demo`: a living dashboard, without a hotspot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from engine.demo.model import Traffic
    from engine.settings import Config


def demo(config: Config) -> None:
    """Show a dashboard with made-up visits.

    Some weeks of a school are made up, and new visits every second. Its log is written, read and
    counted as on a hotspot. With the logs of a hotspot and its packages file, these are shown
    instead, as if they ended now. Ctrl-C ends it and removes everything; no other database is used.
    """
    from datetime import UTC, datetime

    from cli.messages import print_lines
    from engine.demo.recorded import Recorded
    from engine.demo.school import School, packages_file
    from engine.packages import parse_packages, read_packages
    from engine.runtime import clock
    from engine.runtime.demo import demo as show

    content = packages_file()
    packages = parse_packages(content, "packages of the demo")
    traffic: Traffic
    if config.recorded or config.origins.get("packages") == "--packages":
        packages = read_packages(config.packages)
        content = config.packages.read_bytes()
    zone = config.timezone or UTC
    if config.recorded:
        offset = datetime.fromtimestamp(clock.now(), zone).utcoffset()
        traffic = Recorded.read(config.recorded, int(offset.total_seconds()) if offset else 0)
    else:
        traffic = School(packages, config.seed, zone, config.weeks)
    raise typer.Exit(
        show(
            config,
            content,
            traffic,
            lambda address: print_lines(f"\n    The dashboard: {address}\n\n    Ctrl-C ends it.\n"),
        )
    )
