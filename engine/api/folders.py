"""Lists the files of a folder such as `UI_LOCATION` once, to be served.

Small files are read into memory; large ones are identified, and read from disk while they are sent.
Links out of the folder, devices, pipes and names that begin with a dot are left out, and memory,
files and time are bounded whatever the folder is (`/proc`).
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO, Final

logger = logging.getLogger(__name__)

MAX_FILES = 2_000
MAX_NAMES = 20_000
"""Names that are looked at, of files that are served or not, and of folders."""
MAX_DEPTH = 16
MAX_FILE_BYTES = 4 << 30
MAX_IN_MEMORY_BYTES = 1024 * 1024
"""Files up to this size are read into memory, as long as all of them fit in `MAX_TOTAL_BYTES`."""
MAX_TOTAL_BYTES = 8 * 1024 * 1024

_MOUNTS: Final = Path("/proc/self/mountinfo")
_KERNEL_FILE_SYSTEMS: Final = frozenset(
    [
        "proc",
        "sysfs",
        "cgroup",
        "cgroup2",
        "devpts",
        "devtmpfs",
        "debugfs",
        "tracefs",
        "securityfs",
        "configfs",
        "bpf",
        "pstore",
        "efivarfs",
        "fusectl",
        "binfmt_misc",
        "mqueue",
        "rpc_pipefs",
    ]
)
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class DiskFile:
    """A file that is not in memory, as it was when the folder was listed."""

    path: Path
    size: int
    identity: tuple[int, ...]

    @property
    def tag(self) -> str:
        """Another text for another content, as far as the file system tells."""
        return blake2b(repr(self.identity).encode(), digest_size=12).hexdigest()

    def open(self) -> IO[bytes]:
        """The file for reading. Raises OSError when it is gone, or no longer the same."""
        descriptor = os.open(self.path, _FLAGS)
        if _identity(os.fstat(descriptor)) != self.identity:
            os.close(descriptor)
            raise OSError(errno.ESTALE, "the file has changed since the start")
        return os.fdopen(descriptor, "rb", buffering=0)


def list_folder(folder: Path) -> Iterator[tuple[str, bytes | DiskFile]]:
    """Name and content of the regular files of a folder, in order, within the bounds."""
    if not folder.is_dir():
        logger.warning("Folder of files to serve is missing: %s", folder)
        return
    root = folder.resolve()
    files = in_memory = 0
    for path in _names(root):
        content = _content(path, root, MAX_TOTAL_BYTES - in_memory)
        if content is None:
            logger.warning("Not served, as it is no regular file of this folder: %s", path)
            continue
        files += 1
        if files > MAX_FILES:
            logger.warning("Folder of files to serve has too many, the rest is left out: %s", root)
            return
        in_memory += len(content) if isinstance(content, bytes) else 0
        yield path.relative_to(root).as_posix(), content


def _names(root: Path) -> Iterator[Path]:
    """Everything in a folder that is no folder and whose name has no dot before it."""
    looked_at = 0
    kernel = _kernel_devices()
    for parent, folders, names in os.walk(root):
        if _device(parent) in kernel:
            logger.warning("Not served, as these are no files but the kernel: %s", parent)
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if len(Path(parent).relative_to(root).parts) >= MAX_DEPTH:
            folders.clear()
        looked_at += len(folders) + len(names)
        if looked_at > MAX_NAMES:
            logger.warning("Folder of files to serve is too large, the rest is left out: %s", root)
            return
        # The page itself first, or a large folder would be cut before it.
        for name in sorted(names, key=lambda name: (name != "index.html", name)):
            if not name.startswith("."):
                yield Path(parent, name)


def _content(path: Path, root: Path, room: int) -> bytes | DiskFile | None:
    """The content, or what tells it is the same later; None for what is not served.

    That is: links that leave the folder or lead to a hidden name, devices, pipes, giants, the
    unreadable, and files of a kernel, whose size is not that of their content.
    """
    try:
        target = path.resolve(strict=True)
        if not target.is_relative_to(root) or _is_hidden(target.relative_to(root)):
            return None
        if not stat.S_ISREG(target.lstat().st_mode):
            return None
        descriptor = os.open(target, _FLAGS)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
                return None
            if found.st_size <= min(MAX_IN_MEMORY_BYTES, room):
                content = file.read(found.st_size + 1)
                return content if content is not None and len(content) == found.st_size else None
            if len(os.pread(descriptor, 2, found.st_size - 1)) != 1:
                return None
            return DiskFile(target, found.st_size, _identity(found))
    except (OSError, RuntimeError, ValueError):
        return None


def _kernel_devices() -> set[int]:
    """The devices of what looks like files, and is made by the kernel when it is read."""
    found = set()
    with suppress(OSError, ValueError):
        for line in _MOUNTS.read_text(errors="replace").splitlines():
            mount, _, rest = line.partition(" - ")
            if rest.split(" ")[0] in _KERNEL_FILE_SYSTEMS:
                major, minor = mount.split(" ")[2].split(":")
                found.add(os.makedev(int(major), int(minor)))
    return found


def _device(folder: str) -> int | None:
    try:
        return Path(folder).stat().st_dev
    except OSError:  # it went away meanwhile
        return None


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
