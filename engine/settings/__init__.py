"""Every setting of the program is declared once, in `table.py`.

Options of the command line (`cli/options.py`), `Config`, the environment and the tables of
`docs/cli.md` and `docs/configuration.md` are made from it. A command gets one frozen `Config`,
checked before anything starts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.errors import ConfigError, MetricsError, UsageError
from engine.settings.model import BadValue
from engine.settings.table import SETTINGS, Config

__all__ = ["SETTINGS", "Config", "make_config", "misspelt"]

PREFIX: Final = "OFFSPOT_METRICS_"
"""Of no variable that is read; people expect it all the same."""


def make_config(options: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Config:
    """Option, else environment, else default.

    Raises UsageError when only options are wrong, ConfigError otherwise; the message has one
    problem per line.
    """
    environment = os.environ if environment is None else environment
    found: dict[str, Any] = {}
    origins: dict[str, str] = {}
    problems: list[tuple[str, str]] = []
    for one in SETTINGS.values():
        given, origin = one.look_up(options, environment)
        if one.find and not given:
            found[one.name] = one.find(environment)
        elif given is not None:
            origins[one.name] = origin
            try:
                found[one.name] = one.read(str(given)) if one.read else given
            except BadValue as error:
                problems += [(origin, text) for text in error.args]
    if problems:
        usage = all(origin.startswith("--") for origin, _ in problems)
        kind: type[MetricsError] = UsageError if usage else ConfigError
        raise kind(
            [f"{origin}: {text}" for origin, text in problems],
            "see offspot-metrics --help, or that of the command",
        )
    return Config(**found, origins=origins)


def misspelt(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables with our prefix, which are not read, and for each the nearest that is, or none."""
    for name in sorted(environment):
        if name.startswith(PREFIX):
            from difflib import get_close_matches

            known = [one.variable for one in SETTINGS.values() if one.variable]
            near = get_close_matches(name.removeprefix(PREFIX), known, n=1)
            yield name, near[0] if near else ""
