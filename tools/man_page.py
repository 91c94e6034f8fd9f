"""The man page of the program, in the macros of man(7)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import wrap

from tools.command_line import (
    PROGRAM,
    Command,
    Parameter,
    commands,
    global_options,
    summary_of_program,
)

EXAMPLES = (
    (
        "Count on a hotspot, and show the dashboard to everybody on port 80",
        "serve --host 0.0.0.0 --port 80 --packages /conf/packages.yml --logs /var/log",
    ),
    ("Count the logs of a card on any computer", "replay --packages packages.yml logs/*.json*"),
    ("Print the figures of this week", "kpis --period this-week"),
    ("File a month on paper", "report --period 2026-06 --lang fr -o june.html"),
    ("Find out why a dashboard is empty", "doctor"),
    ("Copy the database to a stick while the hotspot runs", "backup /media/stick/metrics.db"),
)
FILES = (
    ("/conf/packages.yml", "The packages file, unless another is named."),
    ("~/.local/share/offspot-metrics/metrics.db", "The database, unless another is named."),
    ("quarantine/", "Next to the database: databases that were damaged or replaced."),
)


def man_page(version: str, date: str) -> str:
    """The whole page: every command, option, variable and exit code."""
    return "\n".join([*_head(version, date), *_commands(), *_rest()]) + "\n"


def _head(version: str, date: str) -> Iterator[str]:
    summary, *paragraphs = summary_of_program()
    yield '.\\" Made by tools/make_man.py from the table of settings.'
    yield f'.TH {PROGRAM.upper()} 1 "{date}" "{PROGRAM} {version}" "User Commands"'
    yield ".nh\n.ad l\n.SH NAME"
    name_line = summary[0].lower() + summary[1:].removesuffix(".")
    yield f"{escaped(PROGRAM)} \\- \\\n{escaped(name_line)}"
    yield ".SH SYNOPSIS"
    yield f".B {escaped(PROGRAM)}"
    yield "\\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIFILE\\fR]..."
    yield ".SH DESCRIPTION"
    yield text_of("A Kiwix hotspot serves content over Wi-Fi without the Internet.")
    yield text_of(
        f"{PROGRAM} reads the access logs of its reverse proxy, Caddy, on the device, keeps hourly "
        "sums in an SQLite database, and shows them on a dashboard."
    )
    for paragraph in paragraphs:
        yield ".PP"
        yield text_of(paragraph)
    yield ".PP"
    yield text_of(
        "An option takes precedence over its environment variable, and a variable over the default."
    )
    yield ".SH OPTIONS"
    yield from (line for option in global_options() for line in _parameter(option))


def _commands() -> Iterator[str]:
    yield ".SH COMMANDS"
    for command in commands():
        yield f'.SS "{escaped(command.name)}"'
        yield _synopsis(command)
        for paragraph in (command.summary, *command.paragraphs):
            yield ".PP"
            yield text_of(paragraph)
        for parameter in (*command.arguments, *command.options):
            yield from _parameter(parameter)


def _synopsis(command: Command) -> str:
    arguments = "".join(f" \\fI{escaped(each.value)}\\fR" for each in command.arguments)
    return f"\\fB{escaped(f'{PROGRAM} {command.name}')}\\fR [\\fIOPTION\\fR]...{arguments}"


def _parameter(parameter: Parameter) -> Iterator[str]:
    value = f"\\fI{escaped(parameter.value)}\\fR"
    names = [f"\\fB{escaped(name)}\\fR" for name in parameter.names]
    if parameter.value and names:
        names = [f"{name} {value}" for name in names]
    yield ".TP"
    yield ", ".join(names) or value
    yield text_of(parameter.text)


def _rest() -> Iterator[str]:
    from cli.meanings import EXIT_CODES
    from engine.settings import SETTINGS

    yield ".SH ENVIRONMENT"
    for one in SETTINGS.values():
        if one.variable:
            yield f".TP\n.B {escaped(one.variable)}"
            yield text_of(_plain(one.manual))
            yield text_of(_plain(f"Default: {one.shown_default}"))
    yield ".SH FILES"
    for name, meaning in FILES:
        yield f".TP\n.I {escaped(name)}\n{text_of(meaning)}"
    yield '.SH "EXIT STATUS"'
    for code, meaning in EXIT_CODES.items():
        yield f".TP\n.B {code}\n{text_of(f'{meaning[0].upper()}{meaning[1:]}.')}"
    yield ".SH SIGNALS"
    yield text_of(
        "SIGINT and SIGTERM end serve after it has saved; a second one ends it at once. "
        "SIGHUP makes it read the packages file again."
    )
    yield ".SH EXAMPLES"
    for purpose, line in EXAMPLES:
        yield f".TP\n{text_of(purpose)}\n.B {escaped(f'{PROGRAM} {line}')}"
    yield '.SH "SEE ALSO"'
    yield ".BR caddy (8),\n.BR kiwix\\-serve (1)"


def _plain(markdown: str) -> str:
    """The sentences of a cell of the manual, without marks; a link that is a remark is left out."""
    text = re.sub(r" ?\(\[[^]]*\]\([^)]*\)\)| ?\[[A-Z][^]]*\]\([^)]*\)", "", markdown)
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).removeprefix("*ours*: ")
    return f"{text[0].upper()}{text[1:]}".replace("`", "").removesuffix(".") + "."


def text_of(text: str) -> str:
    """A paragraph: a line must not begin with a dot or an apostrophe."""
    lines = wrap(escaped(text.replace("`", "")), 76, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in lines)


def escaped(text: str) -> str:
    """Text in which every character stands for itself; a hyphen can be copied into a shell."""
    return (
        text.replace("\\", "\\e")
        .replace("-", "\\-")
        .replace("~", "\\(ti")
        .replace("^", "\\(ha")
        .replace("`", "\\(ga")
        .replace('"', "\\(dq")
    )
