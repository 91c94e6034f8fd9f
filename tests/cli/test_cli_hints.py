"""No message or hint names a command or an option that is not there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tools import cli_docs

ROOT = Path(__file__).resolve().parents[2]
COMMAND = re.compile(r"(?:^|(?<=[\s`]))offspot-metrics (?P<word>[a-z][a-z-]*)\b")
OPTION = re.compile(r"(?:^|(?<=[\s`(\[]))--(?P<name>[a-z][a-z-]*)(?![a-z-]|\.[a-z])")
"""Options as they stand in sentences, not Filebeat's `--path.data=`."""
PROSE = {"board", "opened"}
"""Words after the name of the program that are no command: in a hash, and in a lock file."""
OF_OTHERS = {
    "engine/api/documentation.py": {"get", "data-urlencode"},
    "engine/runtime/process.py": {"init"},
    "engine/sources/filebeat/process.py": {"path"},
    "engine/sources/formats.py": {"to-stdout"},
}
"""Options of other programs: `curl` in examples, `docker run`, Filebeat, what unpacks archives."""


def texts() -> Iterator[tuple[str, int, str]]:
    """File, line and text of each string of the program that is no docstring; `{}` for a value."""
    for path in sorted([*(ROOT / "engine").rglob("*.py"), *(ROOT / "cli").rglob("*.py")]):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inner = {
            id(value)
            for node in ast.walk(tree)
            for value in (
                [node.value]
                if isinstance(node, ast.Expr)
                else node.values
                if isinstance(node, ast.JoinedStr)
                else []
            )
        }
        for node in ast.walk(tree):
            name = path.relative_to(ROOT).as_posix()
            if isinstance(node, ast.JoinedStr):
                parts = [v.value if isinstance(v, ast.Constant) else "{}" for v in node.values]
                yield name, node.lineno, "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and id(node) not in inner:
                yield name, node.lineno, node.value if isinstance(node.value, str) else ""


def test_commands_and_options_that_are_named_exist() -> None:
    """Every `offspot-metrics WORD` and `--option` in a text of the program is one of Typer's."""
    commands = cli_docs.commands()
    options = {
        option.lstrip("-")
        for command in commands.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    } | {"help", "version", "json", "install-completion", "show-completion"}
    found = list(texts())
    named = {(where, line, m["word"]) for where, line, t in found for m in COMMAND.finditer(t)}
    missing = {at for at in named if at[2] not in commands and at[2] not in PROSE}
    used = {(where, line, m["name"]) for where, line, t in found for m in OPTION.finditer(t)}
    missing |= {at for at in used if at[2] not in options | OF_OTHERS.get(at[0], set())}
    assert missing == set()
    assert {name for _, _, name in used} >= {"database", "packages", "port"}, "it finds them"
