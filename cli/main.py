"""Runs a command, and turns every way in which it may end into an exit code."""

from __future__ import annotations

import gc
import io
import os
import sys
from pathlib import Path

from cli.messages import (
    INTERRUPTED,
    Format,
    exit_code_of,
    print_error,
    print_message,
)
from engine import errors


def run(arguments: list[str]) -> int:
    """Run a command. Its exit code."""
    os.environ.pop("UNICODE_VERSION", None)  # the archive has Rich's newest table only
    sys.stdout = sys.stdout or _nowhere()  # None: it was closed
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):  # titles in any script, whatever the locale
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    Format.choose(arguments)
    code = _run_safely(arguments)
    for stream in (sys.stdout, sys.stderr):  # or the interpreter finds out at its end, with 120
        try:
            stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if stream is sys.stdout and not code and not isinstance(error, BrokenPipeError):
                print_error(_io_error(error, "standard output: "))
                code = os.EX_IOERR
    gc.freeze()  # the process ends: a search for garbage in all its modules takes a tenth of `kpis`
    return code


def _io_error(error: OSError, name: str) -> errors.MetricsError:
    """The error for one that nobody nearer to it has explained."""
    if errors.is_refused_call(error):
        return errors.refused_call(error)
    return errors.StorageError(
        f"{name}{error.strerror or error}",
        "make room on that disk if it is full, or write to another one; see also doctor",
    )


def _nowhere() -> io.TextIOBase:
    return Path(os.devnull).open("w", encoding="utf-8")


def _run_safely(arguments: list[str]) -> int:
    try:
        result = _run(arguments)
    except errors.MetricsError as error:
        print_error(error)
        return exit_code_of(error)
    except KeyboardInterrupt:
        result = INTERRUPTED
    except (OSError, RuntimeError) as error:
        if errors.is_no_thread(error):
            print_error(errors.no_thread())
            return os.EX_SOFTWARE
        if not isinstance(error, OSError):
            raise
        name = "" if error.filename is None else f"{error.filename}: "
        print_error(_io_error(error, name))
        return os.EX_IOERR
    except MemoryError:
        print_error(errors.MetricsError("out of memory", "fewer --jobs, or smaller files"))
        return 1
    if result == INTERRUPTED:
        print_message("interrupted; what was saved before stays, nothing is half done")
    return result


def _run(arguments: list[str]) -> int:
    from typer import Abort, TyperException

    from cli.app import make_app

    try:
        app = make_app(called=arguments[0] if arguments else "")
        result = app(args=arguments, prog_name="offspot-metrics", standalone_mode=False)
    except TyperException as error:  # every wrong use of the command line
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path if context else 'offspot-metrics'} --help"
        print_error(errors.UsageError(error.format_message(), hint))
        return error.exit_code
    except Abort:
        return INTERRUPTED
    except SystemExit as leave:
        result = leave.code
    return result if isinstance(result, int) else 0
