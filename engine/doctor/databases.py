"""Checks of the database, and of whether another process counts into it right now.

It is opened for reading only. A database that is not in use is copied first, because SQLite makes
files next to one that it opens.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engine.doctor.logs import FoundFile
from engine.doctor.model import Check, Examination, State, problem
from engine.errors import ConfigError, DatabaseDamaged, InputMissing, MetricsError, StorageError
from engine.inputs.model import FATES
from engine.regular_file import open_regular
from engine.runtime.evidence import read_silence
from engine.settings import Config
from engine.sources.content import first_line
from engine.sources.log_file import LogFile, log_file_id
from engine.store.files import free_bytes, temporary_folder
from engine.store.header import check_ours
from engine.store.lock import is_locked
from engine.store.positions import load_log_files
from engine.store.reader import Reader
from engine.store.repair.check import problems_of
from engine.store.transactions import storage_errors
from engine.text import duration
from engine.times import load_zone
from engine.verdict.evidence import Silence

SAVE_LATE_SECONDS: Final = 15 * 60
"""Serve saves at least every ten minutes."""
LOW_DISK_BYTES: Final = 16 * 1024 * 1024
SHOWN: Final = 8


FOREVER: Final = 1 << 62


@dataclass
class StoredState:
    """What is stored in the database about itself."""

    running: bool = False
    site_id: str = ""
    saved_at: int = 0
    timezone: str = "UTC"
    last_line_at: int | None = None
    steady_seconds: int = 0
    steps: list[tuple[int, int]] = field(default_factory=list)
    fates: Counter[str] = field(default_factory=Counter)
    known: dict[bytes, LogFile] = field(default_factory=dict)
    has_packages: bool = False
    """Packages that were valid at an earlier start are stored."""
    silence: Silence = field(default_factory=Silence)


def check_running(config: Config, found: Examination) -> None:
    """Whether `serve` or `replay` holds this database."""
    if not config.processing:
        return
    if is_locked(config.database):
        text = "serve (or a replay) is running on this database"
        found.checks.append(Check("serve", State.OK, text))
    else:
        text = "no serve is running on this database: nothing is being counted"
        hint = "start it with the same DATABASE_URL, or check whether serve uses another database"
        found.checks.append(Check("serve", State.WARNING, text, hint))


def check_database(
    config: Config, files: list[FoundFile], found: Examination, now: int
) -> StoredState | None:
    """What the database holds; None when it cannot be read, or is not there yet."""
    name = "database"
    path = config.database
    try:
        check_ours(path)
        with storage_errors(path), _reader(path, live=is_locked(path)) as reader:
            stored = _read_state(reader, now)
            stored.running = is_locked(path)
    except InputMissing:
        found.checks.append(_not_there(path, config.older_database))
        return None
    except MetricsError as error:
        found.checks.append(problem(name, error))
        return None
    check = _judge(path, stored, now)
    details = (*check.details, *_progress(files, stored))
    found.checks.append(Check(name, check.state, check.text, check.hint, details, check.error))
    return stored


@contextmanager
def _reader(path: Path, *, live: bool) -> Iterator[Reader]:
    """A reader of a database that is in use, or of a copy of one that is not."""
    with ExitStack() as stack:
        place = path
        if not live:
            folder = stack.enter_context(temporary_folder(f"a copy of {path}"))
            place = folder / path.name
            for suffix in ("", "-wal"):
                source = path.with_name(path.name + suffix)
                if source.exists():
                    shutil.copyfile(source, place.with_name(place.name + suffix))
        try:
            reader = Reader.open(place)
        except MetricsError as error:
            error.message = error.message.replace(str(place), str(path))
            raise
        try:
            yield reader
        finally:
            reader.close()


def _read_state(reader: Reader, now: int) -> StoredState:
    found = problems_of(reader.connection)
    if found:
        raise DatabaseDamaged(
            f"the database is damaged: {'; '.join(found)[:300]}",
            "start serve: it moves the file to quarantine and continues from the newest backup",
        )
    with reader.snapshot():
        return StoredState(
            site_id=str(reader.get("site_id", "")),
            saved_at=int(reader.get("saved_at", 0)),
            timezone=str(reader.get("timezone", "UTC")),
            last_line_at=reader.last_line_at(),
            steady_seconds=int(reader.get("steady_seconds", 0)),
            steps=reader.clock_steps(0, FOREVER)[-20:],
            fates=reader.fates() + Counter({"lost": int(reader.get("lost_bytes", 0))}),
            known=load_log_files(reader.connection),
            has_packages=reader.get("packages") is not None,
            silence=_silence(reader, now),
        )


def _not_there(path: Path, older: Path | None) -> Check:
    folder = next((parent for parent in path.parents if parent.exists()), path.parent)
    if not os.access(folder, os.W_OK | os.X_OK):
        text = f"{path} does not exist, and this user may not write in {folder}"
        hint = f"let the user that runs serve (this is uid {os.geteuid()}) write there"
        return Check("database", State.WARNING, text, hint)
    text = f"{path} does not exist yet: serve creates it"
    if older is not None:
        text += f", and imports {older}, which is of offspot/metrics"
    return Check("database", State.NOTE, text)


def _judge(path: Path, stored: StoredState, now: int) -> Check:
    name = "database"
    lost = stored.fates.pop("lost", 0)
    total = stored.fates.total()
    size = path.stat().st_size
    details = [f"lines since the beginning: {total:,} read, {stored.fates['counted']:,} counted"]
    rest = [f"{stored.fates[fate]:,} {fate}" for fate in FATES[1:] if stored.fates[fate]]
    if rest:
        details[0] += f"; {', '.join(rest)}"
    if lost:
        details.append(f"at least {lost:,} bytes of logs were lost before they could be read")
    free = free_bytes(path)
    text = f"{path}: valid, {size:,} bytes"
    age = now - stored.saved_at
    if stored.saved_at:
        text += f", saved {_ago(age)}"
    if free is not None and free < LOW_DISK_BYTES:
        error = StorageError(
            f"the disk of {path} is nearly full: {free:,} bytes are left",
            "free some space: until then nothing can be saved",
        )
        return Check(name, State.PROBLEM, error.message, error.hint, tuple(details), error)
    if not stored.fates["counted"]:
        hint = "the checks of the logs show why; figures appear within a minute once lines count"
        what = f"{text}, but no line has counted yet"
        return Check(name, State.WARNING, what, hint, tuple(details))
    if stored.running and age > SAVE_LATE_SECONDS:
        hint = "see the log of serve and /health, and check whether the clock was set"
        return Check(name, State.WARNING, text, hint, tuple(details))
    if age < -3600:
        hint = "the clock was ahead then, or is behind now: see the clock below"
        return Check(name, State.WARNING, text, hint, tuple(details))
    return Check(name, State.OK, text, details=tuple(details))


def _progress(files: list[FoundFile], stored: StoredState) -> Iterator[str]:
    """How much of each of the newest logs has been counted."""
    for file in files[-SHOWN:]:
        if file.compressed:
            continue
        line = _first_line(file.path)
        known = stored.known.get(log_file_id(line)) if line is not None else None
        if known is None:
            yield f"{file.path.name}: nothing of it has been counted"
        elif known.position < file.size:
            yield f"{file.path.name}: counted up to byte {known.position:,} of {file.size:,}"
        else:
            yield f"{file.path.name}: counted to its end"


def _first_line(path: Path) -> bytes | None:
    def read_at(offset: int, size: int) -> bytes:
        with open_regular(path) as log:
            return os.pread(log.fileno(), size, offset)

    try:
        return first_line(read_at)
    except OSError:
        return None


def _silence(reader: Reader, now: int) -> Silence:
    """Nothing is known of it in a zone that is not known, which is reported by itself."""
    try:
        return read_silence(reader, load_zone(str(reader.get("timezone", "UTC"))), now)
    except ConfigError:
        return Silence()


def _ago(seconds: int) -> str:
    return f"{duration(seconds)} ago" if seconds >= 0 else f"{duration(-seconds)} in the future"
