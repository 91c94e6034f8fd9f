"""Gives up the rights of root that the program does not need, by Linux's system calls.

In a container the program starts as root, as Caddy's logs may be readable by root only. If it has
the capability to read every file, it becomes another user and keeps only that one; if not, it stays
root, which may read root's own files, without any capability.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

READ_ALL_FILES: Final = 2
"""CAP_DAC_READ_SEARCH."""
SET_GROUP: Final = 6
SET_USER: Final = 7
SET_BOUNDS: Final = 8
BIND_LOW_PORTS: Final = 10
"""CAP_NET_BIND_SERVICE."""
OUR_USER: Final = 65532
"""Who owns the data folder and becomes the user of the program, unless a user owns it already."""

_KEPT: Final = (1 << READ_ALL_FILES) | (1 << BIND_LOW_PORTS)
_HIGHEST: Final = 63
_VERSION_3: Final = 0x20080522
_PR_SET_DUMPABLE: Final = 4
_PR_SET_KEEPCAPS: Final = 8
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_RAISE: Final = 2


def leave_root(environment: Mapping[str, str] = os.environ) -> None:
    """As root: become the user of the data folder if logs can be read as such, and keep only the
    capabilities to read every file and to bind a low port.

    The data folder becomes that of the user of the program. Never raises: what is refused is left
    as it is, with a line on standard error.
    """
    if os.geteuid() != 0:
        return
    try:
        system, has = _System(), _permitted()
        database = _database(environment)
        user = _own_data(database, _user_of(database.parent, has))
        _become(system, user, has)
    except (OSError, ImportError, AttributeError) as error:
        sys.stderr.write(f"WARNING: the rights of root could not be given up: {error}\n")


def keep_reading_only() -> None:
    """When the port is bound: give up the right to bind low ones, if all but it was given up.

    Before any thread starts, as each has its own. Full root stays as it is.
    """
    with suppress(OSError, ImportError, AttributeError):
        has = _permitted()
        if has & (1 << BIND_LOW_PORTS) and not has & ~_KEPT:
            _System().limit(has & (1 << READ_ALL_FILES))


def give_up_all() -> None:
    """Of a process that only waits for another one: as `keep_reading_only`, and nothing is left."""
    with suppress(OSError, ImportError, AttributeError):
        has = _permitted()
        if has and not has & ~_KEPT:
            _System().limit(0)


def _permitted() -> int:
    """The capabilities of this process, as bits."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapPrm:"):
            return int(line.split()[1], 16)
    return 0


def _database(environment: Mapping[str, str]) -> Path:
    """Where the database is or will be; what is wrong with it is for the command to report."""
    from engine.errors import MetricsError
    from engine.settings import SETTINGS
    from engine.settings.model import BadValue
    from engine.settings.values import find_database, read_database
    from engine.store.upstream.location import locate

    given, _ = SETTINGS["database"].look_up({}, environment)
    with suppress(BadValue, MetricsError):
        return locate(read_database(str(given)) if given else find_database(environment))[0]
    return find_database(environment)


def _user_of(folder: Path, has: int) -> int:
    """Who owns a folder, or us where root does or nobody yet; root where only root reads logs."""
    needed = (READ_ALL_FILES, SET_USER, SET_GROUP)
    if any(not has & (1 << one) for one in needed):
        return 0
    try:
        return folder.stat().st_uid or OUR_USER
    except OSError:
        return OUR_USER


def _own_data(database: Path, user: int) -> int:
    """Give the folder and the files of a database to a user. Root, if that is refused."""
    folder = database.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _own(folder, user, stat.S_ISDIR)
        files = [path for path in folder.iterdir() if path.name.startswith(database.name)]
    except OSError:  # of a file system without owners, or read-only
        return 0
    for path in files:
        with suppress(OSError):
            _own(path, user, lambda mode: stat.S_ISREG(mode) or stat.S_ISDIR(mode))
    return user


def _own(path: Path, user: int, is_right: Callable[[int], bool]) -> None:
    """Change the owner of a file or folder that is the only name of its kind, and no link."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        found = os.fstat(descriptor)
        is_single = stat.S_ISDIR(found.st_mode) or found.st_nlink == 1
        if found.st_uid != user and is_right(found.st_mode) and is_single:
            os.fchown(descriptor, user, user)
    finally:
        os.close(descriptor)


def _become(system: _System, user: int, has: int) -> None:
    """Become a user and keep two capabilities; Filebeat inherits that to read every file."""
    if has & (1 << SET_BOUNDS):
        for number in range(_HIGHEST + 1):
            if not _KEPT & (1 << number):
                with suppress(OSError):  # there are no more
                    system.control(_PR_CAPBSET_DROP, number)
    system.control(_PR_SET_KEEPCAPS, 1)
    system.limit(has)  # if that is refused, it must be noticed before root is left
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        system.limit(has & _KEPT)
        system.control(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, READ_ALL_FILES)
        system.control(_PR_SET_DUMPABLE, 1)  # or /proc/self is root's
    else:
        system.limit(has & _KEPT)
    system.control(_PR_SET_NO_NEW_PRIVS, 1)


class _System:
    """The system calls that Python has no functions for."""

    def __init__(self) -> None:
        import ctypes

        self._library = ctypes.CDLL(None, use_errno=True)

    def control(self, *numbers: int) -> None:
        """`prctl`. Raises OSError."""
        import ctypes

        arguments = [ctypes.c_ulong(number) for number in (*numbers, 0, 0, 0, 0)[:5]]
        self._check(self._library.prctl(*arguments), "prctl")

    def limit(self, capabilities: int) -> None:
        """Have these capabilities and no others; that to read every file is inheritable.

        Raises OSError.
        """
        import ctypes

        inheritable = capabilities & (1 << READ_ALL_FILES)
        masks = (capabilities, capabilities, inheritable)
        words = [mask >> shift & 0xFFFFFFFF for shift in (0, 32) for mask in masks]
        header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
        self._check(self._library.capset(header, (ctypes.c_uint32 * 6)(*words)), "capset")

    def _check(self, result: int, name: str) -> None:
        import ctypes

        if result:
            code = ctypes.get_errno()
            raise OSError(code, f"{name}: {os.strerror(code)}")
