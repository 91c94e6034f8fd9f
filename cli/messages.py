"""Messages on standard error, and the exit code that each error stands for."""

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


def print_lines(text: str) -> None:
    """Lines on standard error, also when nobody reads them any more.

    Names of files are in them: what would move the cursor or turn the text around is escaped.
    """
    with suppress(OSError, ValueError):
        print(displayable(text, lines=True), file=sys.stderr, flush=True)


def print_message(text: str) -> None:
    """A message of the program: each line begins with its name."""
    print_lines("\n".join(f"offspot-metrics: {line}" for line in text.split("\n")))


def print_hint(hint: str) -> None:
    """What to do, below a message."""
    print_lines(f"  {hint}" if hint.startswith("see ") else f"  try: {hint}")


def print_error(error: errors.MetricsError) -> None:
    """What happened, why, and what to do."""
    print_message(error.message)
    if error.hint:
        print_hint(error.hint)
