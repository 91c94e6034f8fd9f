"""On a terminal there are colours, a bar and tables side by side; nowhere else."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path
from typing import Any

import pytest

from tests.cli.cases import Program, visits, write

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def in_terminal(
    program: Program, *arguments: object, columns: int = 100, **environment: str
) -> tuple[int, str]:
    """Run a command in a terminal of its own. Its exit code, and all that it wrote there."""
    main, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    child = subprocess.Popen(
        program.command(*arguments),
        stdin=end,
        stdout=end,
        stderr=end,
        env=program.environment | {"TERM": "xterm-256color"} | environment,
    )
    os.close(end)
    written = b""
    while True:
        try:
            data = os.read(main, 65536)
        except OSError:  # the last one has closed it
            break
        if not data:
            break
        written += data
    os.close(main)
    return child.wait(timeout=30), written.decode("utf-8")


@pytest.fixture
def log(place: Path) -> Path:
    """A log of a day."""
    return write(place, log__json=visits(0, 1440) + visits(5, 9, name="ants_en"))[0]


def test_replay_shows_a_bar_and_takes_it_away(program: Program, packages: Path, log: Path) -> None:
    """Bytes, lines per second and the time left; then the figures, in two tables side by side."""
    code, seen = in_terminal(program, "replay", "--packages", packages, log)
    assert code == 0
    plain = COLOUR.sub("", seen)
    assert "Counting" in plain
    assert re.search(r"/[\d.]+ [kM]?B", plain)
    assert "lines/s" in plain
    assert "left" in plain
    assert "\x1b[2K" in seen  # the bar's line is cleared
    assert re.search(r"#\s+Most visited\s+Visits\s+#\s+Most used\s+Time in use", plain)
    assert re.search(r"1\s+Bees\s+1,440\s+1\s+Bees\s+24 h 00 min", plain)
    assert COLOUR.search(seen)


def test_tables_are_below_each_other_in_a_narrow_terminal(
    program: Program, packages: Path, log: Path
) -> None:
    """Nothing is cut on a screen of 40 columns."""
    _, seen = in_terminal(program, "replay", "-q", "--packages", packages, log, columns=40)
    plain = COLOUR.sub("", seen)
    assert re.search(r"1\s+Bees\s+1,440\s*\r\n", plain)
    assert re.search(r"1\s+Bees\s+24 h 00 min\s*\r\n", plain)


def test_quiet_shows_no_bar(program: Program, packages: Path, log: Path) -> None:
    """For those who watch something else."""
    _, seen = in_terminal(program, "replay", "--quiet", "--packages", packages, log)
    assert "Counting" not in seen
    assert "lines/s" not in seen


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_where_none_is_wanted(
    program: Program, packages: Path, log: Path, variable: dict[str, Any]
) -> None:
    """NO_COLOR, and terminals that cannot."""
    options = ["--packages", packages, "--logs", log.parent, "--pattern", "log*.json"]
    for arguments in (
        ["replay", "-q", "--packages", packages, log],
        ["doctor", *options, "--database", log.parent / "m.db"],
        ["--help"],
    ):
        _, seen = in_terminal(program, *arguments, **variable)
        coloured = [code for code in COLOUR.findall(seen) if re.search(r"[349][0-7]", code)]
        assert coloured == [], arguments


def test_help_is_drawn_on_a_terminal(program: Program) -> None:
    """In boxes, one per group of options."""
    code, seen = in_terminal(program, "serve", "--help")
    assert code == 0
    for heading in ("What is read", "What is kept", "The dashboard"):
        assert f"─ {heading} ─" in COLOUR.sub("", seen)


def test_doctor_fits_a_terminal(program: Program, packages: Path, log: Path) -> None:
    """States in colour, lines cut with an ellipsis, nothing wider than the screen."""
    options = ["--packages", packages, "--logs", log.parent, "--pattern", "log*.json"]
    database = log.parent / "m.db"
    code, seen = in_terminal(program, "doctor", *options, "--database", database, columns=80)
    assert code == 0
    assert "\x1b[32mok" in seen
    assert all(len(line) <= 80 for line in COLOUR.sub("", seen).split("\r\n"))


def test_errors_are_two_plain_lines_on_a_terminal_too(program: Program) -> None:
    """What, and what to do: no box around it."""
    code, seen = in_terminal(program, "kpsi")
    assert code == 2
    assert seen.replace("\r", "") == (
        "offspot-metrics: No such command 'kpsi'. Did you mean 'kpis'?\n"
        "  try: offspot-metrics --help\n"
    )
