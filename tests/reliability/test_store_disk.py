"""Full, failing, read-only and locked disks under a running `serve`: F17 to F20."""

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.store.repair import backup
from engine.store.store import Store
from lab.processes import missing_programs
from tests.reliability import store_support as support
from tests.reliability.serving import ROOT, Serving
from tests.reliability.store_support import HOUR, UTC, figures
from tests.reliability.store_writer import COMMITS
from tests.support.measured import measured

SEED = int(os.environ.get("STORE_SEED", "20261123"))

QUICK = """
import sys
from engine.runtime import schedule, service_status
schedule.SAVE_SECONDS = schedule.RETRY_SECONDS = 1.5
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


def saved_lines(database: Path) -> int:
    """How many lines are saved: by the fates beside the positions and by the visits, which must
    agree; and each package has minutes of use in every hour in which it was visited.
    """
    found = figures(database)
    lines: int = sum(row[1] + row[2] for row in found["logs"].values())
    values = found["figures"]
    visits = sum(value for (_, indicator, _), (value, _) in values.items() if indicator == 1001)
    files = sum(value for (_, indicator, _), (value, _) in values.items() if indicator == 1003)
    assert (visits, files) == (lines // 6 * 2, lines // 6 * 2)
    for hour, indicator, title in values:
        if indicator == 1001:
            assert values[hour, 1006, title][1]
            assert values[hour, 1005, ""][1] & values[hour, 1006, title][1]
    return lines


@pytest.mark.parametrize("room", [0, 4, 16, 40])
def test_a_first_start_on_a_full_disk(tmp_path: Path, small_disk: Path, room: int) -> None:
    """Where a new database has no room (KiB) it ends with 74, says so, and leaves no draft; with
    room it starts, whatever was there before: nothing, or an empty file.
    """
    database = small_disk / "metrics.db"
    if room % 16:
        database.touch()
    filling = small_disk / "film"
    with contextlib.suppress(OSError), filling.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    os.truncate(filling, filling.stat().st_size - room * 1024)
    serving = Serving(tmp_path, database=database).begin()
    assert serving.process.wait(30) == 74, serving.text()
    # Where room ends in the middle of it, SQLite only has "disk I/O error".
    assert any(part in serving.text() for part in ("make room on that disk", "is the disk full"))
    assert "is not there" not in serving.text()
    assert {path.name for path in small_disk.iterdir()} <= {
        *("film", "metrics.db", "metrics.db.lock")
    }
    filling.unlink()
    with Serving(tmp_path, database=database) as serving:
        serving.add(6)
        serving.wait(serving.counted(6))


def test_a_first_start_where_files_may_not_grow(tmp_path: Path) -> None:
    """With a limit on the size of files (ulimit -f) it is the database that cannot be written."""
    serving = Serving(tmp_path, under=("prlimit", "--fsize=8192", "--")).begin()
    assert serving.process.wait(30) == 74, serving.text()
    assert "is not there" not in serving.text()
    assert "metrics.db" in serving.text()


def test_disk_full(tmp_path: Path, small_disk: Path) -> None:
    """On a full disk the older backup gives way, counting goes on in memory, the API answers,
    /health tells, and once there is room everything is saved, without waiting for the end: nothing
    is lost (F17).
    """
    database = small_disk / "metrics.db"
    with Serving(tmp_path, database=database, code=QUICK) as serving:
        serving.add(6)
        serving.wait(serving.counted(6))
        serving.wait(lambda: serving.metric("saves_total") > 0)
        newest, older = (small_disk / f"metrics.db.backup{end}" for end in ("", "-old"))
        newest.write_bytes(b"new")
        older.write_bytes(bytes(4096))
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        serving.wait(lambda: serving.get("/health")[0] == 503)
        assert older.exists()
        for number in range(6, 306, 6):
            serving.add(6, at=HOUR + number * 600.0, first=number)
        serving.wait(serving.counted(306))
        serving.wait(lambda: not older.exists())
        serving.wait(lambda: "saving fails" in str(serving.status()["health"]["reasons"]))
        assert serving.get("/health")[0] == 503
        assert newest.read_bytes() == b"new"
        assert serving.get("/api/v1/aggregations/D")[0] == 200
        filler.unlink()
        serving.wait(lambda: serving.get("/health")[0] == 200)
        serving.end()
    assert saved_lines(database) == 306


def test_no_room_for_a_backup(
    tmp_path: Path, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where two databases and 8 MiB do not fit, no backup is begun: it is said, and tried again
    after the next hour; counting goes on.
    """
    database = small_disk / "metrics.db"
    with contextlib.closing(Store.open(database, UTC)) as store:
        counting = support.make_counting(store, tmp_path)
        counting.begin(HOUR)
        for number in range(1, 121):
            counting.tick(support.minute(HOUR + number * 60))
        assert store.reader().record_hours() == [HOUR, HOUR + 3600]
    assert not backup.backups_of(database)
    assert sum("no room for a backup" in text for text in caplog.messages) == 2
    assert [path.name for path in small_disk.glob("*.tmp")] == []


