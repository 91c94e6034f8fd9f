#!/usr/bin/python3 -IS
"""The program as the Debian package installs it: all commands have the settings of the service."""

import os
import sys
from pathlib import Path
from typing import NoReturn

SETTINGS = Path("/etc/default/offspot-metrics")


def read_settings() -> None:
    """Put the settings into the environment, which goes before them. Lines are NAME=value;
    of two with one name the last holds, as in a shell.
    """
    try:
        lines = SETTINGS.read_text("utf-8", "surrogateescape").splitlines()
    except FileNotFoundError:
        return
    except OSError as error:
        stop(f"{SETTINGS} cannot be read: {error.strerror}", f"chmod a+r {SETTINGS}")
    found = {}
    for number, line in enumerate(lines, 1):
        name, separator, value = line.strip().partition("=")
        if not name or name.startswith("#"):
            continue
        if not separator or not name.isidentifier():
            stop(f"{SETTINGS}, line {number} is not of the form NAME=value", "correct it")
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name] = value
    for name, value in found.items():
        if value:
            os.environ.setdefault(name, value)


def stop(problem: str, way_out: str) -> NoReturn:
    """End with a message."""
    print(f"offspot-metrics: {problem}\n  {way_out}", file=sys.stderr)
    raise SystemExit(os.EX_CONFIG)


if __name__ == "__main__":
    read_settings()
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from offspot_metrics import main

    raise SystemExit(main())
