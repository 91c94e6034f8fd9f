"""The page about the command line says what the program does."""

from __future__ import annotations

import re
from pathlib import Path

from cli import meanings
from cli.messages import EXIT_CODES, INTERRUPTED
from engine.inputs.model import FATES
from engine.settings import SETTINGS
from tools import cli_docs

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")


def test_the_tables_are_current() -> None:
    """Made from the table of settings by `tools/cli_docs.py`, here and in configuration.md."""
    for _, text, current in cli_docs.pages():
        assert text == current


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
    codes = {code for _, code in EXIT_CODES} | {0, 1, INTERRUPTED}
    assert codes == set(meanings.EXIT_CODES)
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.M)}
    assert codes == listed


def test_every_fate_is_in_it() -> None:
    """With the words that `replay` uses too."""
    assert list(meanings.FATES) == list(FATES)
    listed = re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.M)
    assert [name for name in listed if name in FATES] == list(FATES)


def test_every_variable_is_described() -> None:
    """Each that the configuration reads has its row, and no other."""
    described = re.findall(r"^\| `([A-Z_]+)` \|", CONFIGURATION, re.M)
    assert described == [one.variable for one in SETTINGS.values() if one.variable]
