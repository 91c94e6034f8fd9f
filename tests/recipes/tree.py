"""A copy of the tree, which a test changes as CONTRIBUTING.md tells a developer to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    "cli",
    "engine",
    "static",
    "tools/kpi_types.py",
    "offspot_metrics.py",
    "pyproject.toml",
    "tests/conftest.py",
    "tests/api/web.py",
    "tests/golden",
    "tests/support/golden.py",
    "tests/support/memory.py",
    "tests/test_golden.py",
)
MADE = ("__pycache__", "node_modules", "dist", "kpis.ts")
"""What a build or a run makes."""


class Copy:
    """A copy of the tree, and what its programs print."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in COPIED:
            source, target = ROOT / name, root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns(*MADE))
            else:
                shutil.copy2(source, target)

    def files(self) -> dict[str, bytes]:
        """What is in it, but for what building and running it make."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file() and not set(MADE) & set(path.relative_to(self.root).parts)
        }

    def write(self, name: str, text: str) -> None:
        """Create or replace a file."""
        (self.root / name).write_text(text, "utf-8")

    def insert(self, name: str, *changes: tuple[str, str]) -> None:
        """Replace each (before, after) in a file: once, and behind the one before it."""
        done, rest = "", (self.root / name).read_text("utf-8")
        for before, after in changes:
            head, found, rest = rest.partition(before)
            assert found, f"{name} has no {before!r}"
            done += head + after
        self.write(name, done + rest)

    def run(self, *arguments: str) -> str:
        """What Python prints there."""
        environment = {"PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}
        return self.call([sys.executable, *arguments], self.root, environment)

    def make_kpi_types(self) -> str:
        """The file that `make static` writes for the page."""
        text = self.run("tools/kpi_types.py")
        self.write("static/src/kpis.ts", text)
        return text

    def build_page(self) -> None:
        """What `make static` does, with the packages of Node.js that are there."""
        self.make_kpi_types()
        (self.root / "static/node_modules").symlink_to(ROOT / "static/node_modules")
        self.call(["npm", "run", "--silent", "build"], self.root / "static", {})

    @staticmethod
    def call(command: list[str], where: Path, environment: dict[str, str]) -> str:
        """Standard output of a command that has to succeed."""
        done = subprocess.run(
            command,
            cwd=where,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
