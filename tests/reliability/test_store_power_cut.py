"""Power cuts: what a disk may hold, made from a real writer's system calls; disk images: F2-F5."""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store.repair import backup, check
from engine.store.store import Store
from lab.processes import missing_programs
from tests.reliability import store_support as support
from tests.reliability.store_power import Call, Disk, log_line, log_of, trace
from tests.reliability.store_support import HOUR, UTC
from tests.support.measured import measured

SEED = int(os.environ.get("STORE_SEED", "20261123"))
COMMITS = 90


@pytest.fixture
def memory() -> Iterator[Path]:
    with support.memory_folder("power-") as folder:
        yield folder


@pytest.fixture(scope="module")
def calls() -> Iterator[tuple[Path, list[Call]]]:
    """What a real writer asked the system to do."""
    assert not missing_programs("strace")
    with support.memory_folder("trace-") as memory:
        folder = memory / "data"
        folder.mkdir()
        found = trace(folder, COMMITS)
        assert len(found) > 500
        yield folder, found


def amounts(store: Store) -> tuple[int, int, int]:
    """Lines by position, by figures, by fate: all three must tell the same."""
    total = store.connection.execute(
        "SELECT (SELECT coalesce(sum(value), 0) FROM record WHERE indicator_id = 1001) + "
        "(SELECT coalesce(sum(state), 0) FROM state WHERE indicator_id = 1001)"
    ).fetchone()[0]
    position = sum(g.position for g in store.log_files().values())
    assert position % len(log_line(0)) == 0
    return position // len(log_line(0)), int(total), store.reader().fates().total()


def check_disk(folder: Path, acked: int, later: int) -> bool:
    """Open what a power cut has left. Whether a repair was finished on the way.

    The database has every line whose save was acknowledged, the log has every line that the
    database has counted, and whatever is called a backup is a valid database.
    """
    repairing = any(folder.glob("quarantine/*/unfinished"))
    for copy in backup.backups_of(folder / "metrics.db"):
        assert check.problems_in(copy, "mode=ro&immutable=1") == []
        with contextlib.closing(sqlite3.connect(f"file:{copy}?immutable=1", uri=True)) as opened:
            assert opened.execute("SELECT sum(counted) FROM log_file").fetchone()[0]
    with contextlib.closing(Store.open(folder / "metrics.db", UTC, repair_at=HOUR)) as store:
        assert repairing or not store.repairs, store.repairs
        assert not store.problems()
        lines, total, fates = amounts(store)
        assert lines == total == fates
        assert acked <= lines <= later, (acked, lines, later)
    content = log_of(folder).read_bytes() if lines else b""
    assert content.startswith(b"".join(map(log_line, range(lines)))), "the position is ahead"
    return repairing


@pytest.mark.parametrize(
    "states",
    [
        pytest.param(200, id="200"),
        pytest.param(10_000, marks=[pytest.mark.full, pytest.mark.timeout(1800)], id="10000"),
    ],
)
def test_power_cut_at_any_moment(memory: Path, calls: tuple[Path, list[Call]], states: int) -> None:
    """After a power cut at any moment of making, writing, backing up, repairing and closing, with
    unsynced writes dropped, torn or applied out of order, the database opens, is valid, needs no
    repair, and has every line that was acknowledged; no position is ahead of its log, and every
    backup can be opened (F2, F3, F4).
    """
    root, trail = calls
    measured(f"seed {SEED}, {states:,} states of {len(trail):,} system calls")
    rng = random.Random(SEED)
    moments = sorted(rng.randrange(1, len(trail) + 1) for _ in range(states))
    disk, done = Disk(root), 0
    repaired = backups = 0
    for moment in moments:
        for call in trail[done:moment]:
            disk.apply(call)
        done = moment
        folder = memory / "disk"
        folder.mkdir()
        disk.crash(rng, folder)
        repaired += check_disk(folder, disk.acked, disk.acked + 1)
        backups += len(backup.backups_of(folder / "metrics.db"))
        shutil.rmtree(folder)
    assert repaired
    assert backups > states // 2
    assert disk.acked > COMMITS // 2


def test_a_file_is_durable_before_it_has_its_name(calls: tuple[Path, list[Call]]) -> None:
    """What takes the place of a database or a backup is synced last before it is renamed, by
    ourselves, whatever SQLite does; and its folder is synced before anything else is written.
    """
    root, trail = calls
    seen = set()
    for place, call in enumerate(trail):
        if call.name != "rename" or not call.path.endswith((".backup.tmp", ".db.new")):
            continue
        seen.add(Path(call.other).name)
        before = [other for other in trail[:place] if other.path == call.path]
        assert before[-1].name == "sync", call
        after = next(c for c in trail[place + 1 :] if c.name in {"sync", "pwrite64", "write"})
        assert (after.name, after.path) == ("sync", str(root)), call
    assert seen == {"metrics.db", "metrics.db.backup"}


