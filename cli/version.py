"""`offspot-metrics --version`, which `offspot_metrics.py` answers itself where it stands alone."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import typer

import engine
from cli import output
from engine.version import __version__


def print_version(context: typer.Context, wanted: bool) -> None:
    """Print the version and leave. `--json` is eager, so it is known wherever it stands."""
    if not wanted:
        return
    if not context.params.get("as_json"):
        typer.echo(f"offspot-metrics {__version__}")
        raise typer.Exit
    from engine.store.database import SQLITE_VERSION

    python = ".".join(map(str, sys.version_info[:3]))
    versions = {"version": __version__, "python": python, "sqlite": SQLITE_VERSION}
    output.print_json(versions | {"installed": how_installed(engine)})
    raise typer.Exit


def how_installed(package: ModuleType) -> str:
    """Where a package of ours comes from: the archive, an installed package, or a source tree."""
    if hasattr(package.__loader__, "archive"):
        return "zipapp"
    folders = Path(str(package.__file__)).parts
    return "package" if {"site-packages", "dist-packages"} & set(folders) else "source"
