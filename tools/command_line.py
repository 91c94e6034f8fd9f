"""The commands of the program with their options, as its man page and completions show them.

Made from the table of settings and the docstrings of the commands.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from engine.settings import SETTINGS
from engine.settings.commands import COMMANDS
from engine.settings.model import Setting

PROGRAM = "offspot-metrics"


@dataclass(frozen=True)
class Parameter:
    """An option, or an argument (no names)."""

    names: tuple[str, ...]
    value: str
    """What stands for its value, such as FILE; empty for a flag."""
    words: tuple[str, ...]
    """All the values it may have, or those that are worth offering."""
    text: str

    @property
    def is_path(self) -> bool:
        """Whether the name of a file or folder is expected."""
        return self.value.strip("[].") in ("FILE", "LOGFILE", "DIR")


@dataclass(frozen=True)
class Command:
    """A command, `config show` for instance, and how it is used."""

    name: str
    summary: str
    paragraphs: tuple[str, ...]
    """What follows the summary."""
    arguments: tuple[Parameter, ...]
    options: tuple[Parameter, ...]

    @property
    def all_options(self) -> tuple[Parameter, ...]:
        """Its options and --help."""
        return (*self.options, HELP)


HELP = Parameter(("--help", "-h"), "", (), "Show a summary and exit.")


def commands() -> tuple[Command, ...]:
    """Every command, in the order of the program's help."""
    return tuple(_commands())


@dataclass(frozen=True)
class Group:
    """Names that may be given next: all of the program (the group without a name), or `show`."""

    name: str
    choices: tuple[tuple[str, str], ...]
    """Each with its summary."""


def groups() -> Iterator[Group]:
    """The program, then each command that consists of others, such as `config`."""
    program = _typer_command()
    found = [("", program), *program.commands.items()]
    for name, group in found:
        if hasattr(group, "commands"):
            choices = [(each, _paragraphs(one)[0]) for each, one in group.commands.items()]
            yield Group(name, tuple(choices))


def _commands() -> Iterator[Command]:
    from cli.app import function_of

    for name, settings in COMMANDS.items():
        summary, *paragraphs = _paragraphs(function_of(name))
        declared = [SETTINGS[each] for each in settings]
        arguments = tuple(_parameter(one) for one in declared if one.is_argument)
        options = tuple(_parameter(one) for one in declared if not one.is_argument)
        yield Command(name, summary, tuple(paragraphs), arguments, options)


def _typer_command() -> Any:
    from typer.main import get_command

    from cli.app import make_app

    return get_command(make_app(drawn=False))


def _paragraphs(command: Any) -> list[str]:
    """Those of its help, or of its docstring."""
    text = str(getattr(command, "help", "")) or inspect.getdoc(command) or ""
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


def _parameter(setting: Setting) -> Parameter:
    names = () if setting.is_argument else tuple(filter(None, (setting.flag, setting.short)))
    words, value, text = setting.words, setting.metavar or setting.unit.upper(), setting.full_help
    if isinstance(setting.type, type) and issubclass(setting.type, StrEnum):
        words = tuple(str(word) for word in setting.type)
        value = "|".join(words)
    if setting.type is bool:
        value = ""
    elif not (setting.read or setting.describes_default or setting.is_argument):
        text += f" Default: {setting.default}."
    return Parameter(names, value, words, text)


def global_options() -> Iterator[Parameter]:
    """The options that are given without a command."""
    for one in _typer_command().params:
        choices = tuple(getattr(choice, "value", choice) for choice in _choices(one))
        text = str(getattr(one, "help", ""))
        yield Parameter(tuple(one.opts), "SHELL" if choices else "", choices, text)
    yield HELP


def _choices(parameter: Any) -> tuple[Any, ...]:
    return tuple(getattr(parameter.type, "choices", ()))


def summary_of_program() -> list[str]:
    """The paragraphs of the program's help."""
    from cli.app import main

    return _paragraphs(main)
