"""The verdict, from what an examination found: the same that a running `serve` makes of itself."""

from __future__ import annotations

from engine.doctor.databases import SAVE_LATE_SECONDS, StoredState
from engine.doctor.logs import FoundFile
from engine.doctor.model import Examination, State
from engine.errors import InputUnreadable
from engine.inputs.model import Reason
from engine.packages import Packages
from engine.runtime.evidence import LOW_DISK_BYTES, last_step
from engine.settings import Config
from engine.sources.file_systems import is_in_memory
from engine.store.files import free_bytes
from engine.store.lock import is_locked
from engine.times import is_possible
from engine.verdict import Evidence, LineCount
from engine.verdict.judge import FIRST_SECONDS


def evidence_of(
    config: Config,
    packages: Packages | None,
    files: list[FoundFile],
    stored: StoredState | None,
    found: Examination,
) -> Evidence:
    """What the examination knows. How long serve has run is not known, so more than an hour."""
    stored = stored or StoredState()
    running = is_locked(config.database)
    age = found.now - stored.saved_at if running and stored.saved_at else 0
    free = free_bytes(config.database)
    times = [at for at in (found.last_at, found.first_at) if at is not None]
    return Evidence(
        found.now,
        up_seconds=FIRST_SECONDS,
        running=running,
        processing=config.processing,
        waits_for_packages=packages is None and not stored.has_packages,
        packages_problem=_text_of(found, "packages file") if packages is None else "",
        packages=len(packages.entries) if packages else int(stored.has_packages),
        ignored=len(packages.warnings) if packages else 0,
        own_host=packages.fqdn if packages else "",
        log_problems=_log_problems(config, found),
        logs=len(files),
        logs_come_later=stored.silence.last_used_at is None or is_in_memory(config.logs),
        unsaved_seconds=age if age > SAVE_LATE_SECONDS else 0,
        free_bytes=free if free is not None and free < LOW_DISK_BYTES else None,
        step=last_step(stored.steps, stored.steady_seconds),
        impossible_at=next((at for at in times if not is_possible(at, found.now)), None),
        since_start=LineCount(found.looked_at, found.counted) if packages else LineCount(),
        last_hour=found.last_hour if packages else LineCount(),
        causes={(Reason(why), detail): n for (_, why, detail), n in found.reasons.items() if why},
        silence=stored.silence,
    )


def _text_of(found: Examination, name: str) -> str:
    return next((check.text for check in found.checks if check.name == name), "")


def _log_problems(config: Config, found: Examination) -> tuple[str, ...]:
    """Why no log can be read; empty when there is only none yet."""
    for check in found.checks:
        if check.name == "log folder" and check.state is State.PROBLEM:
            unreadable = isinstance(check.error, InputUnreadable) or not config.logs.is_dir()
            return (check.text,) if unreadable else ()
    return ()
