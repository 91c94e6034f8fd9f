"""The recorder of the samples still records, with Debian's programs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tools import record_logs


@pytest.mark.full
def test_recorded_lines_are_those_that_were_asked_for(tmp_path: Path) -> None:
    """Each request of a school's week leaves one line of Caddy, which can be told apart."""
    files, asked = record_logs.record(("caddy", "caddy"), tmp_path, random.Random(1))
    lines = [line for path in files for line in path.read_bytes().split(b"\n")[:-1]]
    assert len(files) > 5
    assert len(asked) > 10_000
    assert len(list(record_logs.to_plan(lines, asked))) == len(lines) == len(asked)
