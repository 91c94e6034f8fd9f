"""`make man`: the page renders without a warning, and nothing of the program is missing in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli.meanings import EXIT_CODES
from engine.settings import SETTINGS
from tools import command_line

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, as `make man` writes it."""
    folder = tmp_path_factory.mktemp("man")
    subprocess.run(
        [sys.executable, ROOT / "tools/make_man.py", folder],
        check=True,
        env=os.environ | {"SOURCE_DATE_EPOCH": "1700000000"},
    )
    return folder / "man/offspot-metrics.1"


@pytest.fixture(scope="module")
def rendered(page: Path) -> str:
    """What a reader sees, in one line."""
    done = subprocess.run(
        ["/usr/bin/man", "--local-file", page],
        capture_output=True,
        text=True,
        check=True,
        env={"MANWIDTH": "100", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )
    assert done.stderr == ""
    return " ".join(done.stdout.split())


def test_it_renders_without_a_warning(page: Path) -> None:
    """By groff with all its warnings, and by mandoc with its rules of style."""
    command = ["groff", "-man", "-ww", "-z", "-Tutf8", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    done = subprocess.run(
        ["mandoc", "-T", "lint", str(page)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_command_and_option_is_in_it(rendered: str) -> None:
    """With its help."""
    for option in command_line.global_options():
        assert ", ".join(option.names) in rendered
    for command in command_line.commands():
        assert f" offspot-metrics {command.name} [OPTION]..." in rendered
        assert command.summary in rendered
        for option in command.options:
            names = ", ".join(f"{name} {option.value}".strip() for name in option.names)
            assert f" {names} " in rendered
            assert " ".join(option.text.replace("`", "").split()) in rendered


def test_every_variable_and_exit_code_is_in_it(rendered: str) -> None:
    """Under their headings, in order."""
    environment = rendered.partition(" ENVIRONMENT ")[2].partition(" FILES ")[0]
    names = [one.variable for one in SETTINGS.values() if one.variable]
    assert [name for name in re.findall(r"[A-Z]+(?:_[A-Z]+)*", environment) if name in names] == (
        names
    )
    assert not re.search(r"[\[\]`]|\*ours", environment), "Markdown is left in it"
    codes = rendered.partition(" EXIT STATUS ")[2].partition(" SIGNALS ")[0]
    assert [int(code) for code in re.findall(r"\b(\d+)(?= [A-Z])", codes)] == list(EXIT_CODES)


def test_the_date_is_that_of_the_source(page: Path) -> None:
    """The same sources make the same page: the date is never that of the build."""
    assert '"2023-11-14" "offspot-metrics ' in page.read_text(encoding="utf-8")


def test_the_options_are_those_of_the_program() -> None:
    """The model that page and completions are made from has all that the parser takes."""
    from tools.cli_docs import commands

    parsed = {
        name: {opt for one in command.params for opt in one.opts if opt.startswith("-")}
        for name, command in commands().items()
    }
    listed = {
        command.name: {name for option in command.options for name in option.names}
        for command in command_line.commands()
    }
    assert listed == {name: options - {"--help", "-h"} for name, options in parsed.items()}
