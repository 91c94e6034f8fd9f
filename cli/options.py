"""Options of a command, made from the table of settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
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
        options = {name: value for name, value in given.items() if value != defaults[name]}
        command(make_config(options))

    run.__doc__ = command.__doc__
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return run


def _parameter(setting: Setting) -> Parameter:
    """A parameter of Typer. What is read from text stays text here, and None is not given."""
    kind, default = setting.type, setting.default
    if setting.is_argument:
        declared: Any = typer.Argument(metavar=setting.metavar, help=setting.full_help)
        default = None if setting.is_optional else Parameter.empty
    else:
        declared = _option(setting)
    if setting.read or setting.describes_default:
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
        show_default=not (setting.read or setting.describes_default),
        autocompletion=complete if setting.words else None,
        rich_help_panel=setting.group,
    )


def located(command: Command) -> Command:
    """The command on our database, where the setting names one of the older system."""

    def run(config: Config) -> None:
        from engine.store.upstream.location import locate

        if config.merge_into is not None:
            config = replace(config, merge_into=locate(config.merge_into)[0])
        database, older = locate(config.database)
        command(replace(config, database=database, older_database=older))

    run.__doc__ = command.__doc__
    return run
