"""The log folder: is it there, may we read it, and what in it would be read?

In: a `Config`. Out: a check, and the files that would be read, the newest last.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.config import Config
from engine.doctor.model import Check, Examination, State, problem
from engine.errors import InputMissing, InputUnreadable
from engine.patterns import read_pattern

SHOWN: Final = 8
_PACKED_IN_VAIN: Final = (".zst", ".zstd", ".bz2", ".xz")
_ROOT_ONLY: Final = (
    "run as root, or set `mode 0644` in the `output file` block of Caddy's log "
    "(Caddy 2.9 and later make logs for their own user only)"
)


@dataclass(frozen=True)
class LogFile:
    """A file that matches the pattern and can be opened."""

    path: Path
    size: int
    modified_at: float


def check_logs(config: Config, found: Examination) -> list[LogFile]:
    """The files that would be read, the one written last at the end."""
    name = "log folder"
    folder = config.logs
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except FileNotFoundError:
        hint = (
            "name the folder that the proxy logs to with --logs or REVERSE_PROXY_LOGS_LOCATION; "
            "in a container, is it mounted?"
        )
        found.checks.append(problem(name, InputMissing(f"{folder} is not there", hint)))
        return []
    except NotADirectoryError:
        hint = f"name the folder: {folder.parent}; choose files with --pattern"
        found.checks.append(problem(name, InputMissing(f"{folder} is not a folder", hint)))
        return []
    except OSError as error:
        text = f"{folder} may not be listed: {error.strerror}"
        hint = f"let this user (uid {os.geteuid()}) read it: chmod a+rx {folder}, or run as root"
        found.checks.append(problem(name, InputUnreadable(text, hint)))
        return []
    files, unreadable, odd = _look_at(folder, names, config.pattern)
    near = _near_misses(names, config.pattern)
    if unreadable and not files:
        text = f"{folder}: the logs may not be read: {', '.join(unreadable[:SHOWN])}"
        found.checks.append(problem(name, InputUnreadable(text, _ROOT_ONLY), *near))
    elif not files:
        found.checks.append(problem(name, _nothing(folder, names, config.pattern), *odd, *near))
    else:
        found.checks.append(_readable(folder, files, unreadable, [*odd, *near]))
    return files


def _look_at(
    folder: Path, names: list[str], pattern: str
) -> tuple[list[LogFile], list[str], list[str]]:
    """Files that can be read, names of those that cannot, and what is no file at all."""
    files, unreadable, odd = [], [], []
    for name in names:
        if not _is_read(name, pattern):
            continue
        try:
            status = (folder / name).lstat()
            if not stat.S_ISREG(status.st_mode):
                kind = "a link" if stat.S_ISLNK(status.st_mode) else "not a regular file"
                odd.append(f"{name} is {kind}: it is not read")
                continue
            with (folder / name).open("rb"):
                files.append(LogFile(folder / name, status.st_size, status.st_mtime))
        except FileNotFoundError:
            continue
        except OSError as error:
            unreadable.append(f"{name} ({_mode(folder / name)}{error.strerror})")
    return sorted(files, key=lambda f: (f.modified_at, f.path.name)), unreadable, odd


def _is_read(name: str, pattern: str) -> bool:
    """Whether a file of this name is read as a log or as a compressed roll."""
    matches = read_pattern(pattern).matches
    return matches(name) or (name.endswith(".gz") and matches(name[:-3]))


def _mode(path: Path) -> str:
    try:
        return f"mode {stat.S_IMODE(path.lstat().st_mode):04o}: "
    except OSError:
        return ""


def _near_misses(names: list[str], pattern: str) -> list[str]:
    """What looks like a log and is not read."""
    missed = []
    for name in names:
        if _is_read(name, pattern):
            continue
        if name.endswith(_PACKED_IN_VAIN):
            missed.append(f"{name} is packed in a way that is not read (gzip is)")
        elif name.endswith((".json", ".json.gz", ".log", ".log.gz")):
            missed.append(f"{name} does not match the pattern {pattern}")
    return [*missed[:SHOWN], *([f"and {len(missed) - SHOWN} more"] if len(missed) > SHOWN else [])]


def _nothing(folder: Path, names: list[str], pattern: str) -> InputMissing:
    if not names:
        return InputMissing(
            f"{folder} is empty",
            "has anybody visited since the hotspot started? does Caddy have a `log` block with "
            "`output file` there, and is it the same folder (a container has its own)?",
        )
    likely = [name for name in names if name.endswith(".json")]
    hint = "see the names in the folder, and set --pattern or REVERSE_PROXY_LOGS_PATTERN"
    if likely:
        hint = f"set REVERSE_PROXY_LOGS_PATTERN (or --pattern) to '{_guess(likely[0])}'"
    return InputMissing(f"no file in {folder} matches {pattern}", hint)


def _guess(name: str) -> str:
    """A pattern for the names of a log and of what it is rolled to."""
    stem = name.removesuffix(".json")
    cut = next(
        (i for i, letter in enumerate(stem) if letter == "-" and stem[i + 1 :][:4].isdigit()),
        len(stem),
    )
    return f"{stem[:cut]}*.json"


def _readable(folder: Path, files: list[LogFile], unreadable: list[str], more: list[str]) -> Check:
    size = sum(file.size for file in files)
    many = f"{len(files)} log files" if len(files) > 1 else "1 log file"
    text = f"{folder}: {many}, {size:,} bytes, newest {files[-1].path.name}"
    if not size:
        return Check(
            "log folder",
            State.WARNING,
            f"{folder}: {many}, with nothing in it",
            "visit a package through the proxy, then look again; on a hotspot, logs are lost "
            "with each restart",
            tuple(more),
        )
    if unreadable:
        details = (*(f"{name}: not read" for name in unreadable[:SHOWN]), *more)
        return Check("log folder", State.WARNING, text, _ROOT_ONLY, details)
    return Check("log folder", State.OK, text, details=tuple(more))
