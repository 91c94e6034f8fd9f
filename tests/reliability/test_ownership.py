"""State has one owner: the reader and the main thread share messages, not objects."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.runtime.inbox import Inbox
from engine.sources.model import Look
from tests.reliability.ownership import shared
from tests.reliability.serving import Serving
from tests.reliability.store_support import HOUR, line
from tests.support.reading import FILEBEAT, READERS

CODE = """
import sys
from pathlib import Path
from offspot_metrics import main
from tests.reliability import ownership
ownership.watch(Path.cwd())
sys.exit(main())
"""


@pytest.mark.parametrize("reader", READERS)
def test_threads_share_no_state(tmp_path: Path, reader: str) -> None:
    """In a real process that reads and saves: no dict, list, set or object that one of the two
    threads could change can be reached from the other.
    """
    (tmp_path / "logs").mkdir()
    roll = tmp_path / "logs/caddy_access_logs-1.json.gz"
    roll.write_bytes(gzip.compress(b"".join(line(HOUR + n, n) for n in range(100, 103))))
    with Serving(tmp_path, "--reader", reader, "--filebeat", str(FILEBEAT), code=CODE) as serving:
        serving.add(6)
        serving.wait(lambda: serving.status()["lines"]["read"] == 9)
        serving.wait(lambda: serving.status()["reader"]["kind"] == reader)
        (tmp_path / "walk").touch()
        serving.wait((tmp_path / "walked").exists)
        found = json.loads((tmp_path / "walked").read_text())
        assert serving.stop()[0] == 0
    assert found.get("shared") == [], found
    assert found["main"] > 100
    assert found["reader"] > 20
    assert found["kind"] == {"tail": "Tail", "filebeat": "FilebeatSource"}[reader]


@dataclass
class Owner:
    """Somebody with state."""

    state: dict[str, int] = field(default_factory=dict)
    look: Look = field(default_factory=Look)
    emit: object = None

    def read(self) -> object:
        """Give away what is mine, in a closure."""
        state = self.state
        return lambda: state


def test_what_is_shared_is_seen() -> None:
    """A dict behind a method, a closure or a list is found; what is frozen, and a channel, may be
    shared.
    """
    mine, inbox = Owner(), Inbox()
    yours = Owner(look=mine.look, emit=inbox.put_message)
    mine.emit = inbox.put_message
    assert shared([mine], [yours])[0] == []
    for give in (mine.read(), [mine.state], mine.read):
        yours.emit = give
        assert any("dict" in text for text in shared([mine], [yours])[0])
