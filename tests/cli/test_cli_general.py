"""What every command has in common: help, versions, errors, exit codes, locales, completion."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.version import __version__
from lab.processes import Child, wait_until
from tests.cli.cases import Program, Result, invoke, visits, write

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    *("serve", "demo", "replay", "kpis", "records", "report", "backup", "restore", "import"),
    *("doctor", "healthcheck", "config"),
)


def test_the_version_is_printed_without_loading_anything() -> None:
    """Scripts run it: no Typer, no command, nothing of the engine but the version."""
    code = (
        "import sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1]);"
        "import offspot_metrics; offspot_metrics.main(['--version']);"
        "print(sorted(set(sys.modules) - before - {'__future__'}))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, str(ROOT)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        f"offspot-metrics {__version__}",
        "['engine', 'engine.version', 'offspot_metrics']",
    ]


def test_the_version_is_printed_at_once() -> None:
    """As the program starts, with signals handled: typing and re alone would double its time."""
    command = [sys.executable, "-S", "-X", "importtime", str(ROOT / "offspot_metrics.py")]
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "signal" in loaded
    assert not loaded & {"typing", "re", "pathlib", "typer"}


def test_the_version_is_understood_among_other_things() -> None:
    """`--version` with a command is answered too."""
    result = invoke("--version", "serve")
    assert (result.code, result.out) == (0, f"offspot-metrics {__version__}\n")


def test_the_versions_as_json(program: Program, tmp_path: Path) -> None:
    """Of the program, Python and SQLite, and how it was installed; in any order."""
    expected = {
        "version": __version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "sqlite": sqlite3.sqlite_version,
        "installed": "source",
    }
    assert invoke("--version", "--json").json == expected
    assert invoke("--json", "--version").json == expected
    assert program.run("--version", "--json").json["installed"] == "zipapp"
    place = tmp_path / "lib/python3/site-packages"
    for folder in ("cli", "engine"):
        shutil.copytree(ROOT / folder, place / folder)
    shutil.copy2(ROOT / "offspot_metrics.py", place)
    done = subprocess.run(
        [sys.executable, "-m", "offspot_metrics", "--version", "--json"],
        capture_output=True,
        check=True,
        cwd=place,
    )
    assert json.loads(done.stdout) == expected | {"installed": "package"}


@pytest.mark.parametrize("arguments", [["--json"], ["--json", "kpis"]])
def test_json_alone_is_wrong_usage(arguments: list[str]) -> None:
    """It says how `--version` answers; commands have `--format`."""
    invoke(*arguments).failed(2, "", "--help")


def test_help_names_every_command() -> None:
    """With one sentence each, none of them cut."""
    result = invoke("--help")
    assert result.code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in result.out
    assert "..." not in result.out.replace("COMMAND [ARGS]...", "")
    assert invoke("-h").out == result.out


def test_nothing_asked_shows_the_help() -> None:
    """Wrong usage, and what would be right."""
    result = invoke()
    assert result.code == 2
    assert "Usage: offspot-metrics" in result.out + result.err


@pytest.mark.parametrize("command", [*COMMANDS[:-1], "config show"])
def test_help_of_a_command_is_in_groups(command: str) -> None:
    """Plain text where there is no terminal: no colour, no drawing."""
    result = invoke(*command.split(), "--help")
    assert result.code == 0
    assert f"Usage: offspot-metrics {command}" in result.out
    assert "\nWhat is " in result.out
    assert result.out.isascii()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["kpsi"], "Did you mean 'kpis'?"),
        (["serv"], "Did you mean 'serve'?"),
        (["frobnicate"], "No such command 'frobnicate'"),
        (["replay", "--job", "2", "x"], "--jobs"),
        (["replay", "--jobs", "many", "x"], "'many'"),
        (["replay", "--jobs", "-1", "x"], "-1"),
        (["replay", "--idle-gap", "1441", "x"], "1441"),
        (["replay", "--format", "xml", "x"], "'xml'"),
        (["doctor", "--format", "csv"], "'csv'"),
        (["doctor", "--lines", "all"], "'all'"),
        (["kpis", "--period"], "--period"),
        (["kpis", "today"], "today"),
        (["--debug"], "--debug"),
    ],
)
def test_wrong_usage_is_2_and_says_where_help_is(arguments: list[str], words: str) -> None:
    """One line of what is wrong, one of what to do."""
    result = invoke(*arguments)
    result.failed(2, words, "--help")
    assert result.out == ""
    assert len(result.err.splitlines()) == 2


def test_any_locale_will_do(program: Program, place: Path) -> None:
    """Under LANG=C, and in an empty environment, titles come out in UTF-8."""
    text = "packages:\n  - {kind: zim, title: ويكي 日本 é, url: //lib.box/viewer#bees_en}\n"
    path, log = write(place, packages__yml=text, log__json=visits(600, 1))
    locales: list[dict[str, Any]] = [{"LANG": "C"}, {"LC_ALL": "POSIX"}, {}]
    for locale in locales:
        options = ("replay", "--packages", path, log, "--format")
        for result in program.run_each(
            [(*options, how) for how in ("table", "csv", "json")], **locale
        ):
            assert result.code == 0, result.err
            assert "ويكي 日本 é" in result.out


def test_a_reader_that_goes_away_stops_nothing(program: Program, packages: Path) -> None:
    """`| head -1` is not an error, and a database is written to the end."""
    log = visits(0, 600, day="2026-01-01") + visits(0, 600)
    (path,) = write(program.home, log__json=log)
    database = program.home / "m.db"
    command = program.command("replay", "--packages", packages, "--database", database, path)
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=program.environment
    )
    assert child.stdout is not None
    child.stdout.close()
    _, said = child.communicate(timeout=60)
    assert child.returncode == 0, said
    assert b"Broken" not in said
    assert b"Exception" not in said
    kpis = program.run("kpis", "--database", database, "--period", "2026", "--format", "csv")
    assert ',"totalVisits",1200' in kpis.out


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["kpis", "--help"]])
def test_an_output_that_is_full_is_an_error(program: Program, arguments: list[str]) -> None:
    """74, whatever was to be written; one that is closed is nobody's loss."""
    command = shlex.join(program.command(*arguments))
    for redirection, code in ((">/dev/full", 74), (">&-", 0), ("2>&-", 0), ("2>/dev/full", 0)):
        done = subprocess.run(
            ["/bin/sh", "-c", f"{command} {redirection}"],
            capture_output=True,
            env=program.environment,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, (redirection, done.stderr)
        is_explained = code == 74 and arguments != ["--version"]  # which loads nothing else
        assert (b"No space left on device\n  try: make room" in done.stderr) is is_explained
        assert b"Traceback" not in done.stderr
        assert b"Exception" not in done.stderr


def test_figures_that_do_not_fit_are_an_error(program: Program, place: Path) -> None:
    """Which output it was, and what to do."""
    packages, log = write(place, packages__yml="packages: []", log__json=visits(0, 2))
    command = shlex.join(program.command("replay", "-q", "--packages", packages, log))
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} >/dev/full"],
        capture_output=True,
        env=program.environment,
        text=True,
        timeout=60,
        check=False,
    )
    Result(done.returncode, "", done.stderr).failed(74, "standard output: No space left on device")


