"""Debian packages built by `tools/build_deb.py`, and what is in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def build(folder: Path, *options: str) -> list[Path]:
    """The packages, built into a folder."""
    command = [sys.executable, str(ROOT / "tools/build_deb.py"), "--output", str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [Path(line) for line in done.stdout.splitlines()]


def field(package: Path, name: str) -> str:
    """A field of its control file."""
    command = ["dpkg-deb", "--field", str(package), name]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def contents(package: Path) -> dict[str, str]:
    """Its files and links by their path, with mode and owner; no folders."""
    command = ["dpkg-deb", "--contents", str(package)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {}
    for line in printed.splitlines():
        mode, owner, _size, _day, _time, path = line.split(maxsplit=5)
        if not mode.startswith("d"):
            found[path.removeprefix(".")] = f"{mode} {owner}"
    return found
