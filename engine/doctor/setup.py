"""Checks of the packages file, and of the reader that would read the logs.

Filebeat is run only to ask for its version.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from typing import Final

from engine.doctor.model import Check, Examination, State, problem
from engine.errors import ConfigError, MetricsError, ReaderUnavailable
from engine.packages import PACKAGE_KINDS, Packages, read_packages
from engine.settings import Config
from engine.sources.filebeat.process import find_filebeat, missing_filebeat

VERSION_SECONDS: Final = 30
"""A Raspberry Pi loads Filebeat's 50 MB from a slow card."""


def check_packages(config: Config, found: Examination) -> Packages | None:
    """The packages; None when there are none to be had."""
    name = "packages file"
    try:
        packages = read_packages(config.packages)
    except MetricsError as error:
        found.checks.append(problem(name, error))
        return None
    found.packages_hosts = tuple(dict.fromkeys(entry.host for entry in packages.entries))
    kinds = Counter(entry.kind for entry in packages.entries)
    summary = ", ".join(f"{kinds[kind]} {kind}" for kind in PACKAGE_KINDS if kinds[kind])
    many = len(packages.entries)
    text = f"{config.packages}: {_plural(many, 'package')}"
    warnings = tuple(text.removeprefix("packages file: ") for text in packages.warnings)
    if not many:
        text = f"{config.packages} lists no package that can be counted"
        hint = (
            "correct the entries below: each needs url: //host/..., title and kind"
            if warnings
            else "add packages to it; without any, only the time the hotspot was on is counted"
        )
        found.checks.append(problem(name, ConfigError(text, hint), *warnings))
        return packages
    hosts = f"{_plural(len(found.packages_hosts), 'host')}: {', '.join(found.packages_hosts[:10])}"
    details = (f"{summary}, on {hosts}",)
    if warnings:
        hint = "correct these entries; serve reads the file again within a minute"
        text += f", and {_plural(len(warnings), 'entry', 'entries')} that cannot be used"
        found.checks.append(Check(name, State.WARNING, text, hint, details + warnings))
    else:
        found.checks.append(Check(name, State.OK, text, details=details))
    return packages


def check_reader(config: Config, found: Examination) -> None:
    """Whether the configured reader can run."""
    name = "reader"
    if not config.processing:
        text = "PROCESSING_DISABLED is set: serve shows stored figures and counts nothing"
        found.checks.append(Check(name, State.WARNING, text, "unset it to have the logs read"))
        return
    if config.reader == "tail":
        found.checks.append(Check(name, State.OK, "the built-in reader, as configured"))
        return
    required = config.reader == "filebeat" or bool(config.filebeat)
    program = find_filebeat(config.filebeat)
    if program is None:
        if required:
            found.checks.append(problem(name, missing_filebeat(config.filebeat)))
        else:
            text = "Filebeat not found: the built-in reader is used, with the same figures"
            found.checks.append(Check(name, State.OK, text))
        return
    try:
        version = _version_of(program)
    except OSError as error:
        text = f"Filebeat {program} does not run: {error.strerror or error}"
        hint = "check that it was built for this machine, or use the built-in reader: READER=tail"
        if required:
            found.checks.append(problem(name, ReaderUnavailable(text, hint)))
        else:
            found.checks.append(Check(name, State.WARNING, text, hint))
        return
    found.checks.append(Check(name, State.OK, f"Filebeat {program}: {version}"))


def _version_of(program: str) -> str:
    try:
        done = subprocess.run(
            [program, "version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_SECONDS,
            check=False,
            cwd="/",
            env={"PATH": os.environ.get("PATH", "")},
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"no output within {VERSION_SECONDS} s") from error
    output = (done.stdout or done.stderr).decode("utf-8", "replace").strip().partition("\n")[0]
    if done.returncode:
        raise OSError(f"it exited with {done.returncode}: {output[:200]}")
    return output[:200].removeprefix("filebeat version ")


def _plural(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