def test_an_error_keeps_its_code_when_nobody_can_be_told(program: Program) -> None:
    """66 for a database that is not there, with standard error closed or full."""
    command = shlex.join(program.command("kpis", "--database", "nope.db"))
    for redirection in ("2>&-", "2>/dev/full"):
        done = subprocess.run(
            ["/bin/sh", "-c", f"{command} {redirection}"],
            env=program.environment,
            cwd=program.home,
            timeout=60,
            check=False,
        )
        assert done.returncode == 66


class Counting:
    """A replay with two processes that count, in the middle of a long log."""

    def __init__(self, program: Program, packages: Path) -> None:
        self.day = visits(0, 1440)
        (path,) = write(program.home, log__json=self.day + b"not json\n" * 12_000_000)
        self.program = program
        database = program.home / "m.db"
        self.options = ["--jobs", "2", "--packages", packages, "--database", database, path]
        # Who runs the tests in the background may have told all children to ignore Ctrl-C.
        self.child = subprocess.Popen(
            ["env", "--default-signal=INT", *program.command("replay", *self.options)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=program.environment,
            start_new_session=True,
        )
        wait_until(lambda: len(self.workers()) == 2, "it counts", 30, Child(self.child))

    def workers(self) -> list[int]:
        """The processes that count."""
        path = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def ended(self) -> tuple[int, str]:
        """Exit code, and what it said."""
        _, said = self.child.communicate(timeout=60)
        return self.child.returncode, said.decode()

    def counted_later(self) -> bool:
        """Whether the log, cut to its first part, is counted whole into the same database."""
        write(self.program.home, log__json=self.day)
        again = self.program.run("replay", "-q", "--format", "csv", *self.options)
        return '"Y","2026",2001,"PackagePopularity","","totalVisits",1440\r' in again.out


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def test_ctrl_c_is_130_and_leaves_nothing_half_done(program: Program, packages: Path) -> None:
    """One line, no traceback, also of the processes that count; the file is counted later."""
    counting = Counting(program, packages)
    os.killpg(counting.child.pid, signal.SIGINT)  # as a terminal does: the whole group
    assert counting.ended() == (
        130,
        "offspot-metrics: interrupted; what was saved before stays, nothing is half done\n",
    )
    assert counting.counted_later()


def test_the_processes_that_count_end_with_the_one_that_started_them(
    program: Program, packages: Path
) -> None:
    """However suddenly it ends: none goes on, holding memory and the lock."""
    counting = Counting(program, packages)
    workers = counting.workers()
    counting.child.kill()
    assert counting.ended()[0] == -signal.SIGKILL
    wait_until(lambda: not any(map(runs, workers)), "an end", 30)
    assert counting.counted_later()


def test_a_process_that_is_ended_from_outside_is_said(program: Program, packages: Path) -> None:
    """Out of memory, most of the time: 70, with what to try, and nothing half done."""
    counting = Counting(program, packages)
    os.kill(counting.workers()[0], signal.SIGKILL)
    code, said = counting.ended()
    assert code == 70
    assert "was ended from outside" in said
    assert "--jobs" in said
    assert "Traceback" not in said
    assert counting.counted_later()


def test_serve_ends_in_order_by_a_signal(program: Program, packages: Path, place: Path) -> None:
    """SIGTERM and SIGINT alike: exit 0."""
    options = ["--packages", packages, "--logs", place, "--database", place / "m.db"]
    with program.serving(*options) as child:  # which ends it by SIGTERM and looks at the code
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=30) == 0


