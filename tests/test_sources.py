"""A new source is a package in `engine/sources/` and its name in the list."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.settings.choices import READERS, SOURCES
from engine.sources.readers import choose_source
from lab.metrics import Metrics
from tests.recipes.tree import Copy
from tests.support.reading import FILEBEAT, line

ROOT = Path(__file__).resolve().parents[1]

SPOOL = '''"""Each file in the folder is a log that is complete, and is emitted once."""

import select
from pathlib import Path

from engine.sources.log_file import ANCHOR_WINDOW_BYTES, log_file_id
from engine.sources.model import Block, Look


class Spool:
    def __init__(self, setup, requests, emit):
        self.setup, self.requests, self.emit = setup, requests, emit
        self.done: set[Path] = set()

    def run(self):
        poll = select.poll()
        poll.register(self.requests.wake_up, select.POLLIN)
        while not self.requests.stopping:
            for path in sorted({*self.setup.folder.glob(self.setup.pattern)} - self.done):
                self.done.add(path)
                data = path.read_bytes()
                log_id = log_file_id(data.split(b"\\n", 1)[0])
                tail = data[-ANCHOR_WINDOW_BYTES:]
                self.emit(Block(0, data, len(data), tail, log_id, path.name))
            self.emit(Look("spool", "running"))
            poll.poll(100)
        self.emit(Look("spool", "stopped"))


def prepare(options):
    return Spool
'''

PACKAGES = """packages:
  - {kind: app, title: Games, url: "//games.box/"}
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The tree with another source."""
    copy = Copy(tmp_path_factory.mktemp("tree"))
    before = copy.files()
    listed = ('("filebeat", "tail")', '("filebeat", "tail", "spool")')
    copy.insert("engine/settings/choices.py", listed)
    (copy.root / "engine/sources/spool").mkdir()
    copy.write("engine/sources/spool/__init__.py", SPOOL)
    after = copy.files()
    assert {name for name in after if before.get(name) != after[name]} == {
        "engine/settings/choices.py",
        "engine/sources/spool/__init__.py",
    }
    copy.write("packages.yml", PACKAGES)
    return copy


def test_serve_reads_by_a_new_source(tree: Copy, tmp_path: Path) -> None:
    """By its name: lines are counted once, over a restart too, and the status names it."""
    program = tmp_path / "offspot-metrics"
    entry = tree.root / "offspot_metrics.py"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{entry}" "$@"\n', "utf-8")
    program.chmod(0o755)
    spool = tmp_path / "spool"
    spool.mkdir()
    options = ["--packages", str(tree.root / "packages.yml"), "--logs", str(spool)]
    options += ["--database", str(tmp_path / "metrics.db"), "--reader", "spool"]
    options += ["--pattern", "*.log", "--timezone", "UTC"]
    (spool / "1.log").write_bytes(b"".join(line(number) for number in range(3)))
    with Metrics(program, options, tmp_path) as metrics:
        metrics.wait_for(lambda: lines(metrics)["counted"] == 3, "three lines", 30)
        (spool / "2.log").write_bytes(b"".join(line(number) for number in range(10, 15)))
        metrics.wait_for(lambda: lines(metrics)["counted"] == 8, "five more", 30)
        status = metrics.api("/api/v1/status")
        assert status["reader"]["kind"] == "spool"
    with Metrics(program, options, tmp_path) as metrics:
        (spool / "3.log").write_bytes(line(20))
        metrics.wait_for(lambda: lines(metrics)["counted"] >= 9, "one more", 30)
        assert lines(metrics)["counted"] == 9


def lines(metrics: Metrics) -> dict[str, Any]:
    """Lines by fate, as the status has them."""
    found: dict[str, Any] = metrics.api("/api/v1/status")["lines"]
    return found


def test_the_list_is_what_can_be_named(tmp_path: Path) -> None:
    """Each name of the list has a source, which can be had here; `auto` takes the first."""
    assert ("auto", *SOURCES) == READERS
    for name in READERS:
        made = choose_source(name, str(FILEBEAT), tmp_path)
        assert callable(made)
        assert f"engine.sources.{SOURCES[0] if name == 'auto' else name}." in made.__module__ + "."


def test_the_plain_reader_knows_no_other_source() -> None:
    """Nor does what crosses the border: Filebeat's package imports the built-in reader, never the
    other way round.
    """
    for path in (ROOT / "engine/sources").rglob("*.py"):
        if "filebeat" in path.relative_to(ROOT).parts:
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom):
                assert "filebeat" not in (node.module or ""), path
