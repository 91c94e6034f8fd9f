"""The command line: arguments to a configuration, an engine call, printed text, an exit code.

One file per command. Only here do errors become exit codes. Each command loads what it needs
when it runs, so that one that needs little starts quickly.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from engine import errors
from engine.names import displayable

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


def say(text: str) -> None:
    """Lines on standard error, also when nobody reads them any more.

    Names of files are in them: what would move the cursor or turn the text around is escaped.
    """
    with suppress(OSError, ValueError):
        print(displayable(text, lines=True), file=sys.stderr, flush=True)


def say_error(error: errors.MetricsError) -> None:
    """What happened, why, and what to do, on standard error."""
    lines = error.message.split("\n")
    say("\n".join(f"offspot-metrics: {line}" for line in lines))
    if error.hint:
        say(f"  {error.hint}" if error.hint.startswith("see ") else f"  try: {error.hint}")


def run(arguments: list[str]) -> int:
    """Run a command. Its exit code."""
    sys.stdout = sys.stdout or _nowhere()  # None: it was closed
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):  # titles in any script, whatever the locale
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    code = _run_safely(arguments)
    for stream in (sys.stdout, sys.stderr):  # or the interpreter finds out at its end, with 120
        try:
            stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if stream is sys.stdout and not code and not isinstance(error, BrokenPipeError):
                say(f"offspot-metrics: standard output: {error.strerror}")
                code = os.EX_IOERR
    gc.freeze()  # the process ends: a search for garbage in all its modules takes a tenth of `kpis`
    return code


def _nowhere() -> io.TextIOBase:
    return Path(os.devnull).open("w", encoding="utf-8")


def _run_safely(arguments: list[str]) -> int:
    try:
        result = _run(arguments)
    except errors.MetricsError as error:
        say_error(error)
        return exit_code_of(error)
    except KeyboardInterrupt:
        result = INTERRUPTED
    except (OSError, RuntimeError) as error:
        if errors.is_no_thread(error):
            say_error(errors.no_thread())
            return os.EX_SOFTWARE
        if not isinstance(error, OSError):
            raise
        name = "" if error.filename is None else f"{error.filename}: "
        say(f"offspot-metrics: {displayable(name)}{error.strerror or error}")
        return os.EX_IOERR
    except MemoryError:
        say("offspot-metrics: out of memory\n  try: fewer --jobs, or smaller files")
        return 1
    if result == INTERRUPTED:
        say("offspot-metrics: interrupted; what was saved before stays, nothing is half done")
    return result


def _run(arguments: list[str]) -> int:
    from typer import Abort, TyperException

    from cli.app import make_app

    try:
        result = make_app()(args=arguments, prog_name="offspot-metrics", standalone_mode=False)
    except TyperException as error:  # every wrong use of the command line
        say(f"offspot-metrics: {error.format_message()}")
        context = getattr(error, "ctx", None)
        say(f"  try: {context.command_path if context else 'offspot-metrics'} --help")
        return error.exit_code
    except Abort:
        return INTERRUPTED
    except SystemExit as leave:
        result = leave.code
    return result if isinstance(result, int) else 0
