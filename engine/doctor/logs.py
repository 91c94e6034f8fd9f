"""The log folder: whether it is there and can be read, and which of its files are logs."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engine.doctor.model import Check, Examination, State, problem
from engine.errors import InputMissing, InputUnreadable, MetricsError
from engine.patterns import read_pattern
from engine.regular_file import open_regular
from engine.settings import Config
from engine.sources.files import NotGzip, open_content
from engine.sources.formats import GZIP, Formats, is_log_name, no_file, not_read
from engine.sources.refusals import Refusal, refusal

SHOWN: Final = 8
MAX_REFUSED: Final = 50
MAX_FOLDERS: Final = 200
_LIKE_A_LOG = re.compile(r"(.+\.(?:jsonl?|ndjson|log))((?:[.-][0-9A-Za-z:+-]{1,30})*)", re.S)
"""A log, and what rotation appends to its name: `.1`, `.2.gz`, `-20260610`, `.old`."""


@dataclass(frozen=True)
class FoundFile:
    """A file that matches the pattern and can be opened."""

    path: Path
    size: int
    modified_at: float
    compressed: bool = False


@dataclass
class _Seen:
    """The entries of the folder, by what becomes of them."""

    files: list[FoundFile] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    refusal: Refusal | None = None
    """Why the first of them may not be read."""
    refused: list[str] = field(default_factory=list)
    """Messages for entries that have the name of a log and are not read, with what to do."""
    rolls: list[str] = field(default_factory=list)
    """Names of rolls of these logs that the pattern does not match."""
    near: list[str] = field(default_factory=list)
    """Names like that of a log that the pattern does not match."""
    below: list[str] = field(default_factory=list)
    """Sub-folders that hold logs."""


def check_logs(config: Config, found: Examination) -> list[FoundFile]:
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
        remedy = _remedy(refusal(folder), "check the disk that it is on")
        found.checks.append(problem(name, InputUnreadable(text, remedy)))
        return []
    seen = _Seen(below=list(_folders_with_logs(folder, config.pattern)))
    for entry in names:
        _inspect(folder, entry, config.pattern, seen)
    seen.files.sort(key=lambda f: (f.modified_at, f.path.name))
    details = _details(seen, config.pattern)
    if seen.unreadable and not seen.files:
        text = f"{folder}: the logs may not be read: {', '.join(seen.unreadable[:SHOWN])}"
        found.checks.append(problem(name, InputUnreadable(text, _remedy(seen.refusal)), *details))
    elif not seen.files:
        found.checks.append(problem(name, _nothing(folder, names, config.pattern, seen), *details))
    else:
        found.checks.append(_readable(folder, config.pattern, seen, details))
    return seen.files


def _inspect(folder: Path, name: str, pattern: str, seen: _Seen) -> None:
    """Note what becomes of one entry of the folder."""

    def is_log(name: str) -> bool:
        return is_log_name(name, read_pattern(pattern).matches)

    path = folder / name
    try:
        status = path.lstat()
        if not is_log(name):
            like = _LIKE_A_LOG.fullmatch(name)
            if like and not stat.S_ISDIR(status.st_mode):
                (seen.rolls if like[2] and is_log(like[1]) else seen.near).append(name)
            return
        if not stat.S_ISREG(status.st_mode):
            if reason := no_file(path, status, is_log):
                seen.refused.append(reason)
            return
        with open_regular(path, follow=False):
            kind = Formats().of(path, status)
        if kind is not None:  # an archive, or one within gzip
            open_content(str(path)).close()
        seen.files.append(FoundFile(path, status.st_size, status.st_mtime, kind is GZIP))
    except NotGzip as error:
        seen.refused.append(not_read(name, error.layers))
    except MetricsError as error:
        seen.unreadable.append(error.message)
    except FileNotFoundError:
        return
    except OSError as error:
        seen.unreadable.append(f"{name} ({_mode(path)}{error.strerror})")
        seen.refusal = seen.refusal or refusal(path)


def _folders_with_logs(folder: Path, pattern: str) -> Iterator[str]:
    """Sub-folders in which there are files that match; not through links."""
    for place, (path, folders, files) in enumerate(os.walk(folder)):
        folders.sort()
        many = sum(is_log_name(name, read_pattern(pattern).matches) for name in files)
        if place and many:
            yield path
        if place >= MAX_FOLDERS:
            return


def _details(seen: _Seen, pattern: str) -> list[str]:
    """What of the folder is not read, a line for each."""
    details = [f"{name} is a roll that the pattern {pattern} does not match" for name in seen.rolls]
    details += [f"{path} holds logs, and sub-folders are not read" for path in seen.below]
    details += [f"{name} does not match the pattern {pattern}" for name in seen.near]
    more = len(details) - SHOWN
    refused = [text.removeprefix("log ") for text in seen.refused[:MAX_REFUSED]]
    return [*refused, *details[:SHOWN], *([f"and {more} more"] if more > 0 else [])]


def _remedy(refused: Refusal | None, otherwise: str = "copy those files again") -> str:
    if refused is None:
        return otherwise
    as_root = "run as root, or " if os.geteuid() else ""
    return f"{as_root}{refused.remedy}; {refused.reason}"


def _mode(path: Path) -> str:
    try:
        return f"mode {stat.S_IMODE(path.lstat().st_mode):04o}: "
    except OSError:
        return ""


def _nothing(folder: Path, names: list[str], pattern: str, seen: _Seen) -> InputMissing:
    if not names:
        return InputMissing(
            f"{folder} is empty",
            "visit a page; then check that Caddy has a `log` block with `output file` in this "
            "folder, and that it is the same folder (a container has its own)",
        )
    if seen.refused:
        text = f"{folder}: nothing that matches {pattern} can be read"
        return InputMissing(text, seen.refused[0].removeprefix("log "))
    text = f"no file in {folder} matches {pattern}"
    if seen.rolls:
        return InputMissing(text, _wider(pattern, seen.rolls))
    if seen.below:
        hint = f"set REVERSE_PROXY_LOGS_LOCATION (or --logs) to {seen.below[0]}"
        return InputMissing(text, hint)
    likely = [name for name in seen.near if name.endswith(".json")]
    if likely:
        hint = f"set REVERSE_PROXY_LOGS_PATTERN (or --pattern) to '{_guess(likely[0])}'"
        return InputMissing(text, hint)
    hint = "see the names in the folder, and set --pattern or REVERSE_PROXY_LOGS_PATTERN"
    return InputMissing(text, hint)


def _wider(pattern: str, rolls: list[str]) -> str:
    """The hint by which rolls are read as well: compression is detected by content."""
    wider = f"{pattern}*"
    if not all(read_pattern(wider).matches(name) for name in rolls):
        return "set --pattern or REVERSE_PROXY_LOGS_PATTERN so that it matches them too"
    return f"set REVERSE_PROXY_LOGS_PATTERN (or --pattern) to '{wider}'"


def _guess(name: str) -> str:
    """A pattern for the names of a log and of what it is rolled to."""
    stem = name.removesuffix(".json")
    cut = next(
        (i for i, letter in enumerate(stem) if letter == "-" and stem[i + 1 :][:4].isdigit()),
        len(stem),
    )
    return f"{stem[:cut]}*.json"


def _readable(folder: Path, pattern: str, seen: _Seen, details: list[str]) -> Check:
    name, files = "log folder", seen.files
    size = sum(file.size for file in files)
    many = f"{len(files)} log files" if len(files) > 1 else "1 log file"
    text = f"{folder}: {many}, {size:,} bytes, newest {files[-1].path.name}"
    if not size:
        return Check(
            name,
            State.WARNING,
            f"{folder}: {many}, with nothing in it",
            "visit a package through the proxy, then run doctor again; hotspots lose their logs at "
            "each restart",
            tuple(details),
        )
    if seen.unreadable:
        unread = [f"{one}: not read" for one in seen.unreadable[:SHOWN]]
        return Check(name, State.WARNING, text, _remedy(seen.refusal), (*unread, *details))
    if seen.refused:
        hint = "some files are not read; each has its remedy"
        return Check(name, State.WARNING, text, hint, tuple(details))
    if seen.rolls:
        return Check(name, State.WARNING, text, _wider(pattern, seen.rolls), tuple(details))
    if seen.below:
        hint = "when the proxy logs there as well, name that folder, or let it log into this one"
        return Check(name, State.NOTE, text, hint, tuple(details))
    return Check(name, State.OK, text, details=tuple(details))
