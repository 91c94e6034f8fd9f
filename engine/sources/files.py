"""Opens a log, or standard input; content decides how it is compressed, not its name."""

from __future__ import annotations

import errno
import io
import os
import shlex
import stat
import sys
from typing import BinaryIO, Final

from engine.errors import InputDamaged, InputMissing, InputUnreadable
from engine.regular_file import NotRegularFile, open_regular
from engine.sources.content import STANDARD_INPUT, Content, PipeContent, Steps, result_of
from engine.sources.formats import (
    GZIP,
    HEAD_BYTES,
    Format,
    command_of,
    format_of,
    kinds_in_words,
)
from engine.sources.gzipped import GzipContent
from engine.sources.lines import BLOCK_BYTES

_STANDARD_INPUT_NAME: Final = "standard input"


def open_content(path: str) -> Content:
    """Open a log (`-`: standard input) for reading.

    Raises InputMissing, InputUnreadable, InputDamaged (neither a log nor a gzip file of one).
    """
    return result_of(opening(path))


def opening(path: str) -> Steps[Content]:
    """The same in steps."""
    if path == STANDARD_INPUT:
        name = _STANDARD_INPUT_NAME
        if sys.stdin is None:  # another file may have its number by now
            raise InputMissing(f"{name} is closed", "pipe a log into it, or name files")
        # A copy of the descriptor: it may be named twice.
        file: BinaryIO = os.fdopen(os.dup(0), "rb", buffering=BLOCK_BYTES)
    else:
        name = path
        file = _open_file(path)
    try:
        content = yield from _content_of(file, name)
    except OSError as error:
        file.close()
        raise InputDamaged(
            f"{name} cannot be read: {error.strerror or error}", "copy it again, and try that"
        ) from error
    except InputDamaged:
        file.close()
        raise
    if path != STANDARD_INPUT and not content.compressed:
        content.path = path
    return content


def _content_of(file: BinaryIO, name: str) -> Steps[Content]:
    """The content of a file; its first bytes, and the first compressed ones, tell the format."""
    assert isinstance(file, io.BufferedReader)
    regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    head = file.peek(HEAD_BYTES)[:HEAD_BYTES] if regular else file.read(HEAD_BYTES)
    kind = format_of(head)
    if kind is None:
        return Content(file, name) if regular else PipeContent(file, name, head)
    if kind is not GZIP:
        raise NotGzip(name, [kind])
    content = GzipContent(file, name, b"" if regular else head)
    inner = format_of((yield from content.peeking(HEAD_BYTES)))
    if inner is not None:
        raise NotGzip(name, [kind, inner])
    return content


class NotGzip(InputDamaged):
    """What a file is packed with is not read; `layers` from the outside in."""

    def __init__(self, name: str, layers: list[Format]) -> None:
        path = "FILE" if name == _STANDARD_INPUT_NAME else shlex.quote(name)
        super().__init__(
            f"{name} is packed with {kinds_in_words(layers)}, which is not read",
            f"unpack it on the way: {command_of(layers, path)} | offspot-metrics replay -",
        )
        self.layers = layers


def _open_file(path: str) -> BinaryIO:
    try:
        return open_regular(path, buffering=BLOCK_BYTES)
    except NotRegularFile as error:
        if error.errno == errno.EISDIR:
            raise InputMissing(
                f"{path} is a folder", f"name the log files in it: {path.rstrip('/')}/*.json*"
            ) from error
        raise InputMissing(
            f"{path} is not a regular file", "name a log file, or - for a pipe"
        ) from error
    except PermissionError as error:
        raise InputUnreadable(
            f"{path} may not be read",
            "Caddy 2.9 and later write logs for root only: run as root, or set Caddy's log mode",
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputMissing(f"{path}: {reason}", "check the name of the log file") from error
