"""Odd places: volumes without flock, with one owner for all, folders that somebody else made."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import Busy, DatabaseForeign, ReaderUnavailable
from engine.sources.filebeat.run_folder import RunFolder, choose_place, left_over, problem_with
from engine.store.files import check_safe_to_write
from engine.store.lock import Lock, _take_name, is_locked
from tests.reliability.serving import ROOT, Serving
from tests.reliability.store_support import figures
from tests.support.reading import FILEBEAT, Following, lines

SOMEBODY = 65534
STRACE = ("strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null")
WITHOUT_FLOCK = (*STRACE, "-e", "trace=flock")


def run(*arguments: object, under: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """The program, to its end."""
    command = [*under, sys.executable, "-m", "offspot_metrics", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment |= {"HOME": "/nonexistent"}
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, timeout=60
    )


# Locks


@pytest.mark.parametrize("error", ["ENOLCK", "ENOSYS", "EOPNOTSUPP", "EINVAL"])
def test_a_volume_without_flock(tmp_path: Path, error: str) -> None:
    """Where flock fails in any of these ways, serve starts, counts and says what the volume lacks;
    a second one on the same database is refused all the same, and doctor sees the first.
    """
    under = (*WITHOUT_FLOCK, "-e", f"inject=flock:error={error}")
    with Serving(tmp_path, under=under) as serving:
        serving.add(3)
        serving.wait(serving.counted(3))
        (note,) = (n for n in serving.status()["notes"] if "flock" in n)
        assert "is only noticed on this machine" in note
        options = serving.command[serving.command.index("--packages") : -2]
        second = run("serve", *options, "--port", "0", under=under)
        assert second.returncode == 75, second.stderr
        assert "in use by another offspot-metrics" in second.stderr
        assert "a replay) is running" in run("doctor", *options, under=under).stdout
        child = Path(f"/proc/{serving.process.pid}/task/{serving.process.pid}/children")
        os.kill(int(child.read_text().split()[0]), signal.SIGTERM)
        assert serving.process.wait(20) == 0, serving.text()
        assert "no serve is running" in run("doctor", *options, under=under).stdout
    assert sum(row[1] for row in figures(serving.database)["logs"].values()) == 3


@pytest.mark.parametrize("error", ["ENOLCK", "ENOSYS", "EOPNOTSUPP", "EINVAL"])
@pytest.mark.parametrize("calls", ["flock,fcntl", "fcntl"])
def test_a_volume_without_the_locks_of_sqlite(tmp_path: Path, calls: str, error: str) -> None:
    """Where no file can be locked by fcntl, with flock or without, the start is refused with 74,
    the reason and a way out, and no database is made.
    """
    data = tmp_path / "data"
    data.mkdir()
    under = [*STRACE, "-P", str(data / "metrics.db.lock")]
    under += ["-e", f"trace={calls}", "-e", f"inject={calls}:error={error}"]
    serving = Serving(tmp_path, under=under).begin()
    try:
        assert serving.process.wait(30) == 74, serving.text()
    finally:
        serving.end()
    assert "has no locks (" in serving.text()
    assert "give a path on a local disk" in serving.text()
    assert "Traceback" not in serving.text()
    assert [path.name for path in data.iterdir()] == ["metrics.db.lock"]


def test_the_last_kind_of_lock_is_a_name(tmp_path: Path) -> None:
    """A name that belongs to a file can be taken once at a time, and is free after its taker."""
    path = tmp_path / "metrics.db.lock"
    path.touch()
    with path.open("rb") as first, path.open("rb") as second:
        taken = _take_name(first.fileno())
        with pytest.raises(OSError, match="in use"):
            _take_name(second.fileno())
        taken.close()
        _take_name(second.fileno()).close()


def test_a_lock_is_held_and_seen(tmp_path: Path) -> None:
    """A held lock refuses another one and is seen by doctor; a released one does neither."""
    path = tmp_path / "metrics.db"
    assert not is_locked(path)
    lock = Lock(path)
    assert is_locked(path)
    assert lock.note == ""
    with pytest.raises(Busy):
        Lock(path)
    lock.release()
    assert not is_locked(path)
    Lock(path).release()


def test_a_hard_link_in_place_of_the_lock(tmp_path: Path) -> None:
    """A lock file that is a second name of another file is refused, and not written to (S35)."""
    victim = tmp_path / "victim"
    victim.touch()
    (tmp_path / "data").mkdir()
    os.link(victim, tmp_path / "data" / "metrics.db.lock")
    with pytest.raises(DatabaseForeign, match="second name"):
        Lock(tmp_path / "data" / "metrics.db")
    serving = Serving(tmp_path).begin()
    assert serving.process.wait(20) == 78, serving.text()
    assert victim.read_bytes() == b""


REFUSED = {
    "text": 65,
    "folder": 78,
    "link": 78,
    "pipe": 78,
    "foreign": 78,
    "file:data/x.db": 2,
    "FILE:/tmp/x.db?mode=memory": 2,
    "file:///tmp/x.db": 2,
    "sqlite:x.db": 2,
    ":memory:": 2,
    "sqlite:///:memory:": 2,
    "/": 2,
    ".": 2,
    "..": 2,
    "x" * 201: 2,
    "~nobody-of-this-name/" + "x" * 300: 2,
    "text/x.db": 74,
}


@pytest.mark.parametrize("command", ["serve", "replay"])
@pytest.mark.parametrize("where", REFUSED, ids=lambda where: where[:30])
def test_a_refused_database_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, where: str
) -> None:
    """What is no database of ours and never was is refused with a way out and no traceback; no
    lock, no folder and no database is made for it (S35).
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("root:x:0:0\n" * 20)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("text")
    os.mkfifo(tmp_path / "pipe")
    with closing(sqlite3.connect(tmp_path / "foreign")) as connection:
        connection.execute("CREATE TABLE notes (text)")
    (tmp_path / "logs").mkdir()
    (tmp_path / "packages.yml").write_text("packages: []\n")
    (tmp_path / "a.json").write_bytes(lines(range(2)))
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    more = ("--logs", "logs", "--port", "0") if command == "serve" else ("a.json",)
    done = run(command, "--packages", "packages.yml", "--database", where, *more)
    assert done.returncode == REFUSED[where], done.stderr
    assert "Traceback" not in done.stderr
    assert "\n  " in done.stderr, "a way out"
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before


