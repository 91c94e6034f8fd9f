"""The Typer application: the commands, with options that are made from the table of settings."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

from cli.options import Command, located, with_options
from cli.version import print_version
from engine.settings.commands import COMMANDS

_NOT_AS_NAMED: Final = {"import": "import_upstream.import_upstream", "config show": "config.show"}
"""Commands that are not the function of their name in the module of their name."""


def function_of(name: str) -> Command:
    """The function of a command, whose module is loaded."""
    module, _, function = _NOT_AS_NAMED.get(name, f"{name}.{name}").partition(".")
    found: Command = getattr(import_module(f"cli.{module}"), function)
    return found


class GroupedCommand(TyperCommand):
    """A command whose plain help has its options under the same headings as the drawn one."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, group by group, in the order of their declaration."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                kind = "Options" if parameter.param_type_name == "option" else "Arguments"
                heading = getattr(parameter, "rich_help_panel", None) or kind
                groups.setdefault(heading, []).append(record)
        for heading, rows in groups.items():
            with formatter.section(heading):
                formatter.write_dl(rows)


def make_app(*, drawn: bool | None = None, called: str = "") -> typer.Typer:
    """The application. Its help is drawn on a terminal and plain text elsewhere.

    Where `called` is a command, it has no other: making the options of all takes a tenth of `kpis`.
    """
    if drawn is None:
        drawn = sys.stdout.isatty()
    # Completion asks for the shell by name: Typer's guess is that of the parent process, which
    # under sudo, make or a container's sh is none that it knows.
    os.environ["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"
    app = typer.Typer(
        name="offspot-metrics",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if drawn else None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(main)
    config_group = typer.Typer(help="Show the settings.")
    app.add_typer(config_group, name="config")
    for name in [called] if called in COMMANDS else COMMANDS:
        settings = COMMANDS[name]
        group = config_group if name.startswith("config ") else app
        command = function_of(name)
        if group is app and {"database", "merge_into"} & {*settings}:  # `config` opens none
            command = located(command)
        declared = with_options(command, settings)
        group.command(name.split()[-1], cls=GroupedCommand)(declared)
    return app


def main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, help="Print the version.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            is_eager=True,
            help="With --version: also those of Python and SQLite, as JSON.",
        ),
    ] = False,
) -> None:
    """Usage figures of an offspot, counted on the device from its proxy's logs.

    `demo` shows a dashboard with made-up visits; `serve` runs on the hotspot; `replay` counts log
    files anywhere; `kpis` prints what is stored; `report` writes a page to file; `doctor` explains
    why a dashboard is empty.
    """
    if as_json and not version:
        raise typer.BadParameter("it goes with --version", context, param_hint="--json")
