"""What was said to be lost of a roll that was cut short is kept, and taken back, over restarts."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from engine.sources.model import Look, Lost, Unopened
from engine.store.store import Store
from engine.times import load_zone
from tests.reliability import store_support as support

ROLL = "caddy_access_logs-1.json.gz"
CONTENT = b"".join(support.line(support.HOUR + number, number) for number in range(500))


class Life:
    """One life of the program over a folder: looks and counts when a test says so."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(folder / "metrics.db", load_zone("UTC"))
        self.counting = support.make_counting(self.store, folder)
        self.counting.begin(support.HOUR)
        self.logs = support.make_folder(self.counting, folder / "logs")
        self.now = 0.0

    def look(self, seconds: float = 1.0) -> None:
        self.now += seconds
        messages = self.logs.look(self.now)
        support.note_look(self.counting, self.logs)
        for message in messages:
            self.counting.take(message)
        for step in self.logs.rolls.steps():
            if step is not None:
                self.counting.take(step)
        support.note_look(self.counting, self.logs)

    def lost(self) -> bool:
        """Whether it is said that something is lost."""
        return self.counting.status.lost_at_least

    def end(self) -> tuple[bool, int]:
        """Stop; what was said of losses, and how many lines there are."""
        assert self.counting.save(at=support.HOUR, last=True)
        lost, lines = self.lost(), self.store.reader().fates().total()
        self.logs.close()
        self.store.close()
        return lost, lines


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("becomes", ["whole", "longer", "gone"])
def test_a_loss_stays_until_the_roll_is_whole(tmp_path: Path, becomes: str, restarts: bool) -> None:
    """Said once it has stood still, still said after a restart, and no more when all is there."""
    (tmp_path / "logs").mkdir()
    packed = gzip.compress(CONTENT)
    roll = tmp_path / "logs" / ROLL
    roll.write_bytes(packed[: len(packed) // 3])
    life = Life(tmp_path)
    life.look()
    assert not life.lost()
    life.look(60)
    assert life.lost()
    if restarts:
        assert life.end()[0]
        life = Life(tmp_path)
        assert life.lost()
    if becomes == "gone":
        roll.unlink()
    else:
        roll.write_bytes(packed if becomes == "whole" else packed[: len(packed) // 2])
    life.look()
    life.look()
    assert life.counting.status.lost_logs == (becomes != "whole")
    lost, lines = life.end()
    assert lost == (becomes != "whole")
    assert (lines == 500) == (becomes == "whole")


def test_many_rolls_may_become_whole(tmp_path: Path) -> None:
    """Of each it is remembered, up to 64, that nothing of it may be lost after all."""
    (tmp_path / "logs").mkdir()
    packed = {}
    for number in range(5):
        roll = tmp_path / "logs" / f"caddy_access_logs-{number}.json.gz"
        at = support.HOUR + 600 * number
        packed[roll] = gzip.compress(
            b"".join(support.line(at + n, 1000 * number + n) for n in range(500))
        )
        roll.write_bytes(packed[roll][:-900])
    life = Life(tmp_path)
    life.look()
    life.look(60)
    assert (life.lost(), life.counting.status.lost_logs) == (True, 5)
    for roll, content in packed.items():
        roll.write_bytes(content)
    life.look()
    assert (life.lost(), life.counting.status.lost_logs) == (False, 0)
    life.end()


def test_a_loss_that_may_be_more_is_logged_as_such(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the bytes that are known of."""
    life = Life(tmp_path)
    for at_least in (True, False):
        life.counting.take(Lost(b"", 77, at_least=at_least, name="a.json"))
    assert caplog.messages == [
        "log a.json: at least 77 bytes were lost before they were read",
        "log a.json: 77 bytes were lost before they were read",
    ]
    life.end()


def test_logs_that_could_not_be_opened_are_known_after_a_restart(tmp_path: Path) -> None:
    """The next start looks for them: those that are gone are lost."""
    unopened = (Unopened(1, 2, "a.json", 70), Unopened(1, 3, "b.json", 80))
    life = Life(tmp_path)
    life.counting.take(Look(unopened=unopened))
    life.end()
    life = Life(tmp_path)
    assert life.counting.losses.unfinished(tmp_path / "logs").unopened == unopened
    life.end()
