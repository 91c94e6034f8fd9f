"""Debian packages built by `tools/build_deb.py`, and what is in them."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Of all test processes, one makes what they share; the others wait for it."""
    folder = ROOT / "build"
    folder.mkdir(exist_ok=True)
    with (folder / f".{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(*options: str) -> list[Path]:
    """The packages of these options; built when something that they are made from has changed."""
    folder = ROOT / "build/deb" / _digest(options)
    with alone("deb"):
        if not folder.is_dir():
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            script = str(ROOT / "tools/build_deb.py")
            command = [sys.executable, script, "--output", str(partial), *options]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            partial.rename(folder)
    return sorted(folder.glob("*.deb"))


def _digest(options: tuple[str, ...]) -> str:
    """Of all that the packages are made from."""
    if "filebeat" in options:
        patterns = ["debian/control", "debian/rules", "debian/*filebeat*", "build/filebeat-a*64"]
    else:
        patterns = ["debian/*", "CHANGELOG.md", "dist/offspot-metrics"]
    made_from = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    digest = hashlib.blake2b(repr(options).encode(), digest_size=8)
    for path in [ROOT / "tools/build_deb.py", *made_from]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


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