# ------------------------------------------------------------------- completion


def completed(program: Program, line: str) -> list[str]:
    """What the shell is offered at the end of a line."""
    result = program.run(
        _OFFSPOT_METRICS_COMPLETE="complete_bash",
        COMP_WORDS=line,
        COMP_CWORD=str(len(line.split(" ")) - 1),
    )
    return result.out.split()


def test_completion_knows_commands_options_and_values(program: Program) -> None:
    """From the archive under its own name."""
    assert set(completed(program, "offspot-metrics ")) == set(COMMANDS)
    assert completed(program, "offspot-metrics rep") == ["replay", "report"]
    assert completed(program, "offspot-metrics replay --jo") == ["--jobs"]
    assert completed(program, "offspot-metrics replay --format ") == ["table", "json", "csv"]
    assert completed(program, "offspot-metrics kpis --period this-") == [
        "this-week",
        "this-month",
        "this-year",
    ]
    assert completed(program, "offspot-metrics serve --reader f") == ["filebeat"]
    assert completed(program, "offspot-metrics config ") == ["show"]
    assert completed(program, "offspot-metrics config show --po") == ["--port"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown(program: Program, shell: str) -> None:
    """For those who install it themselves, whatever shell or program asks for it."""
    result = program.run("--show-completion", shell)
    assert result.code == 0, result.err
    assert f"_OFFSPOT_METRICS_COMPLETE=complete_{shell}" in result.out


def test_completion_for_an_unknown_shell(program: Program) -> None:
    """Wrong use, with the shells that there are."""
    result = program.run("--show-completion", "tcsh")
    assert result.code == 2
    assert "'bash', 'zsh', 'fish'" in result.err


def test_completion_is_installed_and_works(program: Program) -> None:
    """bash, from its own start to the completed word, with the archive in PATH."""
    python = program.command()[-4] if len(program.command()) > 3 else "python3"
    environment = program.environment | {
        "PATH": f"{program.path.parent}:{Path(python).parent}:/usr/bin:/bin",
        "SHELL": "/bin/bash",
    }
    script = (
        "offspot-metrics --install-completion bash >/dev/null || exit 3\n"
        "source ~/.bashrc\n"
        "COMP_WORDS=(offspot-metrics do); COMP_CWORD=1\n"
        "_offspot_metrics_completion offspot-metrics; echo ${COMPREPLY[@]}\n"
    )
    done = subprocess.run(
        ["/bin/bash", "--norc", "-c", script],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "doctor\n"), done.stderr
