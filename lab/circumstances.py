"""What was measured, when and where: the commit, date and machine of every figure."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHANGED = "-changed"
MADE_BY_MEASURING = (
    "docs/performance.md",
    "docs/reliability.md",
    "benchmarks/ratios.json",
    "tests/faults/results.json",
)
"""What the measuring itself writes: a second run must not call the tree changed for it."""


def commit_of(root: Path = ROOT, ignored: Sequence[str] = MADE_BY_MEASURING) -> str:
    """The commit that is checked out, with `-changed` where the tree is not that of the commit.

    A file that git neither knows nor ignores is a change too: it may be a test or a module.
    """
    commit = _git(root, "rev-parse", "--short", "HEAD").strip()
    others = [f":(exclude){path}" for path in ignored]
    return commit + CHANGED * bool(_git(root, "status", "--porcelain", "--", ".", *others))


def today() -> str:
    """The date, in UTC."""
    return datetime.now(UTC).date().isoformat()


def machine() -> str:
    """Processors, memory, system and Python of this machine."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^model name\s*: (.*)$", info, re.M)
    model = found[1] if found else platform.machine()
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return (
        f"{os.cpu_count()} x {model}, {gib:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout
