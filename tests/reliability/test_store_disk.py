"""Full, failing, read-only and locked disks under a running `serve`: F17 to F20."""

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import MetricsError
from engine.store.store import Store
from tests.reliability import store_support as support
from tests.reliability.serving import ROOT, Serving
from tests.reliability.store_support import HOUR, UTC, figures
from tests.support.chain import missing_programs
from tests.support.measured import measured

SEED = int(os.environ.get("STORE_SEED", "20261123"))

QUICK = """
import sys
from engine.runtime import counting, vitals
counting.SAVE_SECONDS = counting.RETRY_SECONDS = 1.5
from offspot_metrics import main
sys.exit(main())
"""
"""The program with a minute of a second and a half."""


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system in memory of a few megabytes."""
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    folder = Path(tempfile.mkdtemp(prefix="small-"))
    size = "size=7m,mode=700"
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=False
    ).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def counted(database: Path) -> int:
    """Lines in the saved positions, and the visits that they are."""
    return sum(row[1] + row[2] for row in figures(database)["logs"].values())


def test_disk_full(tmp_path: Path, small_disk: Path) -> None:
    """On a full disk counting goes on in memory, the API answers, /health tells, the older backup
    gives way, and once there is room everything is saved: nothing is lost (F17).
    """
    database = small_disk / "metrics.db"
    with Serving(tmp_path, database=database, code=QUICK) as serving:
        serving.add(6)
        serving.wait(serving.counted(6))
        (small_disk / "metrics.db.backup").write_bytes(b"new")
        older = small_disk / "metrics.db.backup-old"
        older.write_bytes(bytes(4096))
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        serving.wait(lambda: serving.get("/health")[0] == 503)
        for number in range(6, 306, 6):
            serving.add(6, at=HOUR + number * 600.0, first=number)
        serving.wait(serving.counted(306))
        serving.wait(lambda: any("disk" in r for r in serving.status()["health"]["reasons"]))
        serving.wait(lambda: not older.exists() or serving.metric("saves_total") > 0)
        assert serving.get("/api/v1/aggregations/D")[0] == 200
        filler.unlink()
        serving.wait(lambda: serving.get("/health")[0] == 200)
        assert serving.stop()[0] == 0
    assert counted(database) == 306


def test_read_only(tmp_path: Path, small_disk: Path) -> None:
    """On a disk that is remounted read-only counting goes on in memory, also from a start on that
    disk on; the API answers; with the disk writable again everything is saved (F19).
    """
    database = small_disk / "metrics.db"
    remount = ["mount", "-o", "remount,{}", str(small_disk)]
    with Serving(tmp_path, database=database, code=QUICK) as serving:
        serving.add(6)
        serving.wait(serving.counted(6))
        serving.wait(lambda: bool(serving.status()["lastSaveAt"]))
        assert serving.stop()[0] == 0
    subprocess.run([part.format("ro") for part in remount], check=True)
    try:
        with Serving(tmp_path, database=database, code=QUICK) as serving:
            serving.add(6, first=6)
            serving.wait(serving.counted(12))
            serving.wait(lambda: serving.get("/health")[0] == 503)
            assert serving.get("/api/v1/aggregations/D")[0] == 200
            assert any("cannot be written" in note for note in serving.status()["notes"])
            subprocess.run([part.format("rw") for part in remount], check=True)
            serving.add(6, first=12)
            serving.wait(lambda: serving.get("/health")[0] == 200)
            assert serving.stop()[0] == 0
    finally:
        subprocess.run([part.format("rw") for part in remount], check=True)
    assert counted(database) == 18


def test_locked_by_another_program(tmp_path: Path) -> None:
    """While another program holds the database, counting goes on, answers come, and the save is
    made once it lets go (F20).
    """
    with Serving(tmp_path, code=QUICK) as serving:
        serving.add(6)
        serving.wait(lambda: bool(serving.status()["lastSaveAt"]))
        with contextlib.closing(sqlite3.connect(serving.database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            serving.add(12, first=6)
            serving.wait(serving.counted(18))
            serving.wait(lambda: serving.get("/health")[0] == 503)
            assert any("locked" in r for r in serving.status()["health"]["reasons"])
            assert serving.get("/api/v1/aggregations/D")[0] == 200
            other.execute("ROLLBACK")
        serving.wait(lambda: serving.get("/health")[0] == 200)
        assert serving.stop()[0] == 0
    assert counted(serving.database) == 18


# Errors at the k-th call


def write_on(folder: Path) -> None:
    """A writer that keeps what could not be saved and tries again, as `serve` does."""
    store = Store.open(folder / "metrics.db", UTC, repair_at=HOUR, may_be_read_only=True)
    kept: dict[tuple[int, int, str], int] = {}
    failed = 0
    for number in range(25):
        key = (HOUR, 1001, "Bees")
        kept[key] = kept.get(key, 0) + 1
        kept[HOUR, 1005, ""] = kept.get((HOUR, 1005, ""), 0) | 1 << number
        try:
            store.commit(kept, running_hour=HOUR, at=HOUR)
            kept = {}
        except MetricsError:
            failed += 1
    for _ in range(3):
        with contextlib.suppress(MetricsError):
            store.commit(kept, running_hour=HOUR, at=HOUR)
            kept = {}
    with contextlib.suppress(MetricsError):
        store.close()
    print(f"{failed} {kept.get((HOUR, 1001, 'Bees'), 0)}")


@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(14, id="14"),
        pytest.param(300, marks=[pytest.mark.full, pytest.mark.timeout(1800)], id="300"),
    ],
)
def test_errors_of_the_disk_at_any_call(cases: int) -> None:
    """When the k-th write or sync fails with EIO or ENOSPC, once or from then on, what is in the
    database and what is still kept in memory are together everything, each once (F18).
    """
    assert not missing_programs("strace")
    rng = random.Random(SEED)
    seen_failures = 0
    code = (
        "from pathlib import Path; import sys; "
        "from tests.reliability.test_store_disk import write_on; write_on(Path(sys.argv[1]))"
    )
    with support.memory_folder("errors-") as memory:
        for number in range(cases):
            folder = memory / str(number)
            folder.mkdir()
            Store.open(folder / "metrics.db", UTC, repair_at=HOUR).close()
            call = rng.choice(("pwrite64", "fdatasync", "fsync"))
            error = rng.choice(("EIO", "ENOSPC"))
            when = f"{rng.randint(1, 60 if call == 'pwrite64' else 15)}{rng.choice(('', '', '+'))}"
            done = subprocess.run(
                [
                    *("strace", "-f", "-o", "/dev/null", "-e", f"trace={call}"),
                    *("-e", f"inject={call}:error={error}:when={when}"),
                    *(str(ROOT / ".venv/bin/python"), "-c", code, str(folder)),
                ],
                check=False,
                capture_output=True,
                text=True,
                cwd=ROOT,
                timeout=120,
            )
            what = f"{call} {error} {when}"
            assert done.returncode == 0, (what, done.stderr[-2000:])
            failed, kept = map(int, done.stdout.split())
            seen_failures += failed > 0
            found = figures(folder / "metrics.db")["figures"]
            saved = found.get((HOUR, 1001, "Bees"), (0, 0))[0]
            assert saved + kept == 25 or (kept and saved + kept <= 25 + kept), (what, saved, kept)
            assert kept or saved == 25, (what, saved)
            shutil.rmtree(folder)
    measured(f"seed {SEED}: {cases} cases, {seen_failures} with commits that failed")
    assert seen_failures