def test_read_only(tmp_path: Path, small_disk: Path) -> None:
    """From a start on a read-only disk on, the old figures are shown and counting goes on in
    memory; with the disk writable again everything is saved, without waiting for the end (F19).
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
            assert b'"D"' in serving.get("/api/v1/aggregations")[1]
            serving.add(6, first=6)
            serving.wait(serving.counted(12))
            serving.wait(lambda: serving.get("/health")[0] == 503)
            assert serving.get("/api/v1/aggregations/D")[0] == 200
            assert any("cannot be written" in note for note in serving.status()["notes"])
            assert saved_lines_read_only(database) == 6
            subprocess.run([part.format("rw") for part in remount], check=True)
            serving.add(6, first=12)
            serving.wait(serving.counted(18))
            serving.wait(lambda: serving.get("/health")[0] == 200)
            serving.wait(lambda: saved_lines(database) == 18)
            assert not any("cannot be written" in note for note in serving.status()["notes"])
            serving.end()
    finally:
        subprocess.run([part.format("rw") for part in remount], check=True)
    assert saved_lines(database) == 18


def saved_lines_read_only(database: Path) -> int:
    """Lines in the saved positions of a database that lies on a disk that cannot be written."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?immutable=1", uri=True)) as found:
        (lines,) = found.execute("SELECT sum(counted + unmatched) FROM log_file").fetchone()
        return int(lines)


