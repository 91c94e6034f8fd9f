"""All errors that a user may see: each has a message, and a hint about what to do.

Only `cli/` turns them into exit codes, only `engine/api/` into HTTP. A bad log line is never an
error: it is a counted fate (`FATES` in `engine/inputs/model.py`).

    MetricsError
    ├── UsageError            options or arguments that make no sense
    ├── ConfigError           configuration or packages file that cannot be used
    ├── InputMissing          a missing log, folder or database
    ├── InputUnreadable       it exists, but may not be read
    ├── InputDamaged          it exists, but its content is broken
    ├── AlreadyCounted        a piece of logs that were counted before
    ├── ReaderUnavailable     Filebeat is required and cannot be run
    ├── StorageError          reading or writing failed (disk full, I/O)
    │   └── DatabaseDamaged   the file is no valid SQLite database
    ├── DatabaseForeign       not ours, or made by a newer version
    ├── Busy                  another instance or a lock
    ├── AddressInUse          the HTTP port cannot be had
    └── ThreadDied            a part of `serve` ended that must not end
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

from engine.text import displayable


class MetricsError(Exception):
    """What happened (`message`) and what to do about it (`hint`, may be empty).

    Both may have names of files in them: what cannot be printed is escaped, newlines too; several
    problems are given as several messages, and become one line each.
    """

    def __init__(self, message: str | Sequence[str], hint: str = "") -> None:
        messages = [message] if isinstance(message, str) else message
        self.message = "\n".join(map(displayable, messages))
        self.hint = displayable(hint)
        super().__init__(self.message)


class UsageError(MetricsError):
    """Options or arguments that make no sense."""


class ConfigError(MetricsError):
    """Configuration or packages file that cannot be used."""


class InputMissing(MetricsError):
    """A log, a folder or a database that is not there."""


class InputUnreadable(MetricsError):
    """It is there, and this user may not read it."""


class InputDamaged(MetricsError):
    """It is there, and its content is broken."""


class AlreadyCounted(MetricsError):
    """A log that must be a piece of others which were counted before."""


class ReaderUnavailable(MetricsError):
    """Filebeat is required and cannot be run."""


class StorageError(MetricsError):
    """Reading or writing failed: disk full, read-only, input/output error."""


class DatabaseDamaged(StorageError):
    """The file is no valid SQLite database."""


class DatabaseForeign(MetricsError):
    """The database is of another program, or of a newer version of this one."""


class Busy(MetricsError):
    """Another instance runs on this database, or somebody holds its lock."""


class AddressInUse(MetricsError):
    """The HTTP address cannot be had."""


class ThreadDied(MetricsError):
    """A part of `serve` ended that must not end."""


def is_no_thread(error: BaseException | None) -> bool:
    """Whether an error means that the system gives us no more threads or processes."""
    if isinstance(error, OSError):
        return error.errno == errno.EAGAIN
    return isinstance(error, RuntimeError) and "start new thread" in str(error)


def no_thread(name: str = "") -> ThreadDied:
    """The error for a thread (or a process) that could not be started."""
    what = f"the {name} thread" if name else "a thread or process"
    return ThreadDied(
        f"{what} cannot be started: this user or container has as many as it may have",
        "allow more: ulimit -u, TasksMax= of systemd, the pids limit of the container; if there "
        "are few, the container engine is too old: update it, or start the "
        "container without its profile (security_opt: seccomp=unconfined)",
    )


def is_refused_call(error: OSError) -> bool:
    """Whether a system call failed that is about no file: a profile may refuse it."""
    return error.filename is None and error.errno in (errno.EPERM, errno.ENOSYS)


def refused_call(error: OSError) -> MetricsError:
    """The error for a system call that is refused."""
    return MetricsError(
        f"the system refuses what the program needs: {error.strerror}",
        "in a container, the engine's profile may be too old: update the engine, or start the "
        "container without it (security_opt: seccomp=unconfined)",
    )
