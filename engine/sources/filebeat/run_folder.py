"""The folder that one Filebeat works in: a new one for each, of our own user, in memory.

It is locked as long as its process lives. Nothing that somebody else may have put there is used:
each folder has a random name, is made by us, and is known as ours by its owner and its lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from engine.errors import ReaderUnavailable
from engine.sources.file_systems import is_in_memory

_PREFIX: Final = "offspot-metrics-"
_LOCK: Final = "owner.lock"
_OPEN: Final = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def choose_place(places: Sequence[Path]) -> tuple[Path, list[str]]:
    """The first place that is in memory, else the first that can be used; and what is worth a note.

    Raises ReaderUnavailable, with what is wrong with each, when none can be used.
    """
    problems = {place: problem_with(place) for place in dict.fromkeys(places)}
    usable = [place for place, problem in problems.items() if not problem]
    notes = [
        f"{place} is not used for Filebeat's files: it {text}"
        for place, text in problems.items()
        if "other user" in text  # that it is not there, or not for us, is nothing unusual
    ]
    for place in usable:
        if is_in_memory(place):
            return place, notes
    if usable:
        note = (
            f"Filebeat's files are in {usable[0]}, which is not in memory: some 12 kB a minute are "
            "written there; mount a tmpfs on /run or name one with XDG_RUNTIME_DIR"
        )
        return usable[0], [*notes, note]
    raise ReaderUnavailable(
        "no folder can be used for Filebeat's files: "
        + "; ".join(f"{place} {text}" for place, text in problems.items()),
        "name a folder of this user with XDG_RUNTIME_DIR, or use --reader tail",
    )


def problem_with(place: Path) -> str:
    """Why no folder may be made in a place; empty when it may."""
    try:
        found = os.stat(place)  # noqa: PTH116 (where the system has a link, as /dev/shm may be)
    except FileNotFoundError:
        return "is not there"
    except OSError as error:
        return f"cannot be used: {error.strerror}"
    if not stat.S_ISDIR(found.st_mode):
        return "is not a folder"
    if found.st_uid not in (0, os.geteuid()):
        return f"belongs to another user (uid {found.st_uid})"
    if found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX:
        return "can be changed by other users"
    if not os.access(place, os.W_OK | os.X_OK):
        return "may not be written by this user"
    return ""


class RunFolder:
    """A new folder, removed by `remove`; its lock goes with the process, however that ends."""

    def __init__(self, place: Path) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        self._lock = os.open(self.path / _LOCK, _OPEN | os.O_CREAT | os.O_EXCL, 0o600)
        with contextlib.suppress(OSError):  # without locks nobody takes it for left over
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            os.write(self._lock, b"locked\n")

    def release(self) -> None:
        """Give up the lock: from now on it is a folder that was left over."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def remove(self) -> None:
        """Remove it, and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.release()


def left_over(place: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The folders in a place whose process ended without removing them. They are locked meanwhile.

    Of our own user only, never a link, and none that a living process holds, also in a container.
    """
    for path in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _opened(path, os.O_RDONLY | os.O_DIRECTORY) as folder:
            found = os.fstat(folder)
            if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o700:
                continue
            with _opened(_LOCK, os.O_RDWR, dir_fd=folder) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(lock).st_size:  # else it is only just being made
                    yield path, found


@contextlib.contextmanager
def _opened(path: Path | str, flags: int, dir_fd: int | None = None) -> Iterator[int]:
    safe = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags | safe, dir_fd=dir_fd)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
