"""Opens files for reading that are files, whatever is at their path."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class NotRegularFile(OSError):
    """A folder (`errno` is EISDIR), a pipe, a socket or a device is at the path."""


def open_regular(path: Path | str, *, follow: bool = True, buffering: int = -1) -> BinaryIO:
    """Open a regular file; with `follow` false, no symbolic link to one (ELOOP).

    A pipe is not waited for. Raises NotRegularFile, and OSError or ValueError as `open` does.
    """
    try:
        descriptor = os.open(path, _FLAGS | (0 if follow else os.O_NOFOLLOW))
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENODEV):  # a socket, or a device that is not there
            raise _not_regular(path, errno.EINVAL) from error
        raise
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb", buffering)
    os.close(descriptor)
    raise _not_regular(path, errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL)


def _not_regular(path: Path | str, number: int) -> NotRegularFile:
    text = os.strerror(number) if number == errno.EISDIR else "Not a regular file"
    return NotRegularFile(number, text, str(path))