# One owner for all


@pytest.fixture
def volume() -> Iterator[Path]:
    """A FUSE file system as exFAT or NTFS is mounted: one owner and one mode for every file."""
    folder = Path(tempfile.mkdtemp(prefix="offspot-metrics-tests-"))
    folder.chmod(0o755)
    source, mounted = folder / "source", folder / "mounted"
    source.mkdir()
    mounted.mkdir()
    source.chmod(0o777)
    options = ("--force-user=1000", "--force-group=1000", "--perms=0777", "--chown-ignore")
    subprocess.run(
        ["bindfs", *options, "--chmod-ignore", "-o", "allow_other", source, mounted], check=True
    )
    yield mounted
    subprocess.run(["umount", "-l", mounted], check=True)
    shutil.rmtree(folder)


@pytest.mark.parametrize("user", [SOMEBODY, 0])
def test_a_volume_with_one_owner(volume: Path, user: int) -> None:
    """Where every file seems to belong to one user whoever makes it, the database that we made is
    ours at the next start, as another user and as root, and a damaged one is set aside.
    """
    code = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
import engine.times, zoneinfo, tempfile
from pathlib import Path
from engine.store.store import Lock, Store
from engine.times import load_zone
zone = load_zone("UTC")
if {user}:
    os.setgroups([])
    os.setresuid({user}, {user}, {user})
path = Path({str(volume / "metrics.db")!r})
for start in range(3):
    lock = Lock(path)
    store = Store.open(path, zone, repair_at=1781388000)
    store.commit({{(1781388000, 1001, "Bees"): 1}}, running_hour=1781388000)
    store.back_up()
    repairs = store.repairs
    store.close()
    lock.release()
    assert bool(repairs) == (start == 2), repairs
    if start == 1:
        path.write_bytes(b"damaged" * 1000)
