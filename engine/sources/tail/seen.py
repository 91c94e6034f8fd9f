"""What a look into the log folder has shown, as a message."""

from __future__ import annotations

from engine.sources.model import Look, SeenLog, Unopened
from engine.sources.tail.folder import LogFolder
from engine.sources.tail.open_log import OpenLog, newest_of


def seen(folder: LogFolder) -> Look:
    """What there is to be known of the folder now; its reader adds what it is itself."""
    logs = list(folder.open_logs.values())
    newest = newest_of(logs)
    unopened = {(log.device, log.inode): log for log in folder.unopened_before}
    unopened |= {
        log.key: Unopened(*log.key, log.name, log.size) for log in logs if not log.was_open
    }
    return Look(
        logs=tuple(_seen_log(log, is_newest=log is newest) for log in logs),
        lag_bytes=folder.lag_bytes,
        rolls=folder.rolls.log_ids,
        rolls_are_known=not folder.rolls.busy and not folder.rolls.unreadable,
        missing=folder.missing,
        unopened=tuple(unopened.values()),
        problems=tuple(sorted(folder.problems.values())),
        notes=tuple(sorted(folder.notes)),
    )


def _seen_log(log: OpenLog, *, is_newest: bool) -> SeenLog:
    log_id = log.log_file.id if log.log_file else b""
    return SeenLog(log_id, log.size, log.descriptor, is_newest)
