"""Write the tables of `docs/cli.md` from the options as they are declared.

In: the Typer application. Out: the same page with what is between `<!-- options: COMMAND -->` and
`<!-- end -->` made anew. With `--check` it writes nothing and tells whether the page is current.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "cli.md"
_PLACE = re.compile(r"(<!-- options: (\w+) -->\n).*?(<!-- end -->)", re.S)


def commands() -> dict[str, Any]:
    """Every command by name."""
    from typer.main import get_command

    from cli.app import make_app

    found: dict[str, Any] = get_command(make_app(drawn=False)).commands  # type: ignore[attr-defined]
    return found


def table(command: Any) -> Iterator[str]:
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
        return r"\|".join(str(getattr(choice, "value", choice)) for choice in choices)
    return str(parameter.metavar or parameter.type.name.upper()).replace("|", r"\|")


def _text(parameter: Any) -> str:
    text = str(parameter.help).strip()
    shown = getattr(parameter, "show_default", True)
    if shown and not parameter.required and not getattr(parameter, "is_flag", False):
        default = getattr(parameter.default, "value", parameter.default)
        if default is not None:
            text += f" Default: {default}."
    return re.sub(r"\b([A-Z]+_[A-Z_]+)\b", r"`\1`", text).replace("|", r"\|")


def page(text: str) -> str:
    """The page with its tables made anew. Raises SystemExit for a command that it lacks."""
    known = commands()
    named = {match[2] for match in _PLACE.finditer(text)}
    if named != set(known):
        raise SystemExit(f"docs/cli.md: commands differ: {sorted(named ^ set(known))}")
    return _PLACE.sub(lambda m: f"{m[1]}\n{''.join(table(known[m[2]]))}\n{m[3]}", text)


def main() -> int:
    """Write the page, or check it."""
    sys.path.insert(0, str(ROOT))
    old = PAGE.read_text(encoding="utf-8")
    new = page(old)
    if "--check" in sys.argv[1:]:
        if old != new:
            print("docs/cli.md is not current: run tools/cli_docs.py", file=sys.stderr)
        return int(old != new)
    if old != new:
        PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
