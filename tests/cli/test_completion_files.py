"""The completions that a package installs, in the shells themselves: a person types, and Tab."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools import command_line
from tools.cli_docs import commands

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 20.0
TOP = {name.split()[0] for name in commands()}
Complete = Callable[[str], set[str]]


class Shell:
    """A shell with a terminal of its own, wide enough for every list."""

    def __init__(self, command: list[str], setup: str, insert_all: bytes, folder: Path) -> None:
        self.insert_all = insert_all
        self.terminal, inner = pty.openpty()
        self.child = subprocess.Popen(
            command,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "TERM": "dumb"},
            start_new_session=True,
        )
        os.close(inner)
        self.send(f"stty -echo columns 4000; PS1=; {setup}; echo RE''ADY\n".encode())
        self.read_until("READY")

    def send(self, keys: bytes) -> None:
        os.write(self.terminal, keys)

    def read_until(self, end: str) -> str:
        text, deadline = "", time.monotonic() + SECONDS
        while end not in text:
            assert select.select([self.terminal], [], [], deadline - time.monotonic())[0], text
            text += os.read(self.terminal, 65536).decode()
        return text

    def complete(self, line: str) -> set[str]:
        """All that is offered at the end of the line: inserted, and then printed as words."""
        before, _, begun = line.rpartition(" ")
        self.send(line.encode() + self.insert_all + b"\x01echo BEG''IN \x05 'E'ND\n")
        text = self.read_until("END\r\n").rpartition("BEGIN ")[2].partition(" END")[0]
        assert text.startswith(before), text
        return {word.rstrip("/") for word in text.removeprefix(before).split()} - {begun}

    def close(self) -> None:
        self.child.kill()
        self.child.wait()
        os.close(self.terminal)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the completions, as `make man` writes it."""
    folder = tmp_path_factory.mktemp("completions")
    subprocess.run([sys.executable, ROOT / "tools/make_man.py", folder], check=True)
    return folder / "completions"


@pytest.fixture(params=["bash", "zsh", "fish"])
def complete(request: pytest.FixtureRequest, files: Path, tmp_path: Path) -> Iterator[Complete]:
    """What a shell offers for a line, in a folder with a file and a folder."""
    shell = str(request.param)
    program = shutil.which(shell)
    assert program, f"{shell} is not installed: make packages"
    (tmp_path / "one.log").touch()
    (tmp_path / "folder").mkdir()
    if shell == "fish":
        yield lambda line: fish(program, files, line, tmp_path)
        return
    if shell == "bash":
        command = [program, "--norc", "--noprofile", "-i"]
        started = Shell(command, f". {files}/offspot-metrics", b"\x1b*", tmp_path)
    else:
        setup = (
            f"fpath=({files} $fpath); autoload -Uz compinit; compinit -D; "
            "zle -C every complete-word _generic; bindkey -e; "
            "bindkey '^Xa' every; zstyle ':completion:every:*' insert yes; "
            "zstyle ':completion:every::::' completer _all_matches _complete"
        )
        started = Shell([program, "-f", "-i"], setup, b"\x18a", tmp_path)
    yield started.complete
    started.close()


def fish(program: str, files: Path, line: str, folder: Path) -> set[str]:
    """What fish offers; it can say so without a terminal."""
    done = subprocess.run(
        [
            program,
            "--no-config",
            "-c",
            f"source {files}/offspot-metrics.fish; complete -C '{line}'",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        timeout=SECONDS,
    )
    assert done.stderr == ""
    return {row.partition("\t")[0].rstrip("/") for row in done.stdout.splitlines()}


def test_commands(complete: Complete) -> None:
    """All of them, and those that begin so."""
    assert complete("offspot-metrics ") >= TOP
    assert complete("offspot-metrics rep") == {"replay", "report"}
    assert complete("offspot-metrics config ") == {"show"}


def test_every_option_of_every_command(complete: Complete) -> None:
    """Those of the parser, neither more nor fewer."""
    for name, command in commands().items():
        long = {opt for one in command.params for opt in one.opts if opt.startswith("--")}
        offered = {word.rstrip("=") for word in complete(f"offspot-metrics {name} --")}
        assert offered == long | {"--help"}, name


def test_values(complete: Complete) -> None:
    """Of each option that takes one of a few words; the same option may differ by command."""
    for command in command_line.commands():
        for option in command.options:
            if option.words:
                line = f"offspot-metrics {command.name} {option.names[0]} "
                assert complete(line) == set(option.words), line
    assert complete("offspot-metrics kpis --period this-") == {
        "this-week",
        "this-month",
        "this-year",
    }


def test_a_value_in_the_same_word(complete: Complete) -> None:
    """After an equals sign."""
    assert complete("offspot-metrics kpis --format=j") == {"--format=json"}


def test_files_and_folders(complete: Complete) -> None:
    """Where one is expected, and nowhere else."""
    assert complete("offspot-metrics replay ") >= {"one.log"}
    assert complete("offspot-metrics serve --packages ") >= {"one.log", "folder"}
    assert complete("offspot-metrics serve --logs f") == {"folder"}
    assert "one.log" not in complete("offspot-metrics serve --logs ")
    assert complete("offspot-metrics serve --port ") == set()
