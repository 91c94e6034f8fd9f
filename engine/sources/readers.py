"""Finds the source that `--reader` names, or the first that can be used."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from engine.settings.choices import SOURCES
from engine.sources.model import MakeSource, Prepare, SourceOptions


def choose_source(reader: str, filebeat: str, folder: Path) -> MakeSource:
    """What makes the named source, or the first one that can be used (`auto`).

    `filebeat` is the configured program, `folder` one of ours. Raises ReaderUnavailable.
    """
    is_named = reader != "auto"
    options = SourceOptions(is_named, filebeat, _run_folders(folder))
    names = (reader,) if is_named else SOURCES
    return next(made for name in names if (made := _prepare(name)(options)))


def _prepare(name: str) -> Prepare:
    prepare: Prepare = import_module(f"engine.sources.{name}").prepare
    return prepare


def _run_folders(folder: Path) -> tuple[Path, ...]:
    """Where Filebeat's folder may be made; the first one that is in memory is used."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    places: list[str | Path] = [runtime, "/run", "/dev/shm", "/tmp", folder]  # noqa: S108 (run_folder.py checks them)
    return tuple(Path(place).absolute() for place in places if place)
