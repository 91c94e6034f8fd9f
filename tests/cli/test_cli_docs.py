"""The page about the command line says what the program does."""

from __future__ import annotations

import re
from pathlib import Path

from cli import EXIT_CODES, words
from engine.inputs.model import FATES
from tools import cli_docs

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")


def test_its_tables_are_current() -> None:
    """Made from the declarations; `tools/cli_docs.py` makes them anew."""
    assert cli_docs.page(PAGE) == PAGE


def test_every_option_and_command_is_in_it() -> None:
    """None can be forgotten, for each command must have its place."""
    for name, command in cli_docs.commands().items():
        assert f"\n## {name}\n" in PAGE
        for parameter in command.params:
            if parameter.name != "help":
                names = [parameter.metavar] if not parameter.opts else parameter.opts
                assert any(f"`{each}" in PAGE for each in [*names, parameter.metavar]), names


def test_every_exit_code_is_in_it() -> None:
    """Scripts rely on them."""
    codes = {code for _, code in EXIT_CODES} | {0, 1, 130}
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.M)}
    assert codes == listed


def test_every_fate_is_in_it() -> None:
    """With the words that `replay` uses too."""
    assert list(words.FATES) == list(FATES)
    listed = re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.M)
    assert [name for name in listed if name in FATES] == list(FATES)


def test_every_variable_is_described() -> None:
    """Each that the configuration reads has its row, and no other."""
    source = (ROOT / "engine/settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'"([A-Z][A-Z_]+)"', source)) - {"UTC"}
    read -= {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "XDG_DATA_HOME"}
    read -= {"WARN", "FATAL", "NOTSET"}
    described = set(re.findall(r"^\| `([A-Z_]+)` \|", CONFIGURATION, re.M))
    assert described == read