def test_read_only_while_it_runs(tmp_path: Path) -> None:
    """When the kernel makes the file system read-only under the running process, as it does after
    an error of the card, counting and answers go on and /health tells; what had been saved is
    whole, and the next start counts the rest from the logs (F19).
    """
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    image, mounted = tmp_path / "image", tmp_path / "card"
    mounted.mkdir()
    image.write_bytes(b"")
    os.truncate(image, 16 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    mount = ["mount", "-o", "loop,errors=remount-ro", str(image), str(mounted)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("no loop device can be mounted here (it takes root and a kernel with loop)")
    database = mounted / "metrics.db"
    try:
        with Serving(tmp_path, database=database, code=QUICK) as serving:
            serving.add(6)
            serving.wait(serving.counted(6))
            serving.wait(lambda: serving.metric("saves_total") > 0)
            break_file_system(mounted)
            serving.add(12, first=6)
            serving.wait(serving.counted(18))
            serving.wait(lambda: "saving fails" in str(serving.status()["health"]["reasons"]))
            assert serving.get("/health")[0] == 503
            assert serving.get("/api/v1/aggregations/D")[0] == 200
            assert serving.stop()[0] == 0, serving.text()
            assert "Traceback" not in serving.text()
    finally:
        subprocess.run(["umount", str(mounted)], check=True)
    subprocess.run(["e2fsck", "-fy", str(image)], check=False, capture_output=True)
    subprocess.run(mount, check=True)
    try:
        assert saved_lines(database) == 6
        with Serving(tmp_path, database=database) as serving:
            serving.wait(serving.counted(18))
            assert serving.stop()[0] == 0
        assert saved_lines(database) == 18
        assert not (mounted / "quarantine").exists()
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


def break_file_system(mounted: Path) -> None:
    """Let the kernel find an error in a file system, by the switch that ext4 has for tests."""
    device = mounted.stat().st_dev
    for folder in Path("/sys/fs/ext4").iterdir():
        number = Path("/sys/class/block", folder.name, "dev")
        if number.exists() and number.read_text().split() == [
            f"{os.major(device)}:{os.minor(device)}"
        ]:
            (folder / "trigger_fs_error").write_text("1")
            return
    pytest.skip("this kernel does not let ext4 be broken on purpose")


def test_locked_by_another_program(tmp_path: Path) -> None:
    """While another program holds the database, counting goes on, answers come, /health tells, and
    the save is made once it lets go, without waiting for the end (F20).
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
            saved = other.execute("SELECT sum(counted + unmatched) FROM log_file").fetchone()
            assert saved[0] == 6
            other.execute("ROLLBACK")
        serving.wait(lambda: serving.get("/health")[0] == 200)
        assert serving.database.with_name("metrics.db-wal").exists()
        serving.end()
    assert saved_lines(serving.database) == 18


# Errors at the k-th call


def run_with_errors(folder: Path, *errors: str) -> tuple[int, int]:
    """Let the writer run into errors of the disk. Its failed commits, and what is saved at the end,
    which is checked: visits, minutes and bytes are of the same commits, each once, and of all that
    were acknowledged.
    """
    folder.mkdir()
    Store.open(folder / "metrics.db", UTC, repair_at=HOUR).close()
    code = (
        "from pathlib import Path; import sys; "
        "from tests.reliability.store_writer import write_on; write_on(Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [
            *("strace", "-f", "--seccomp-bpf", "-o", "/dev/null"),
            *("-e", "trace=pwrite64,fdatasync,fsync"),
            *(part for error in errors for part in ("-e", f"inject={error}")),
            *(sys.executable, "-c", code, str(folder)),
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert done.returncode == 0, (errors, done.stderr[-2000:])
    failed, acknowledged = map(int, done.stdout.split())
    found = figures(folder / "metrics.db")
    visits = [value for (_, i, _), (value, _) in found["figures"].items() if i == 1001]
    minutes = [value for (_, i, _), (_, value) in found["figures"].items() if i == 1005]
    saved = sum(visits)
    assert acknowledged <= saved <= COMMITS, (errors, acknowledged, saved)
    assert sum(minutes) == (1 << saved) - 1, (errors, saved, minutes)
    assert sum(row[0] for row in found["logs"].values()) == saved, (errors, saved)
    shutil.rmtree(folder)
    return failed, saved


@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(14, id="14"),
        pytest.param(300, marks=[pytest.mark.full, pytest.mark.timeout(600)], id="300"),
    ],
)
def test_errors_of_the_disk_at_any_call(cases: int) -> None:
    """When the k-th write or sync fails with EIO or ENOSPC, once, for a while or from then on, the
    database has visits, minutes and positions of the same commits, each once, and of all that were
    acknowledged; where the errors end, it has everything (F18).
    """
    assert not missing_programs("strace")
    rng = random.Random(SEED)

    def draw() -> str:
        call = rng.choice(("pwrite64", "fdatasync", "fsync"))
        first = rng.randint(1, 60 if call == "pwrite64" else 15)
        until = rng.choice(("", f"..{first + rng.randint(1, 4)}", f"..{first + 8}+2", "+"))
        return f"{call}:error={rng.choice(('EIO', 'ENOSPC'))}:when={first}{until}"

    errors = [draw() for _ in range(cases)]
    with support.memory_folder("errors-") as memory, ThreadPoolExecutor(2) as two:
        found = list(two.map(lambda n: run_with_errors(memory / str(n), errors[n]), range(cases)))
    for error, (_, saved) in zip(errors, found, strict=True):
        assert saved == COMMITS or error.endswith("+"), (error, saved)
    failures = sum(failed > 0 for failed, _ in found)
    measured(f"seed {SEED}: {cases} cases, {failures} with commits that failed")
    assert failures


def test_a_commit_that_landed_though_it_failed_counts_once() -> None:
    """When a sync fails after a commit has reached the file, and the saves after it fail too,
    whichever way, everything counts once in the end (F18).
    """
    assert not missing_programs("strace")
    errors = [
        ("fdatasync:error=EIO:when=8..10",),
        ("fdatasync:error=EIO:when=8..14+2",),
        ("fdatasync:error=ENOSPC:when=7..20+2",),
        ("pwrite64:error=EIO:when=30..90+9",),
        ("fdatasync:error=EIO:when=8", "pwrite64:error=ENOSPC:when=24..26"),
    ]
    with support.memory_folder("landed-") as memory, ThreadPoolExecutor(2) as two:
        numbers = range(len(errors))
        found = list(two.map(lambda n: run_with_errors(memory / str(n), *errors[n]), numbers))
    assert min(failed for failed, _ in found) >= 1, found
    assert max(failed for failed, _ in found) > 3, found
    assert {saved for _, saved in found} == {COMMITS}, found
