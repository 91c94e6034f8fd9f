"""The logs that wait while there is no packages file: what of them is gone is known."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from engine.runtime.waiting_logs import WaitingLogs
from engine.sources.log_file import LogFile, log_file_id
from engine.sources.model import Lost
from tests.verdict.setups import visit

FIRST, SECOND = visit(1_790_000_000, 0), visit(1_790_000_001, 1)
PATTERN = "caddy_access_logs*.json"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "caddy_access_logs.json").write_bytes(FIRST + SECOND)
    (tmp_path / "caddy_access_logs-0.json").write_bytes(SECOND)
    return tmp_path


def look(waiting: WaitingLogs, *counted: LogFile) -> list[Lost]:
    return list(waiting.look({log.id: log for log in counted}, ()))


def test_what_stays_is_not_lost(logs: Path) -> None:
    """Renamed, grown or compressed, it is the same log."""
    waiting = WaitingLogs(logs, PATTERN)
    assert look(waiting) == []
    assert waiting.are_known
    active, rolled = logs / "caddy_access_logs.json", logs / "caddy_access_logs-1.json"
    active.rename(rolled)
    active.write_bytes(visit(1_790_000_002, 2))
    old = logs / "caddy_access_logs-0.json"
    Path(f"{old}.gz").write_bytes(gzip.compress(old.read_bytes()))
    old.unlink()
    assert look(waiting) == []
    os.truncate(rolled, len(FIRST))
    assert look(waiting) == []


def test_what_goes_is_lost_once(logs: Path) -> None:
    """With its size, as far as it was seen, and at least that; a compressed one without a size."""
    waiting = WaitingLogs(logs, PATTERN)
    old = logs / "caddy_access_logs-0.json"
    Path(f"{old}.gz").write_bytes(gzip.compress(old.read_bytes()))
    old.unlink()
    assert look(waiting) == []
    Path(f"{old}.gz").unlink()
    (logs / "caddy_access_logs.json").unlink()
    assert sorted(look(waiting), key=lambda lost: lost.name) == [
        Lost(log_file_id(SECOND), 0, at_least=True, name=f"{old.name}.gz"),
        Lost(log_file_id(FIRST), len(FIRST + SECOND), at_least=True, name="caddy_access_logs.json"),
    ]
    assert look(waiting) == []


def test_what_was_counted_before_is_not_lost(logs: Path) -> None:
    """Of a log that an earlier start counted, only the rest is; what the reader reports is left."""
    known = LogFile(log_file_id(FIRST), position=len(FIRST + SECOND))
    waiting = WaitingLogs(logs, PATTERN)
    look(waiting)
    (logs / "caddy_access_logs.json").unlink()
    assert look(waiting, known) == []
    (logs / "caddy_access_logs.json").write_bytes(FIRST + SECOND)
    look(waiting)
    (logs / "caddy_access_logs.json").unlink()
    known.position = len(FIRST)
    [lost] = look(waiting, known)
    assert lost.length == len(SECOND)
    (logs / "caddy_access_logs-0.json").unlink()
    assert list(waiting.look({}, {log_file_id(SECOND)})) == []


def test_a_folder_that_cannot_be_listed(logs: Path, tmp_path: Path) -> None:
    """Nothing is known to be gone; a log without a complete line is followed by its file."""
    waiting = WaitingLogs(logs, PATTERN)
    look(waiting)
    hidden = tmp_path.with_name(f"{tmp_path.name}-hidden")
    tmp_path.rename(hidden)
    assert look(waiting) == []
    hidden.rename(tmp_path)
    assert look(waiting) == []
    waiting.forget()
    assert not waiting.are_known
