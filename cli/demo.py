"""`offspot-metrics demo`: a living dashboard, without a hotspot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from engine.demo.model import Traffic
    from engine.packages import Packages
    from engine.settings import Config


def demo(config: Config) -> None:
    """Show a dashboard with made-up visits.

    Some weeks of a school are made up, and new visits every second. Its log is written, read and
    counted as on a hotspot. With the logs of a hotspot and its packages file, these are shown
    instead, as if they ended now. Ctrl-C ends it and removes everything; no other database is used.
    """
    from cli.messages import print_lines
    from engine.runtime.demo import demo as show

    packages, content = _packages(config)
    raise typer.Exit(
        show(
            config,
            content,
            _traffic(config, packages),
            lambda address: print_lines(f"\n    The dashboard: {address}\n\n    Ctrl-C ends it.\n"),
        )
    )


def _packages(config: Config) -> tuple[Packages, bytes]:
    """Those of the packages file, if it was asked for, else the school's; and the file."""
    from engine.demo.school import packages_file
    from engine.errors import ConfigError
    from engine.packages import parse_packages, read_packages

    if not config.recorded and config.origins.get("packages") != "--packages":
        content = packages_file()
        return parse_packages(content, "packages of the demo"), content
    packages = read_packages(config.packages)
    if not packages.entries:
        raise ConfigError(
            [f"packages file {config.packages}: no entry can be used", *packages.warnings],
            "name another one, or none: then packages are made up",
        )
    return packages, config.packages.read_bytes()


def _traffic(config: Config, packages: Packages) -> Traffic:
    """The logs that were given, else visits of the school."""
    from datetime import UTC, datetime

    from engine.demo.recorded import Recorded
    from engine.demo.school import School
    from engine.runtime import clock

    zone = config.timezone or UTC
    if not config.recorded:
        return School(packages, config.seed, zone, config.weeks)
    offset = datetime.fromtimestamp(clock.now(), zone).utcoffset()
    return Recorded.read(config.recorded, int(offset.total_seconds()) if offset else 0)