print(path.stat().st_uid, os.getuid())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"1000 {user}\n"


def test_a_file_of_another_user_is_refused_elsewhere(tmp_path: Path) -> None:
    """On an ordinary file system a database of another user is refused as before (S19)."""
    path = tmp_path / "metrics.db"
    Lock(path).release()
    path.touch()
    os.chown(path, 1000, 1000)
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents:
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    os.seteuid(SOMEBODY)
    try:
        with pytest.raises(DatabaseForeign, match="another user"):
            check_safe_to_write(path)
    finally:
        os.seteuid(0)


def test_filebeat_works_on_a_volume_with_one_owner(volume: Path) -> None:
    """Filebeat takes its configuration also from a folder whose files seem to be of another user
    and open to all, when there is no other place: it reads, it is not only us.
    """
    logs = volume / "logs"
    logs.mkdir()
    (logs / "caddy_access_logs.json").write_bytes(lines(range(10)))
    with Following(logs, "filebeat") as following:
        following.wait_for_lines(lines(range(10)))
        following.wait_for_filebeat()
        following.wait_for(
            lambda: following.reader.kind == "filebeat" and not following.reader.restarts, "it runs"
        )
        (config,) = volume.glob("run-filebeat/*/filebeat.yml")
        assert config.stat().st_uid == 1000


# Filebeat's folder


def test_a_place_is_in_memory_and_safe(tmp_path: Path) -> None:
    """The first place in memory is taken, whatever its turn; one of another user, one that others
    may change, a file and what is not there are passed by; without any it is an error.
    """
    others, open_to_all, sticky = (tmp_path / name for name in ("others", "open", "sticky"))
    for folder in (others, open_to_all, sticky):
        folder.mkdir()
    os.chown(others, SOMEBODY, SOMEBODY)
    open_to_all.chmod(0o777)
    sticky.chmod(0o1777)
    (tmp_path / "file").touch()
    bad = [tmp_path / "none", tmp_path / "file", others, open_to_all]
    for place in bad:
        assert problem_with(place)
    memory = Path("/dev/shm")
    assert choose_place([*bad, sticky, memory])[0] == memory
    place, notes = choose_place([*bad, sticky])
    assert place == sticky
    said = " ".join(notes)
    assert f"{others} is not used" in said
    assert f"{open_to_all} is not used" in said
    assert "not in memory" in said
    with pytest.raises(ReaderUnavailable, match="no folder can be used"):
        choose_place(bad)


@pytest.mark.parametrize("kind", ["folder", "link", "file", "open"])
def test_what_somebody_else_made_there_is_not_used(tmp_path: Path, kind: str) -> None:
    """S32: folders and links that another user made in the place, under any name that ours could
    have, are neither used nor touched; Filebeat reads, in a folder of 0700 of our own.
    """
    place = Path(tempfile.mkdtemp(dir="/dev/shm"))
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "owner.lock").write_bytes(b"locked\n")
    planted = [place / f"offspot-metrics-{name}" for name in ("0", "abcdefgh")]
    try:
        place.chmod(0o1777)
        for path in planted:
            if kind == "link":
                path.symlink_to(victim)
                os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)
                continue
            path.touch() if kind == "file" else path.mkdir(0o700)
            if path.is_dir():
                (path / "owner.lock").write_bytes(b"locked\n")
                path.chmod(0o777 if kind == "open" else 0o700)
            os.chown(path, *((0, 0) if kind == "open" else (SOMEBODY, SOMEBODY)))
        assert list(left_over(place)) == []
        environment = {"XDG_RUNTIME_DIR": str(place)}
        options = ("--reader", "filebeat", "--filebeat", str(FILEBEAT))
        with Serving(tmp_path, *options, environment=environment) as serving:
            serving.add(4)
            serving.wait(serving.counted(4))
            (ours,) = (p for p in place.iterdir() if p not in planted)
            assert ours.stat().st_mode & 0o777 == 0o700
            assert ours.stat().st_uid == os.geteuid()
            assert serving.status()["reader"]["kind"] == "filebeat"
            assert serving.stop()[0] == 0
        assert sorted(place.iterdir()) == sorted(planted)
        assert [path.name for path in victim.iterdir()] == ["owner.lock"]
    finally:
        shutil.rmtree(place)


