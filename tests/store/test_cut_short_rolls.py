"""What was said to be lost of a roll that was cut short is kept, and taken back, over restarts."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

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
        while self.logs.rolls.busy:
            for message in self.logs.rolls.read_next():
                self.counting.take(message)
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
    lost, lines = life.end()
    assert lost == (becomes != "whole")
    assert (lines == 500) == (becomes == "whole")
