"""`backup` and `restore`: a copy that verifies, from a live database, and back again."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from lab.processes import Child, wait_until
from lab.upstream_database import UpstreamFile
from tests.cli.cases import NOBODY, Program, Result, SetUp, invoke, kpis_of, lines, write
from tests.cli.test_cli_terminal import in_terminal

ROOT = Path(__file__).resolve().parents[2]
DAY = ("--period", "2026-06-14", "--format", "json")


def log_of(visits: int, first: int = 0) -> bytes:
    return lines(
        *(
            f"2026-06-14T10:{n:02}:30.{n:03}Z GET lib.box/content/bees_en/ 200"
            for n in range(first, first + visits)
        )
    )


@pytest.fixture
def database(place: Path, packages: Path) -> Path:
    """Three visits."""
    path = place / "metrics.db"
    count(place, packages, path, log_of(3))
    return path


def count(place: Path, packages: Path, database: Path, log: bytes) -> None:
    (path,) = write(place, log__json=log)
    done = invoke("replay", "-q", "--packages", packages, "--database", database, path)
    assert done.code == 0, done.err


def visits_in(database: Path) -> int:
    done = invoke("kpis", "--database", database, *DAY)
    assert done.code == 0, done.err
    return int(kpis_of(done.json)[2001]["totalVisits"])


def identity_of(database: Path) -> object:
    with closing(sqlite3.connect(database)) as connection:
        row = connection.execute("SELECT value FROM meta WHERE key = 'site_id'").fetchone()
        return row and row[0]


def restored(database: Path, source: Path) -> Result:
    return invoke("restore", source, "--database", database)


def test_a_backup_has_what_the_database_has(database: Path, place: Path) -> None:
    """The copy opens as a database of its own, with the same figures."""
    target = place / "copy.db"
    done = invoke("backup", target, "--database", database)
    assert done.code == 0
    assert "verified" in done.err
    assert visits_in(target) == 3
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_live_database_is_backed_up(
    program: Program, setup: SetUp, place: Path, packages: Path
) -> None:
    """While serve counts and answers; the copy goes through a pipe as it goes to a file."""
    database = place / "metrics.db"
    options = ("--database", database, "--packages", packages, "--logs", setup.logs)
    with program.serving(*options):
        command = program.command("backup", "-", "--database", database)
        done = subprocess.run(
            command, capture_output=True, env=program.environment, cwd=program.home, check=False
        )
        assert done.returncode == 0, done.stderr
        refused = program.run("restore", database.with_name("metrics.db"), "--database", database)
        assert refused.code == 2
        (place / "piped.db").write_bytes(done.stdout)
        refused = program.run("restore", place / "piped.db", "--database", database)
        refused.failed(75, "in use")
    assert invoke("kpis", "--database", place / "piped.db", *DAY).code == 0


def test_a_backup_comes_back(database: Path, place: Path, packages: Path) -> None:
    """Figures are those of the backup, what came later is counted again, and the id stays."""
    backup = place / "copy.db"
    assert invoke("backup", backup, "--database", database).code == 0
    with closing(sqlite3.connect(backup)) as connection:
        assert identity_of(backup) is None
        connection.execute("SELECT 1")
    count(place, packages, database, log_of(5))
    assert visits_in(database) == 5
    done = restored(database, backup)
    assert done.code == 0, done.err
    assert "quarantine" in done.err
    assert visits_in(database) == 3
    count(place, packages, database, log_of(5))
    assert visits_in(database) == 5
    (folder,) = (place / "quarantine").iterdir()
    assert visits_in(folder / "metrics.db") == 5


def test_it_comes_back_where_there_is_no_database(database: Path, place: Path) -> None:
    """On a new card, in a folder that is made for it."""
    new = place / "new" / "data" / "metrics.db"
    done = restored(new, database)
    assert done.code == 0, done.err
    assert visits_in(new) == 3


def test_a_restore_leaves_no_draft(program: Program, database: Path, place: Path) -> None:
    """Neither its files when it succeeds, nor a half of it when there is no room for the rest."""
    backup = place / "copy.db"
    assert invoke("backup", backup, "--database", database).code == 0
    assert restored(database, backup).code == 0
    assert not list(place.glob("*.new*"))
    before = database.read_bytes()
    limit = ["prlimit", f"--fsize={backup.stat().st_size // 2}"]
    command = [*limit, *program.command("restore", backup, "--database", database)]
    done = subprocess.run(
        command, env=program.environment, cwd=program.home, capture_output=True, check=False
    )
    assert done.returncode == os.EX_IOERR, done.stderr
    assert b"File too large" in done.stderr
    assert not list(place.glob("*.new*"))
    assert database.read_bytes() == before


def test_the_hotspot_keeps_its_identity(
    program: Program, setup: SetUp, place: Path, packages: Path
) -> None:
    """A backup of another hotspot brings its figures, and not its id."""
    ids = []
    for name in ("one", "two"):
        options = ("--database", place / name, "--packages", packages, "--logs", setup.logs)
        with program.serving(*options):
            pass
        ids.append(identity_of(place / name))
    assert ids[0] != ids[1]
    assert restored(place / "one", place / "two").code == 0
    assert identity_of(place / "one") == ids[0]


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("missing", 66, "that backup has written"),
        ("the older system's", 78, "use import"),
        ("text", 65, "is not a database"),
        ("cut", 65, "damaged"),
        ("changed", 65, "damaged"),
        ("another program's", 78, "another program"),
        ("newer", 78, "newer version"),
        ("not closed", 2, "not closed"),
        ("itself", 2, "the database itself"),
        ("a folder", 78, "is not a file"),
        ("the root", 78, "is not a file"),
    ],
)
def test_what_is_no_backup_changes_nothing(
    database: Path, place: Path, kind: str, code: int, words: str
) -> None:
    """It is said what is wrong and what to do; the database stays byte for byte."""
    source = place / "source.db"
    shutil.copy(database, source)
    if kind == "missing":
        source.unlink()
    elif kind == "text":
        source.write_text("no database" * 100)
    elif kind == "cut":
        os.truncate(source, source.stat().st_size // 2)
    elif kind == "itself":
        source = database
    elif kind == "the older system's":
        source.unlink()
        UpstreamFile(source).close()
    elif kind == "a folder":
        source = place
    elif kind == "the root":
        source = Path("/")
    elif kind == "not closed":
        source.with_name("source.db-wal").write_bytes(b"some pages")
    else:
        with closing(sqlite3.connect(source, isolation_level=None)) as connection:
            if kind == "changed":
                connection.execute("UPDATE record SET value = value + 1")
            elif kind == "newer":
                connection.execute("PRAGMA user_version = 99")
            else:
                connection.execute("PRAGMA application_id = 1")
    before = database.read_bytes()
    restored(database, source).failed(code, words)
    assert database.read_bytes() == before
    assert not (place / "quarantine").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_a_backup_that_may_not_be_read(
    program: Program, database: Path, place: Path, mode: int
) -> None:
    """In a folder that this user may not enter it is not said to be missing; nothing changes."""
    stick = place / "stick"
    stick.mkdir(mode=mode)
    assert invoke("backup", stick / "copy.db", "--database", database).code == 0
    mine = program.home / "mine.db"
    done = program.run("restore", stick / "copy.db", "--database", mine, user=NOBODY)
    done.failed(77, "may not be read")
    assert not mine.exists()


@pytest.mark.parametrize("kind", ["a file", "the database"])
def test_a_backup_replaces_no_other_file(database: Path, place: Path, kind: str) -> None:
    """What is at the target and no database of ours stays as it is."""
    target = database
    if kind == "a file":
        target = place / "holiday.jpg"
        target.write_bytes(b"not a database" * 50)
    before = target.read_bytes()
    done = invoke("backup", target, "--database", database)
    done.failed(2 if kind == "the database" else 65, "give another file")
    assert target.read_bytes() == before


def test_a_backup_without_a_database_is_said(place: Path) -> None:
    """Nothing is made."""
    invoke("backup", place / "copy.db", "--database", place / "none.db").failed(66, "is not there")
    assert not (place / "copy.db").exists()


@pytest.mark.parametrize("number", range(1, 5))
def test_killed_at_any_rename_one_of_both_is_used(
    program: Program, database: Path, place: Path, packages: Path, number: int
) -> None:
    """The database before or the backup, whole; never none, and nothing counts twice after it."""
    backup = place / "copy.db"
    assert invoke("backup", backup, "--database", database).code == 0
    count(place, packages, database, log_of(5))
    inject = ("-f", "-qq", "-o", os.devnull, "-e", "trace=rename,renameat,renameat2")
    kill = ("-e", f"inject=rename,renameat,renameat2:signal=KILL:when={number}")
    command = [
        "strace",
        *inject,
        *kill,
        *program.command("restore", backup, "--database", database),
    ]
    done = subprocess.run(command, env=program.environment, cwd=program.home, check=False)
    assert done.returncode in {0, -signal.SIGKILL, 128 + signal.SIGKILL}
    count(place, packages, database, log_of(1))  # which repairs what was left
    assert visits_in(database) in {3, 5}
    count(place, packages, database, log_of(5))
    assert visits_in(database) == 5


def test_an_older_database_keeps_its_identity_too(place: Path) -> None:
    """A new version restores a backup before serve has started once: it opens the database in no
    other way than to read whose it is.
    """
    older = ROOT / "tests/store/databases/schema-4.db"
    shutil.copy(older, place / "one")
    shutil.copy(older, place / "two")
    with closing(sqlite3.connect(place / "one")) as connection, connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('site_id', 'mine', 0)")
    assert restored(place / "one", place / "two").code == 0
    assert identity_of(place / "one") == "mine"


def with_room_for(blocks: int, program: Program, *arguments: object) -> Result:
    """A command that can write so many blocks of 512 bytes into a file."""
    command = ("sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", *program.command(*arguments))
    done = subprocess.run(
        command, env=program.environment, cwd=program.home, capture_output=True, check=False
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_without_a_place_for_temporary_files_it_is_said(
    program: Program, database: Path, setup: SetUp
) -> None:
    """As in a container that is read-only, or when all is full. Doctor examines what it can."""
    with_room_for(0, program, "backup", "-", "--database", database).failed(
        74, "no folder can be made", "TMPDIR"
    )
    with_room_for(0, program, "demo").failed(74, "TMPDIR")
    options = ("--packages", setup.packages, "--logs", setup.logs, "--database", database)
    found = with_room_for(0, program, "doctor", "--format", "json", *options)
    assert found.code == 74
    [check] = [check for check in found.json["checks"] if check["name"] == "database"]
    assert "no folder can be made" in check["text"]
    assert found.json["linesLookedAt"]


def test_a_restore_that_does_not_fit_leaves_no_draft(
    program: Program, database: Path, place: Path
) -> None:
    """What is short is room: nothing stays of the copy, and the database is what it was."""
    backup = place / "copy.db"
    assert invoke("backup", backup, "--database", database).code == 0
    before = {path.name for path in place.iterdir()}
    with_room_for(32, program, "restore", backup, "--database", database).failed(74, "metrics.db")
    assert {path.name for path in place.iterdir()} == before
    assert visits_in(database) == 3


def test_two_backups_to_one_file_wait_for_each_other(
    program: Program, database: Path, place: Path
) -> None:
    """Else each would write into the draft of the other, or take it away."""
    folder = os.open(place, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)  # as the other one has it
    inode = os.fstat(folder).st_ino
    command = program.command("backup", place / "copy.db", "--database", database)
    with subprocess.Popen(command, env=program.environment, stderr=subprocess.PIPE) as child:
        waits = rf"-> FLOCK .* WRITE {child.pid} \S+:{inode} "
        wait_until(
            lambda: bool(re.search(waits, Path("/proc/locks").read_text())),
            "a backup that waits",
            30,
            Child(child),
        )
        os.close(folder)
        assert child.wait(timeout=30) == 0
    assert visits_in(place / "copy.db") == 3


def killed(program: Program, calls: str, when: int, *arguments: object) -> None:
    """Run a command that is killed at one of its system calls."""
    trace = ("-f", "-qq", "-o", os.devnull, "-e", f"trace={calls}")
    inject = ("-e", f"inject={calls}:signal=KILL:when={when}")
    command = ["strace", *trace, *inject, *program.command(*arguments)]
    done = subprocess.run(command, env=program.environment, cwd=program.home, check=False)
    assert done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}


@pytest.mark.parametrize(
    ("calls", "when", "left"),
    [("fdatasync", 1, 2), ("fdatasync", 4, 2), ("rename,renameat,renameat2", 1, 1)],
)
def test_the_next_backup_removes_the_draft_of_one_that_was_killed(
    program: Program, database: Path, place: Path, calls: str, when: int, left: int
) -> None:
    """Under whatever name it is made, in the same folder; files of others stay, as does what
    another folder has.
    """
    stick, other = place / "stick", place / "other"
    names = {"copy-1.db.tmp", "offspot-metrics-backup-mine.tmp", "offspot-metrics-backup-0.tmp"}
    for folder in (stick, other):
        folder.mkdir()
        for name in names:
            (folder / name).write_text("mine")
        killed(program, calls, when, "backup", folder / "copy-1.db", "--database", database)
        drafts = {path.name for path in folder.iterdir()} - names
        assert len(drafts) == left
        assert all(name.startswith("offspot-metrics-backup-") for name in drafts)
    assert invoke("backup", stick / "copy-2.db", "--database", database).code == 0
    assert visits_in(stick / "copy-2.db") == 3
    assert {path.name for path in stick.iterdir()} == {*names, "copy-2.db"}
    assert len(list(other.iterdir())) == len(names) + left


@pytest.mark.parametrize("command", ["serve", "replay", "restore"])
def test_a_start_removes_the_draft_of_a_restore_that_was_killed(
    program: Program, setup: SetUp, database: Path, place: Path, packages: Path, command: str
) -> None:
    """Before its first rename the database is as it was; nobody needs its draft."""
    backup = place / "copy.db"
    assert invoke("backup", backup, "--database", database).code == 0
    killed(program, "fsync,fdatasync", 1, "restore", backup, "--database", database)
    assert list(place.glob("metrics.db.new*"))
    if command == "serve":
        options = ("--database", database, "--packages", packages, "--logs", setup.logs)
        with program.serving(*options):
            pass
    elif command == "replay":
        count(place, packages, database, log_of(5))
    else:
        assert restored(database, backup).code == 0
    assert not list(place.glob("metrics.db.new*"))
    assert visits_in(database) >= (5 if command == "replay" else 3)


def test_a_backup_is_not_for_a_terminal(program: Program, database: Path) -> None:
    """Nor for nobody: where standard output is closed, it would be lost without a word."""
    command = program.command("backup", "-", "--database", database)
    code, seen = in_terminal(program, "backup", "-", "--database", database)
    assert code == 2
    assert "redirect" in seen
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command],
        env=program.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    Result(done.returncode, done.stdout, done.stderr).failed(2, "name a file")
