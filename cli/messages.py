"""Messages on standard error, and the exit code that each error stands for.

Those of `serve` are JSON, like its log, where `LOG_FORMAT` says so: also what it says before there
is a log, of settings that are wrong for instance.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Final

from engine import errors
from engine.text import displayable

EXIT_CODES: Final[tuple[tuple[type[errors.MetricsError], int], ...]] = (
    (errors.UsageError, 2),
    (errors.InputDamaged, os.EX_DATAERR),
    (errors.DatabaseDamaged, os.EX_DATAERR),
    (errors.InputMissing, os.EX_NOINPUT),
    (errors.ReaderUnavailable, os.EX_UNAVAILABLE),
    (errors.ThreadDied, os.EX_SOFTWARE),
    (errors.StorageError, os.EX_IOERR),
    (errors.Busy, os.EX_TEMPFAIL),
    (errors.InputUnreadable, os.EX_NOPERM),
    (errors.ConfigError, os.EX_CONFIG),
    (errors.DatabaseForeign, os.EX_CONFIG),
)
INTERRUPTED: Final = 130


def exit_code_of(error: errors.MetricsError) -> int:
    """The exit code that an error stands for; 1 for one that has none of its own."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)


class Format:
    """How messages are written: as lines of text, or as JSON. One for the process."""

    as_json = False

    @classmethod
    def choose(cls, arguments: list[str]) -> None:
        """Choose it for a command: JSON for `serve` when its log is to be JSON."""
        cls.as_json = False
        if arguments[:1] == ["serve"]:
            from engine.settings import SETTINGS

            given, _ = SETTINGS["log_format"].look_up({}, os.environ)
            cls.as_json = str(given).lower() == "json"


def print_lines(text: str, level: str = "INFO") -> None:
    """Lines on standard error, also when nobody reads them any more.

    Names of files are in them: what would move the cursor or turn the text around is escaped.
    """
    if Format.as_json:
        from engine.runtime.logs import json_line

        lines = json_line(level, text).decode()
    else:
        lines = displayable(text, lines=True) + "\n"
    with suppress(OSError, ValueError):
        sys.stderr.write(lines)
        sys.stderr.flush()


def print_message(text: str, level: str = "WARNING") -> None:
    """A message of the program: each line begins with its name, where it is text."""
    if not Format.as_json:
        text = "\n".join(f"offspot-metrics: {line}" for line in text.split("\n"))
    print_lines(text, level)


def print_hint(hint: str) -> None:
    """What to do, below a message."""
    print_lines(f"  {_way_out(hint)}")


def _way_out(hint: str) -> str:
    return hint if hint.startswith("see ") else f"try: {hint}"


def print_error(error: errors.MetricsError) -> None:
    """What happened, why, and what to do."""
    if Format.as_json:
        hint = f"\n{_way_out(error.hint)}" if error.hint else ""
        print_lines(error.message + hint, "ERROR")
        return
    print_message(error.message)
    if error.hint:
        print_hint(error.hint)