@pytest.mark.parametrize(
    "states",
    [
        pytest.param(40, id="40"),
        pytest.param(1000, marks=[pytest.mark.full, pytest.mark.timeout(600)], id="1000"),
    ],
)
def test_a_card_that_lies(memory: Path, calls: tuple[Path, list[Call]], states: int) -> None:
    """On a card that says it has synced and has not, for the last part of the time, the service
    comes up all the same, with figures that agree with the positions, or with a note (F5).
    """
    root, trail = calls
    rng = random.Random(SEED + 1)
    repaired = unseen = 0
    for _ in range(states):
        moment = rng.randrange(len(trail) // 8, len(trail))
        honest = max(0, moment - rng.randrange(10, 120))
        disk = Disk(root)
        for number, call in enumerate(trail[:moment]):
            disk.apply(call, lies=number >= honest)
        folder = memory / "disk"
        folder.mkdir()
        disk.crash(rng, folder)
        with contextlib.closing(Store.open(folder / "metrics.db", UTC, repair_at=HOUR)) as store:
            assert not store.problems()
            lines, total, fates = amounts(store)
            repaired += bool(store.repairs)
            unseen += not (lines == total == fates or store.repairs)
        shutil.rmtree(folder)
    measured(f"seed {SEED + 1}: {states} states, {repaired} repaired with a note, {unseen} unseen")
    assert unseen == 0


# Whole disks


@contextlib.contextmanager
def loop_disk(folder: Path, megabytes: int = 16) -> Iterator[tuple[Path, Path]]:
    """An ext4 file system in a file, mounted. Skips where that cannot be done."""
    image, mounted = folder / "image", folder / "mounted"
    mounted.mkdir()
    image.write_bytes(b"")
    os.truncate(image, megabytes << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    if subprocess.run(["mount", "-o", "loop", image, mounted], check=False).returncode:
        pytest.skip("no loop device can be mounted here (it takes root and a kernel with loop)")
    try:
        yield image, mounted
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


@pytest.mark.parametrize(
    "images",
    [
        pytest.param(8, id="8"),
        pytest.param(200, marks=[pytest.mark.full, pytest.mark.timeout(600)], id="200"),
    ],
)
def test_images_of_a_whole_disk(images: int) -> None:
    """An image of an ext4 disk, taken at a random instant while counting writes to it, holds every
    line that was acknowledged by then, opens without a repair, and has no position that is ahead of
    the log on it (F3).
    """
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    rng = random.Random(SEED + 2)
    with contextlib.ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="disk-")))
        image, mounted = stack.enter_context(loop_disk(base))
        code = (
            "from pathlib import Path; from tests.reliability.store_power import write_much; "
            f"write_much(Path({str(mounted)!r}), 1000000)"
        )
        writer = subprocess.Popen(
            [sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2]
        )
        stack.callback(writer.wait)
        stack.callback(writer.kill)
        told = mounted / "acked"
        support.wait_for(lambda: told.exists() and told.stat().st_size > 0, 30)
        for _ in range(images):
            least = int(told.read_bytes()) + rng.randint(1, 9)
            support.wait_for(lambda least=least: int(told.read_bytes()) >= least, 60)  # type: ignore[misc]
            # Stopped while it is copied: no power cut leaves a disk of many instants.
            writer.send_signal(signal.SIGSTOP)
            support.wait_for(lambda: is_stopped(writer.pid), 30)
            acked = int(told.read_bytes())
            copy = base / "copy"
            subprocess.run(["cp", "--sparse=always", str(image), str(copy)], check=True)
            later = int(told.read_bytes())
            writer.send_signal(signal.SIGCONT)
            check_image(base, copy, acked, later)
    measured(f"seed {SEED + 2}: {images} images")


def is_stopped(process: int) -> bool:
    """Whether a process has come to its stop, also out of a system call."""
    return "\nState:\tT" in Path(f"/proc/{process}/status").read_text()


def check_image(base: Path, copy: Path, acked: int, later: int) -> None:
    """Mount a copied disk, open its database, and compare with what was acknowledged."""
    seen = base / "seen"
    seen.mkdir(exist_ok=True)
    subprocess.run(["e2fsck", "-fy", str(copy)], check=False, capture_output=True)
    subprocess.run(["mount", "-o", "loop", str(copy), str(seen)], check=True)
    try:
        assert not check_disk(seen, acked, later + 1)
    finally:
        subprocess.run(["umount", str(seen)], check=True)
    copy.unlink()


def test_the_harness_sees_damage(memory: Path, calls: tuple[Path, list[Call]]) -> None:
    """The simulated disk can damage: a writer whose syncs do nothing is found broken by SQLite."""
    root, trail = calls
    rng = random.Random(SEED + 3)
    broken = 0
    for _ in range(40):
        disk = Disk(root)
        for call in trail[: rng.randrange(len(trail) // 2, len(trail))]:
            disk.apply(call, lies=not call.path.endswith("metrics.db.new"))
        folder = memory / "disk"
        folder.mkdir()
        disk.crash(rng, folder)
        with contextlib.suppress(sqlite3.Error):
            connection = sqlite3.connect(folder / "metrics.db")
            with contextlib.closing(connection):
                found = connection.execute("PRAGMA integrity_check").fetchone()[0]
                rows = connection.execute("SELECT count(*) FROM log_file").fetchone()[0]
            broken -= found == "ok" and rows > 0
        broken += 1
        shutil.rmtree(folder)
    assert broken > 0
