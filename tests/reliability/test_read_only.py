"""PROCESSING_DISABLED over databases of every kind: it starts, `/health` tells what is wrong."""

from __future__ import annotations

import functools
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.reliability.serving import ROOT, Serving
from tests.reliability.store_support import line, write_packages

SHOWING = {"PROCESSING_DISABLED": "true"}
OF_SQLITE = ("metrics.db-wal", "metrics.db-shm", "serving")
WITHOUT_OVERRIDE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
"""Root that may not read what its mode forbids; anybody else may not anyway."""


@functools.cache
def made_by_replay(at: int) -> dict[str, tuple[int, bytes]]:
    """What `replay` makes of one log: mode and content of each file, by the end of its name."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        log, database = folder / "replayed.json", folder / "metrics.db"
        log.write_bytes(b"".join(line(at + number, number) for number in range(5)))
        command = [sys.executable, "-m", "offspot_metrics", "replay", str(log), "--quiet"]
        command += ["--packages", str(write_packages(folder)), "--database", str(database)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return {
            path.name.removeprefix(database.name): (path.stat().st_mode, path.read_bytes())
            for path in folder.glob(f"{database.name}*")
        }


def replayed(database: Path, at: int = 1_781_431_200) -> None:
    """A database of ours, as `replay` makes it from one log."""
    for end, (mode, content) in made_by_replay(at).items():
        path = database.with_name(database.name + end)
        path.write_bytes(content)
        path.chmod(mode)


def sqlite_of_others(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE contacts (name)")
        connection.commit()


def damaged(database: Path) -> None:
    replayed(database)
    content = database.read_bytes()
    database.write_bytes(content[:4096] + os.urandom(len(content) - 4096))


def unreadable(database: Path) -> None:
    replayed(database)
    database.chmod(0)


def files_in(folder: Path) -> list[str]:
    """Names, without what SQLite itself puts beside a database that is read."""
    return sorted(p.name for p in folder.glob("*") if p.name not in OF_SQLITE)


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (str, "the database is not there"),
    "of another program": (sqlite_of_others, "the database is a database of another program"),
    "text": (lambda database: database.write_text("hello " * 50), "the database is not a database"),
    "a folder": (lambda database: database.mkdir(), "the database"),
    "a pipe": (os.mkfifo, "the database is not a file"),
    "a link to nowhere": (lambda database: database.symlink_to("x"), "the database"),
    "damaged": (damaged, "the database is damaged"),
    "unreadable": (unreadable, "the database may not be read"),
}


@pytest.mark.parametrize("name", CASES)
def test_health_says_why_nothing_is_shown(tmp_path: Path, name: str) -> None:
    """It starts, `/health` is 503 with the reason in words and no path, and nothing is made."""
    make, reason = CASES[name]
    database = tmp_path / "metrics.db"
    make(database)
    before = files_in(tmp_path)
    under = WITHOUT_OVERRIDE if os.geteuid() == 0 else ()
    (tmp_path / "serving").mkdir()
    with Serving(
        tmp_path / "serving", database=database, environment=SHOWING, under=under
    ) as serving:
        status, body = serving.get("/health")
        found = json.loads(body)
        assert status == 503
        assert not found["ok"]
        assert found["reasons"][0].startswith(reason)
        assert str(tmp_path) not in body.decode()
        assert serving.status()["health"] == found
        assert serving.stop()[0] == 0
    assert "Traceback" not in serving.text()
    assert files_in(tmp_path) == before


def test_a_replayed_database_is_shown_without_a_packages_file(tmp_path: Path) -> None:
    """No packages were stored by `replay`: it starts, is healthy, and has the figures; when the
    database goes away, health says so at the next look.
    """
    database = tmp_path / "metrics.db"
    replayed(database)
    (tmp_path / "serving").mkdir()
    missing = ("--packages", str(tmp_path / "none.yml"))
    with Serving(tmp_path / "serving", *missing, database=database, environment=SHOWING) as serving:
        assert serving.get("/health") == (200, b'{"ok":true,"reasons":[]}')
        assert b'"kind":"D"' in serving.get("/api/v1/aggregations")[1]
        shutil.move(database, tmp_path / "moved.db")
        assert serving.get("/health")[0] == 503
        assert serving.stop()[0] == 0


def test_that_figures_cannot_be_read_is_logged_once(tmp_path: Path) -> None:
    """However often they are requested; and once that they can be, when there is a database."""
    there, later = tmp_path / "there.db", tmp_path / "metrics.db"
    replayed(there)
    later.write_text("hello " * 50)
    (tmp_path / "serving").mkdir()
    weeks = "/api/v1/aggregations/W"
    with Serving(tmp_path / "serving", database=later, environment=SHOWING) as serving:
        assert [serving.get(weeks)[0] for _ in range(3)] == [503] * 3
        there.rename(later)
        assert [serving.get(weeks)[0] for _ in range(3)] == [200] * 3
        assert serving.stop()[0] == 0
    assert serving.text().count("Figures cannot be read") == 1
    assert serving.text().count("Figures can be read again") == 1


def test_another_zone_is_heeded(tmp_path: Path) -> None:
    """`--timezone`: days and clock are those of the zone asked for; the database keeps its own."""
    database = tmp_path / "metrics.db"
    replayed(database)
    before = database.read_bytes()
    (tmp_path / "serving").mkdir()
    zone = ("--timezone", "Pacific/Kiritimati")  # fourteen hours ahead: the next day
    with Serving(tmp_path / "serving", *zone, database=database, environment=SHOWING) as serving:
        assert serving.status()["timezone"] == "Pacific/Kiritimati"
        periods = json.loads(serving.get("/api/v1/periods")[1])
        days = json.loads(serving.get("/api/v1/aggregations/D")[1])["valuesAvailable"]
        assert serving.stop()[0] == 0
    assert periods["timezone"] == "Pacific/Kiritimati"
    assert {entry["aggValue"] for entry in periods["periods"]} >= {"2026-06-15"}
    assert days == ["2026-06-15"]
    assert database.read_bytes() == before


LOOKING = """
import sys
from engine.runtime import serve
serve.LOOK_SECONDS = 0.2
from offspot_metrics import main
sys.exit(main())
"""


def test_a_database_that_is_replaced_is_shown(tmp_path: Path) -> None:
    """Another file under the same name: its figures are shown at the next look, and only they."""
    database, other = tmp_path / "metrics.db", tmp_path / "other.db"
    replayed(database)
    replayed(other, at=1_781_431_200 + 86_400)
    (tmp_path / "serving").mkdir()
    with Serving(
        tmp_path / "serving", database=database, environment=SHOWING, code=LOOKING
    ) as serving:

        def is_shown(day: str) -> bool:
            """By every thread that answers: requests are made one after the other."""
            only = f'"valuesAvailable":["{day}"]'.encode()
            return all(only in serving.get("/api/v1/aggregations/D")[1] for _ in range(20))

        assert is_shown("2026-06-14")
        other.replace(database)
        serving.wait(lambda: is_shown("2026-06-15"))
        assert serving.get("/health")[0] == 200
        assert serving.stop()[0] == 0


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_folder_that_may_not_be_entered(tmp_path: Path, mode: int) -> None:
    """Of the database: `/health` and the status say so, and no request fails."""
    data, serving_folder = tmp_path / "data", tmp_path / "serving"
    data.mkdir()
    serving_folder.mkdir()
    replayed(data / "metrics.db")
    data.chmod(mode)
    under = WITHOUT_OVERRIDE if os.geteuid() == 0 else ()
    try:
        with Serving(
            serving_folder, database=data / "metrics.db", environment=SHOWING, under=under
        ) as serving:
            status, body = serving.get("/health")
            assert (status, json.loads(body)["reasons"]) == (503, ["the database may not be read"])
            assert serving.status()["health"]["reasons"] == ["the database may not be read"]
            assert serving.get("/metrics")[0] == 200
            assert serving.stop()[0] == 0
        assert "Traceback" not in serving.text()
    finally:
        data.chmod(0o755)


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111])
def test_a_log_folder_that_may_not_be_read(tmp_path: Path, mode: int) -> None:
    """Not listed or not entered: nothing can be counted, so `/health` is 503 and names the folder,
    until it may be read.
    """
    under = WITHOUT_OVERRIDE if os.geteuid() == 0 else ()
    serving = Serving(tmp_path, under=under)
    serving.add(4)
    serving.logs.chmod(mode)
    try:
        with serving:
            serving.wait(lambda: serving.get("/health")[0] == 503)
            (reason,) = serving.status()["health"]["reasons"]
            assert "log folder" in reason
            assert "Permission denied" in reason
            assert f"{serving.logs} is of root:root, mode {mode:04o}" in serving.text()
            assert "cap_add DAC_READ_SEARCH" in serving.text()
            serving.logs.chmod(0o755)
            serving.wait(serving.counted(4))
            serving.wait(lambda: serving.get("/health")[0] == 200)
    finally:
        serving.logs.chmod(0o755)
    assert "Traceback" not in serving.text()


@pytest.mark.parametrize(("inner", "mode"), [("", 0o000), ("", 0o444), ("page", 0o000)])
def test_a_ui_location_that_may_not_be_read(tmp_path: Path, inner: str, mode: int) -> None:
    """It is a wrong setting, and no reason to show another page without a word."""
    folder = tmp_path / "ui"
    (folder / "page").mkdir(parents=True)
    folder.chmod(mode)
    under = WITHOUT_OVERRIDE if os.geteuid() == 0 else ()
    environment = {"UI_LOCATION": str(folder / inner)}
    serving = Serving(tmp_path, environment=environment, under=under).begin()
    try:
        assert serving.process.wait(30) == 78, serving.text()
        assert "UI_LOCATION" in serving.text()
    finally:
        serving.end()
        folder.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a capability")
def test_a_ui_location_that_a_capability_opens(tmp_path: Path) -> None:
    """Another user with the right to read every file may list and enter a folder of root's."""
    folder = tmp_path / "ui"
    folder.mkdir(mode=0o700)
    command = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"]
    command += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    command += [sys.executable, "-m", "offspot_metrics", "config", "show"]
    environment = {"PYTHONPATH": str(ROOT), "UI_LOCATION": str(folder), "HOME": "/"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(folder) in done.stdout
