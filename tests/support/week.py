"""The recorded week of `samples/`."""

from __future__ import annotations

import gzip
from pathlib import Path

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
CURRENT = "caddy_access_logs.json"


def week_files() -> list[Path]:
    """The logs, oldest first; the current one is last."""
    found = (SAMPLES / "week").glob("caddy_access_logs*.json.gz")
    return sorted(found, key=lambda path: (path.stem == CURRENT, path.name))


def week_lines() -> list[bytes]:
    """All lines in their order, each with its newline."""
    return [
        line + b"\n"
        for path in week_files()
        for line in gzip.decompress(path.read_bytes()).split(b"\n")[:-1]
    ]
