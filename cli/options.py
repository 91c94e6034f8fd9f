"""Options of a command, made from the table of settings."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Annotated, Any

import typer

from engine.settings import SETTINGS, Config, make_config
from engine.settings.model import Setting

Command = Callable[[Config], None]


def with_options(command: Command, settings: tuple[str, ...]) -> Callable[..., None]:
    """The command as Typer wants it: a function with a parameter for each of these settings."""
    parameters = [_parameter(SETTINGS[name]) for name in settings]
    defaults = {parameter.name: parameter.default for parameter in parameters}

    def run(**given: Any) -> None:
        command(make_config({n: value for n, value in given.items() if value != defaults[n]}))

    run.__doc__ = command.__doc__
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return run


def _parameter(setting: Setting) -> Parameter:
    """A parameter of Typer. What is read from text stays text here, and None is not given."""
    kind, default = setting.type, setting.default
    if setting.is_argument:
        declared: Any = typer.Argument(metavar=setting.metavar, help=setting.full_help)
        default = Parameter.empty
    else:
        declared = _option(setting)
    if setting.read or setting.tells_default:
        kind, default = str | None if setting.read else kind | None, None
    annotation = Annotated[kind, declared]  # type: ignore[valid-type]
    return Parameter(setting.name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _option(setting: Setting) -> Any:
    def complete(begun: str) -> list[str]:
        return [word for word in setting.words if word.startswith(begun)]

    return typer.Option(
        *filter(None, (setting.flag, setting.short)),
        metavar=setting.metavar or setting.unit.upper() or None,
        min=setting.lowest,
        max=setting.highest,
        help=setting.full_help,
        show_default=not (setting.read or setting.tells_default),
        autocompletion=complete if setting.words else None,
        rich_help_panel=setting.group,
    )
