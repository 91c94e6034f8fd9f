"""Write the tables of options, exit codes and settings in `docs/` from those of the program.

What is between `<!-- options: COMMAND -->`, `<!-- exit codes -->` (in `docs/cli.md`), or
`<!-- settings -->` (in `docs/configuration.md`), and `<!-- end -->` is written again. With
`--check` nothing is written, and the exit code says whether the pages are current.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CLI = ROOT / "docs" / "cli.md"
CONFIGURATION = ROOT / "docs" / "configuration.md"
_OPTIONS = re.compile(r"(<!-- options: ([\w ]+) -->\n).*?(<!-- end -->)", re.S)
_EXIT_CODES = re.compile(r"(<!-- exit codes -->\n).*?(<!-- end -->)", re.S)
_SETTINGS = re.compile(r"(<!-- settings -->\n).*?(<!-- end -->)", re.S)


def commands() -> dict[str, Any]:
    """Every command by name, such as `serve` and `config show`."""
    from typer.main import get_command

    from cli.app import make_app

    top: dict[str, Any] = get_command(make_app(drawn=False)).commands  # type: ignore[attr-defined]
    return {
        f"{name} {inner}".strip(): command
        for name, one in top.items()
        for inner, command in getattr(one, "commands", {"": one}).items()
    }


def options(command: Any) -> Iterator[str]:
    """The parameters of a command as a table, group by group."""
    yield "| | |\n|---|---|\n"
    for parameter in command.params:
        if parameter.name != "help":
            yield f"| {_names(parameter)} | {_text(parameter)} |\n"


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar}`"
    value = "" if parameter.is_flag else f" {_value(parameter)}"
    return ", ".join(f"`{name}{value}`" for name in parameter.opts)


def _value(parameter: Any) -> str:
    choices = getattr(parameter.type, "choices", None)
    if choices:
        return _cell("|".join(str(getattr(choice, "value", choice)) for choice in choices))
    return _cell(str(parameter.metavar or parameter.type.name.upper()))


def _text(parameter: Any) -> str:
    text = str(parameter.help).strip()
    shown = getattr(parameter, "show_default", True)
    if shown and not parameter.required and not getattr(parameter, "is_flag", False):
        default = getattr(parameter.default, "value", parameter.default)
        if default is not None:
            text += f" Default: {default}."
    return _cell(re.sub(r"\b([A-Z]+_[A-Z_]+)\b", r"`\1`", text))


def settings() -> Iterator[str]:
    """The settings that have a variable, as a table."""
    from engine.settings import SETTINGS
    from engine.settings.commands import COMMANDS

    with_option = {name for names in COMMANDS.values() for name in names}
    yield "| variable | option | default | |\n|---|---|---|---|\n"
    for one in SETTINGS.values():
        if one.variable:
            option = f"`{one.flag}`" if one.name in with_option else ""
            cells = (f"`{one.variable}`", option, one.shown_default, _cell(one.manual))
            yield f"| {' | '.join(cells)} |\n"


def exit_codes() -> Iterator[str]:
    """The exit codes, as a table."""
    from cli.meanings import EXIT_CODES

    yield "| code | meaning |\n|---|---|\n"
    for code, meaning in EXIT_CODES.items():
        yield f"| {code} | {_cell(meaning)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def pages() -> Iterator[tuple[Path, str, str]]:
    """Each page as it is and as it should be. Raises SystemExit for a command without a place."""
    text = CLI.read_text(encoding="utf-8")
    known = commands()
    named = {match[2] for match in _OPTIONS.finditer(text)}
    if named != set(known):
        raise SystemExit(f"docs/cli.md: commands differ: {sorted(named ^ set(known))}")
    tables = {name: "".join(options(command)) for name, command in known.items()}
    current = _OPTIONS.sub(lambda m: f"{m[1]}\n{tables[m[2]]}\n{m[3]}", text)
    table = "".join(exit_codes())
    yield CLI, text, _EXIT_CODES.sub(lambda m: f"{m[1]}\n{table}\n{m[2]}", current)
    text, table = CONFIGURATION.read_text(encoding="utf-8"), "".join(settings())
    yield CONFIGURATION, text, _SETTINGS.sub(lambda m: f"{m[1]}\n{table}\n{m[2]}", text)


def main() -> int:
    """Write the pages, or check them."""
    sys.path.insert(0, str(ROOT))
    outdated = [(path, new) for path, old, new in pages() if old != new]
    for path, new in outdated:
        if "--check" in sys.argv[1:]:
            print(f"{path.name} is not current: run tools/cli_docs.py", file=sys.stderr)
        else:
            path.write_text(new, encoding="utf-8")
    return int("--check" in sys.argv[1:] and bool(outdated))


if __name__ == "__main__":
    raise SystemExit(main())