def test_no_place_and_no_filebeat(tmp_path: Path) -> None:
    """S32: where no place is safe, the built-in reader reads, and it is said; asked for, it is an
    error with a way out.
    """
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o777)
    shell = 'mount --bind "$0" /mnt; for at in /run /dev/shm /tmp; do ' + OPEN_TO_ALL + "; done; "
    for reader, code in (("auto", 0), ("filebeat", 69)):
        options = ("--reader", reader, "--filebeat", str(FILEBEAT))
        serving = Contained(tmp_path, *options, shell=shell)
        if code:
            serving.begin()
            assert serving.process.wait(30) == code
            assert "no folder can be used" in serving.text()
            assert "--reader tail" in serving.text()
            continue
        with serving:
            serving.add(4)
            serving.wait(serving.counted(4))
            assert serving.status()["reader"]["kind"] == "tail"
            assert "the built-in reader reads" in serving.text()
            assert serving.stop()[0] == 0


def test_a_left_over_folder_is_known_by_its_lock(tmp_path: Path) -> None:
    """A folder is left over once nobody holds its lock, and not before."""
    made = RunFolder(tmp_path)
    assert list(left_over(tmp_path)) == []
    made.release()
    assert [path for path, _ in left_over(tmp_path)] == [made.path]
    made.remove()
    assert list(tmp_path.iterdir()) == []


def test_two_containers_with_equal_paths(tmp_path: Path) -> None:
    """Two instances with the same paths inside, each with its own file systems there, in one
    process namespace: neither ends the other's Filebeat, now or after a restart.
    """
    shell = 'mount --bind "$0" /mnt; mount -t tmpfs none /run; '
    options = ("--reader", "filebeat", "--filebeat", str(FILEBEAT))
    homes = [tmp_path / name for name in "ab"]
    for home in homes:
        home.mkdir()
    with contextlib.ExitStack() as stack:
        first, second = (
            stack.enter_context(Contained(home, *options, shell=shell)) for home in homes
        )
        for serving in (first, second):
            _reads_by_filebeat(serving, 5)
        assert first.stop()[0] == 0
        again = stack.enter_context(Contained(homes[0], *options, shell=shell))
        for serving in (again, second):
            _reads_by_filebeat(serving, 10)
            assert serving.status()["reader"]["restarts"] == 0, serving.text()
            assert serving.stop()[0] == 0


OPEN_TO_ALL = "mount -t tmpfs -o mode=777 none $at"


class Contained(Serving):
    """`serve` in file systems of its own, made by a shell: its folder is /mnt there."""

    def __init__(self, home: Path, *options: str, shell: str) -> None:
        under = ("unshare", "--mount", "sh", "-c", shell + 'exec "$@"', str(home))
        super().__init__(home, *options, under=under, environment={"XDG_RUNTIME_DIR": "/run"})
        begin = len(under)
        self.command[begin:] = [word.replace(str(home), "/mnt") for word in self.command[begin:]]


def _reads_by_filebeat(serving: Serving, lines_in_all: int) -> None:
    """Lines come, by Filebeat."""
    serving.add(5, first=lines_in_all)
    serving.wait(serving.counted(lines_in_all))
    assert serving.status()["reader"]["kind"] == "filebeat"


@pytest.mark.parametrize(
    "where", ["x" * 300, "a/" * 3000, "loop", "file/x", "pipe", "/proc/1/fd/1"]
)
def test_a_log_folder_that_cannot_be(tmp_path: Path, where: str) -> None:
    """Whatever is named as the log folder, serve runs, /health says what is wrong with it, and it
    is looked for until it ends.
    """
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with Serving(tmp_path, "--reader", "tail", "--logs", where) as serving:
        serving.wait(lambda: b"log folder" in serving.get("/health")[1])
        assert serving.get("/health")[0] == 503
        assert serving.stop()[0] == 0
    assert "Traceback" not in serving.text()
