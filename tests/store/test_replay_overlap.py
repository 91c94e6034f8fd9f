"""A file that begins like no known log: refused when more than half of its time is counted."""

import gzip
from pathlib import Path

import pytest

from engine.packages import parse_packages
from engine.replay import Replay
from engine.sources.lines import BLOCK_BYTES
from engine.store.store import Store
from tests.reliability.store_support import HOUR, PACKAGES, UTC, line


def write(path: Path, *times: int) -> Path:
    """A log with a line at each of these seconds."""
    path.write_bytes(b"".join(line(HOUR + at, 0, f"{path.name}{at}") for at in times))
    return path


@pytest.mark.parametrize(
    ("begin", "refused"),
    [(0, True), (10, True), (499, True), (500, False), (501, False), (990, False), (1500, False)],
)
def test_half_of_the_time(tmp_path: Path, begin: int, *, refused: bool) -> None:
    """A log of a thousand seconds is counted, then a piece of as many begins in it: refused when it
    lies in it by more than half, counted whole otherwise; other files are counted all the same.
    """
    packages = parse_packages(PACKAGES.encode(), "packages.yml")
    known = write(tmp_path / "known.json", *range(0, 1001, 50))
    piece = write(tmp_path / "piece.json", *range(begin, begin + 1001, 100))
    with Store.open(tmp_path / "metrics.db", UTC) as store:
        assert Replay(store, packages).run([str(known)], HOUR).fates["counted"] == 21
        found = Replay(store, packages).run([str(piece)], HOUR)
        assert found.fates["counted"] == (0 if refused else 11)
        assert len(found.errors) == refused
        assert store.reader().fates()["counted"] == (21 if refused else 32)


def test_time_that_two_logs_tell_of_is_counted_once(tmp_path: Path) -> None:
    """Two known logs of the same stretch do not make it longer."""
    packages = parse_packages(PACKAGES.encode(), "packages.yml")
    known = [write(tmp_path / f"{name}.json", *range(0, 400, 50)) for name in "ab"]
    piece = write(tmp_path / "piece.json", *range(0, 1001, 100))
    with Store.open(tmp_path / "metrics.db", UTC) as store:
        for log in known:
            Replay(store, packages, check_overlap=False).run([str(log)], HOUR)
        assert Replay(store, packages).run([str(piece)], HOUR).fates["counted"] == 11


@pytest.mark.parametrize("known", [False, True])
def test_copies_in_a_compressed_file_are_counted_once(tmp_path: Path, *, known: bool) -> None:
    """Of a log that is longer than what is read at a time, known before or not."""
    packages = parse_packages(PACKAGES.encode(), "packages.yml")
    log = write(tmp_path / "log.json", *range(8000))
    assert log.stat().st_size > 1.4 * BLOCK_BYTES
    copies = tmp_path / "copies.json.gz"
    copies.write_bytes(gzip.compress(3 * log.read_bytes(), 1))
    with Store.open(tmp_path / "metrics.db", UTC) as store:
        if known:
            Replay(store, packages).run([str(log)], HOUR)
        assert not Replay(store, packages).run([str(copies)], HOUR).errors
        assert store.reader().fates()["counted"] == 8000
