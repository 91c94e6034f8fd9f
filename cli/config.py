"""`offspot-metrics config show`: the settings as `serve` would have them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.settings import Config
    from engine.settings.model import Setting


def show(config: Config) -> None:
    """Print each setting, its value, and where that comes from.

    Give it the options or the environment of serve. It reads nothing else and changes nothing.
    """
    from cli import output
    from engine.settings import SETTINGS

    shown = [one for one in SETTINGS.values() if one.variable]
    if config.findings_format == "json":
        output.print_json({one.name: _as_json(one, config) for one in shown})
    else:
        table = output.new_table()
        for heading in ("Setting", "Value", "From"):
            table.add_column(heading, overflow="fold")
        for one in shown:
            found = _as_json(one, config)
            table.add_row(one.name, _text(one, **found), found["origin"])
        output.draw(table)
    print_misspelt()


def print_misspelt() -> None:
    """Name the variables that somebody may believe to be read."""
    from cli.messages import print_message
    from engine.settings import misspelt

    for name, meant in misspelt(os.environ):
        print_message(f"{name} is not read" + (f"; is {meant} meant?" if meant else ""))


def _as_json(setting: Setting, config: Config) -> dict[str, Any]:
    """Its value, as JSON has it, and the option or variable that it comes from."""
    value = getattr(config, setting.name)
    if isinstance(value, frozenset | tuple):
        value = sorted(map(str, value))
    elif value is not None and not isinstance(value, bool | int):
        value = str(value)
    return {"value": value, "origin": config.origins.get(setting.name, "default")}


def _text(setting: Setting, value: Any, origin: str) -> Any:
    """A value for people: a default that depends on other things is described."""
    from rich.text import Text

    from engine.text import displayable

    if value in (None, "", []) and origin == "default":
        return Text(setting.shown_default.replace("`", ""), style="dim")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return Text(displayable((" ".join(value) or "none") if isinstance(value, list) else value))
