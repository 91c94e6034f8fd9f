"""The older system's database is read as it means, whatever is wrong with it, and never written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from engine.errors import (
    Busy,
    DatabaseForeign,
    InputDamaged,
    InputMissing,
    InputUnreadable,
    MetricsError,
    StorageError,
)
from engine.store.upstream.location import is_upstream, locate
from engine.store.upstream.opening import open_upstream
from engine.store.upstream.reading import FINGERPRINT_HOURS, Hour, fingerprint
from engine.store.upstream.values import year_totals
from engine.text import MAX_TITLE_LENGTH
from engine.times import LATEST_AT
from lab.upstream_database import Row, UpstreamFile

HOUR = 1718600400  # 2024-06-17 05:00 UTC


def made(path: Path, rows: list[Row]) -> Path:
    file = UpstreamFile(path)
    file.records(rows)
    return file.close()


def hours_of(path: Path, scratch: Path) -> tuple[list[Hour], Counter[str]]:
    with open_upstream(path, scratch) as upstream:
        return list(upstream.hours()), upstream.left


def content(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def test_records_of_an_hour_come_together_in_order(tmp_path: Path) -> None:
    """Every hour comes once, ascending, with the records of all indicators."""
    rows: list[Row] = [
        (HOUR + 3600, 1001, "Bees", 2),
        (HOUR, 1001, "Bees", 5),
        (HOUR, 1004, None, 60),
        (HOUR, 1005, None, 30),
        (HOUR, 1006, "Bees", 20),
        (HOUR, 1003, "FILE_CREATED", 3),
    ]
    found, left = hours_of(made(tmp_path / "database.db", rows), tmp_path)
    assert found == [
        Hour(
            HOUR,
            {
                (1001, "Bees"): 5,
                (1003, "FILE_CREATED"): 3,
                (1004, ""): 60,
                (1005, ""): 30,
                (1006, "Bees"): 20,
            },
        ),
        Hour(HOUR + 3600, {(1001, "Bees"): 2}),
    ]
    assert left == {}


def test_more_rows_than_one_read_takes_come_once_each(tmp_path: Path) -> None:
    """Reading in pieces neither drops nor repeats a row at a border."""
    rows: list[Row] = [
        (HOUR + 3600 * (n // 7), 1001, f"Package {n % 7}", n + 1) for n in range(14_003)
    ]
    found, _ = hours_of(made(tmp_path / "database.db", rows), tmp_path)
    assert sum(sum(hour.values.values()) for hour in found) == sum(range(1, 14_004))
    assert [hour.hour for hour in found] == sorted({row[0] for row in rows})


def test_dimensions_with_the_same_values_are_one(tmp_path: Path) -> None:
    """Rows of dimensions that say the same are added, minutes up to those an hour has."""
    file = UpstreamFile(tmp_path / "database.db")
    for value in (40, 30):
        file.record(HOUR, 1004, file.dimension(None), value)
        file.record(HOUR, 1001, file.dimension("Bees"), value)
    with open_upstream(file.close(), tmp_path) as upstream:
        assert list(upstream.hours()) == [Hour(HOUR, {(1001, "Bees"): 70, (1004, ""): 60})]
        assert upstream.capped == 1


def test_what_cannot_be_taken_is_counted_by_reason(tmp_path: Path) -> None:
    """One bad row stops none of the others, and each has its reason."""
    file = UpstreamFile(tmp_path / "database.db")
    bees = file.dimension("Bees")
    file.record(HOUR, 1001, bees, 5)
    file.record(HOUR, 1002, file.dimension("Bees", "/home"), 5)
    file.record(HOUR, 1002, file.dimension("Bees", "/other"), 1)
    file.record(HOUR, 1001, 4711, 5)
    file.record(HOUR, 1001, file.dimension("Ants"), -5)
    file.record(HOUR, 1001, file.dimension("Cats"), "many")
    file.record(HOUR + 1, 1001, bees, 5)
    file.record(-3600, 1001, bees, 5)
    file.record(HOUR, 1003, file.dimension("FILE_MOVED"), 1)
    file.record(HOUR, 1006, file.dimension(None), 10)
    file.record(HOUR, 1009, bees, 1)
    file.record(HOUR, 1001, file.dimension(None), 7)
    file.record(LATEST_AT, 1001, bees, 5)
    file.record(1 << 62, 1001, bees, 5)
    file.record(HOUR, 1004, file.dimension(None), (1 << 63) - 1)
    file.connection.executemany(
        "INSERT INTO indicator_record (indicator_id, value, period_id, dimension_id) "
        "VALUES (?, 5, ?, ?)",
        [(1001, "soon", bees), (1004, 1.5, bees)],
    )
    found, left = hours_of(file.close(), tmp_path)
    assert found == [Hour(HOUR, {(1001, "Bees"): 5, (1001, ""): 7})]
    assert left == {
        "visits of pages": 2,
        "of a dimension that is not there": 1,
        "negative": 1,
        "no whole number": 1,
        "not of the beginning of an hour": 1,
        "of an impossible time": 5,
        "too large": 1,
        "of an unknown operation on files": 1,
        "of no package": 1,
        "of an unknown indicator": 1,
    }


def test_titles_are_those_of_the_packages_file(tmp_path: Path) -> None:
    """White space, controls and length: else what was and what is counted are two packages, and one
    of these has a title that nothing can ask for.
    """
    file = UpstreamFile(tmp_path / "database.db")
    for title in ("Bees", " Bees\n", "\x00\ufffe", "\u202eseeB", "x" * 10_000, "\u200b"):
        file.record(HOUR, 1001, file.dimension(title), 1)
    found, left = hours_of(file.close(), tmp_path)
    assert left == {}
    [(_, values)] = found
    assert values == {
        (1001, "Bees"): 2,
        (1001, "\ufffd\ufffd"): 1,
        (1001, "\ufffdseeB"): 1,
        (1001, "x" * (MAX_TITLE_LENGTH - 1) + "…"): 1,
        (1001, ""): 1,
    }


def test_states_of_the_newest_period_become_its_hour(tmp_path: Path) -> None:
    """The hour that was running when the file was left counts too."""
    file = UpstreamFile(tmp_path / "database.db")
    file.records([(HOUR, 1001, "Bees", 5)])
    minute = HOUR // 60 + 60
    file.state(HOUR + 3600, 1001, "Bees", "2")
    file.state(HOUR + 3600, 1004, None, "17")
    file.state(HOUR + 3600, 1005, None, f"{minute},{minute + 10},{minute + 31}")
    file.state(HOUR + 3600, 1006, "Bees", f"{minute}")
    file.state(HOUR + 3600, 1006, "Ants", "soon")
    file.state(HOUR - 3600, 1001, "Bees", "9")
    found, left = hours_of(file.close(), tmp_path)
    assert found[1] == Hour(
        HOUR + 3600, {(1001, "Bees"): 2, (1004, ""): 17, (1005, ""): 30, (1006, "Bees"): 10}
    )
    assert left == {"no whole number": 1, "a state of an older period": 1}


@pytest.mark.parametrize(
    ("text", "totals"),
    [
        (
            json.dumps([{"content": "Bees", "count": 30, "percentage": 75.0}]),
            {(1001, "Bees"): 30},
        ),
        (
            json.dumps(
                [{"content": f"Package {n}", "count": 10, "percentage": 5.0} for n in range(10)]
            ),
            {**{(1001, f"Package {n}"): 10 for n in range(10)}, (1001, ""): 100},
        ),
        (
            json.dumps(
                {
                    "module": "m",
                    "name": "n",
                    "data": {"items": [{"package": "Bees", "visits": 5}], "total_visits": 8},
                }
            ),
            {(1001, "Bees"): 5, (1001, ""): 3},
        ),
        (
            json.dumps({"items": [{"package": "Bees", "visits": 5}], "totalVisits": 5}),
            {(1001, "Bees"): 5},
        ),
    ],
)
def test_a_yearly_kpi_is_read_in_each_form_it_had(
    text: str, totals: dict[tuple[int, str], int]
) -> None:
    """A bare array, snake_case and camelCase say the same; what ten leave out is a remainder."""
    assert year_totals(2001, text) == totals


@pytest.mark.parametrize(
    ("kpi_id", "text"),
    [
        (2001, '[{"foo": 1}]'),
        (2001, '{"items": [{"package": "Bees"}]}'),
        (2001, '{"items": [{"package": ["Bees"], "visits": 1}]}'),
        (2001, '{"items": [{"package": "Bees", "visits": 1.5}]}'),
        (2001, '{"items": [{"package": "Bees", "visits": 4611686018427387903}]}'),
        (2001, '{"items": [], "totalVisits": 4611686018427387903}'),
        (
            2001,
            json.dumps([{"content": str(n), "count": 9, "percentage": 1e-10} for n in range(10)]),
        ),
        (
            2001,
            json.dumps([{"content": str(n), "count": 9, "percentage": 1e-320} for n in range(10)]),
        ),
        (2003, '{"items": "none"}'),
        (2003, "7"),
        (2004, '{"data": {"hours": 5}}'),
        (2004, "[]"),
        (2005, '{"filesCreated": -1}'),
        (2005, "null"),
    ],
)
def test_a_yearly_kpi_that_says_nothing_is_left(kpi_id: int, text: str) -> None:
    """Whatever is in it, it is a value that cannot be read, and no exception."""
    assert year_totals(kpi_id, text) is None


def test_half_a_surrogate_pair_in_a_kpi_can_be_stored() -> None:
    """JSON may have one; a database cannot."""
    items = [{"package": "B\ud83d", "visits": 5}, {"package": "\U0001f41d", "visits": 2}]
    text = json.dumps({"items": items})
    assert year_totals(2001, text) == {(1001, "B\ufffd"): 5, (1001, "🐝"): 2}


def test_what_has_no_title_is_a_part_of_the_remainder() -> None:
    """It neither vanishes in it nor becomes a package."""
    items = [{"package": "Bees", "visits": 5}, {"package": "", "visits": 4}]
    assert year_totals(2001, json.dumps({"items": items, "totalVisits": 12})) == {
        (1001, "Bees"): 5,
        (1001, ""): 7,
    }
    assert year_totals(2001, json.dumps(items)) == {(1001, "Bees"): 5, (1001, ""): 4}
    items = [{"package": "", "minutesActivity": 4}]
    assert year_totals(2003, json.dumps(items)) == {(1005, ""): 4}


def test_the_other_yearly_kpis_are_read(tmp_path: Path) -> None:
    """Use, uptime and shared files become totals of the indicators they were computed from."""
    file = UpstreamFile(tmp_path / "database.db")
    usage = {"items": [{"package": "Bees", "minutesActivity": 80}], "totalMinutesActivity": 90}
    file.kpi(2003, "Y", "2022", json.dumps(usage))
    file.kpi(2004, "Y", "2022", json.dumps({"data": {"nb_minutes_on": 120}}))
    file.kpi(2005, "Y", "2022", json.dumps({"filesCreated": 3, "filesDeleted": 1}))
    file.kpi(2002, "Y", "2022", json.dumps([{"content": "a page"}]))
    file.kpi(2001, "Y", "2022", "{")
    file.kpi(2001, "W", "2024 W01", "[]")
    for label in ("99999", "0024", "2124", "last"):
        file.kpi(2004, "Y", label, "600")
    with open_upstream(file.close(), tmp_path) as upstream:
        assert upstream.years() == {
            "2022": {
                (1006, "Bees"): 80,
                (1005, ""): 90,
                (1004, ""): 120,
                (1003, "FILE_CREATED"): 3,
                (1003, "FILE_DELETED"): 1,
            }
        }
        assert upstream.left == {
            "a yearly KPI that cannot be read": 1,
            "a yearly KPI of an impossible year": 4,
        }


def test_a_file_that_has_grown_has_the_same_fingerprint(tmp_path: Path) -> None:
    """The oldest fifty hours say which file it is a copy of, and nothing later."""
    rows: list[Row] = [(HOUR + 3600 * n, 1001, "Bees", n + 1) for n in range(FINGERPRINT_HOURS)]
    short = made(tmp_path / "short.db", rows)
    long = made(tmp_path / "long.db", [*rows, (HOUR + 3600 * 50, 1001, "Bees", 1)])
    other = made(tmp_path / "other.db", [*rows[:-1], (rows[-1][0], 1001, "Bees", 1)])
    young = made(tmp_path / "young.db", rows[:20])
    found = {}
    for path in (short, long, other, young):
        with open_upstream(path, tmp_path) as upstream:
            found[path.stem] = upstream.oldest()
    assert fingerprint(found["short"]) == fingerprint(found["long"])
    assert fingerprint(found["short"]) != fingerprint(found["other"])
    assert len(found["long"]) == FINGERPRINT_HOURS
    assert fingerprint(found["young"]) == fingerprint(found["long"][:20])


def test_a_file_in_wal_mode_gets_no_companions(tmp_path: Path) -> None:
    """Opening one makes a -wal and a -shm beside it, also where none was left: a copy is opened."""
    folder = tmp_path / "old"
    folder.mkdir()
    path = made(folder / "database.db", [(HOUR, 1001, "Bees", 5)])
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    before = content(folder)
    assert list(before) == ["database.db"]
    with open_upstream(path, tmp_path) as upstream:
        assert next(upstream.hours()) == Hour(HOUR, {(1001, "Bees"): 5})
        assert content(folder) == before


def test_a_folder_for_a_copy_is_made_only_where_one_is_needed(tmp_path: Path) -> None:
    """On a full or read-only disk there is none: a file without a journal is read where it is, and
    another one is an error that says so.
    """
    path = made(tmp_path / "database.db", [(HOUR, 1001, "Bees", 5)])
    nowhere = tmp_path / "nowhere"
    assert hours_of(path, nowhere)[0] == [Hour(HOUR, {(1001, "Bees"): 5})]
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    with pytest.raises(StorageError, match="no folder can be made") as raised:
        hours_of(path, nowhere)
    assert str(nowhere) in raised.value.hint


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_the_file_and_those_beside_it_stay_as_they_are(tmp_path: Path, mode: str) -> None:
    """Byte for byte, in both journal modes, also when it was left in the middle of a commit."""
    folder, scratch = tmp_path / "old", tmp_path / "scratch"
    folder.mkdir()
    scratch.mkdir()
    path = made(folder / "live.db", [(HOUR, 1001, "Bees", 5)])
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute(f"PRAGMA journal_mode = {mode}")
    writer.execute("PRAGMA cache_size = 1")
    writer.execute("BEGIN")
    writer.execute("UPDATE indicator_record SET value = 6")
    if mode == "WAL":
        writer.execute("COMMIT")
    else:  # pages of an unfinished transaction are in the file, and the old ones in the journal
        writer.executemany(
            "INSERT INTO indicator_dimension (value0) VALUES (?)", [("x" * 3000,)] * 400
        )
    left = tmp_path / "left"
    left.mkdir()
    for part in folder.iterdir():  # as a power cut leaves it
        if not part.name.endswith("-shm"):
            shutil.copy(part, left / part.name.replace("live", "database"))
    writer.close()
    before = content(left)
    assert any(name != "database.db" for name in before)
    found, _ = hours_of(left / "database.db", scratch)
    assert found == [Hour(HOUR, {(1001, "Bees"): 6 if mode == "WAL" else 5})]
    assert content(left) == before
    assert list(scratch.iterdir()) == []


def test_a_program_that_writes_to_it_can_go_on(tmp_path: Path) -> None:
    """Between two reads no lock is held."""
    rows: list[Row] = [(HOUR + 3600 * n, 1001, "Bees", 1) for n in range(5000)]
    path = made(tmp_path / "database.db", rows)
    with open_upstream(path, tmp_path) as upstream:
        hours = upstream.hours()
        next(hours)
        with sqlite3.connect(path, timeout=0) as writer:
            writer.execute("UPDATE indicator_record SET value = 2 WHERE period_id = ?", (HOUR,))
        writer.close()
        assert sum(1 for _ in hours) == 4999


def test_a_locked_file_says_so(tmp_path: Path) -> None:
    """Another program that holds the whole file is named as the reason, after some seconds."""
    path = made(tmp_path / "database.db", [(HOUR, 1001, "Bees", 5)])
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Busy, match="locked"), open_upstream(path, tmp_path):
        pass
    writer.close()


def _text(path: Path) -> None:
    path.write_text("hello\n" * 100)


def _empty(path: Path) -> None:
    path.touch()


def _random(path: Path) -> None:
    path.write_bytes(os.urandom(8192))


def _truncated(path: Path) -> None:
    rows: list[Row] = [(HOUR + 3600 * n, 1001, "Bees", 1) for n in range(3000)]
    made(path, rows)
    os.truncate(path, path.stat().st_size // 8192 * 4096)


def _of_another_program(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()


def _ours(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA application_id = 0x6F66736D")
    connection.execute("CREATE TABLE meta (key TEXT)")
    connection.close()


def _newer(path: Path) -> None:
    UpstreamFile(path, "0123456789ab").close()


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda _path: None, InputMissing, "is not there"),
        (_text, InputDamaged, "not an SQLite database"),
        (_random, InputDamaged, "or an encrypted one"),
        (_empty, InputDamaged, "is empty"),
        (_truncated, InputDamaged, "is damaged"),
        (_of_another_program, DatabaseForeign, "of another program"),
        (_ours, DatabaseForeign, "of this program"),
        (_newer, DatabaseForeign, "0123456789ab"),
        (_folder, InputUnreadable, "directory"),
        (os.mkfifo, InputUnreadable, "is not a file"),
    ],
)
def test_what_is_no_such_database_is_said(
    tmp_path: Path, make: object, error: type[MetricsError], words: str
) -> None:
    """What is wrong with the file is said with a way out."""
    path = tmp_path / "database.db"
    assert callable(make)
    make(path)
    with pytest.raises(error) as raised, open_upstream(path, tmp_path) as upstream:
        list(upstream.hours())
    assert words in raised.value.message
    assert raised.value.hint
    assert is_upstream(path) is (make is _newer)


def test_it_is_told_from_other_files(tmp_path: Path) -> None:
    """A database of the older system is known by its tables, without a change to it."""
    path = made(tmp_path / "database.db", [(HOUR, 1001, "Bees", 5)])
    before = content(tmp_path)
    assert is_upstream(path)
    assert content(tmp_path) == before


def test_it_is_told_by_tables_that_are_in_its_log_only(tmp_path: Path) -> None:
    """After a power cut soon after it was made, the file is no more than its header: the tables are
    found, nothing is changed, and no copy is left.
    """
    live, folder, scratch = (tmp_path / name for name in ("live.db", "old", "scratch"))
    folder.mkdir()
    scratch.mkdir()
    file = UpstreamFile(live, wal=True)
    file.records([(HOUR, 1001, "Bees", 5)])
    path = file.left_at(folder / "database.db")
    assert path.stat().st_size == 4096
    before = content(folder)
    assert is_upstream(path)
    assert locate(path) == (folder / "database.v2.db", path)
    assert hours_of(path, scratch)[0] == [Hour(HOUR, {(1001, "Bees"): 5})]
    assert content(folder) == before
    assert list(scratch.iterdir()) == []


def test_it_is_told_by_a_last_table_that_is_in_its_log_only(tmp_path: Path) -> None:
    """Some of its tables had reached the file."""
    live = tmp_path / "live.db"
    file = UpstreamFile(live)
    schema = file.connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'kpi'")
    sql = schema.fetchone()[0]
    file.connection.execute("DROP TABLE kpi")
    assert not is_upstream(live)
    file.connection.execute("PRAGMA journal_mode = WAL")
    file.connection.execute(sql)
    assert is_upstream(file.left_at(tmp_path / "database.db"))


@pytest.mark.parametrize("with_table", [False, True])
def test_another_program_in_wal_mode_is_not_taken_for_it(tmp_path: Path, with_table: bool) -> None:
    """Whether its tables are in the file or in the log."""
    live, path = tmp_path / "live.db", tmp_path / "database.db"
    writer = sqlite3.connect(live, isolation_level=None)
    if with_table:
        writer.execute("CREATE TABLE mine (id)")
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE kpi (id)")
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{live}{suffix}", f"{path}{suffix}")
    writer.close()
    assert not is_upstream(path)
    assert locate(path) == (path, None)


def test_without_room_for_a_copy_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not taken for another program's, which would be the wrong way out."""
    path = UpstreamFile(tmp_path / "live.db", wal=True).left_at(tmp_path / "database.db")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(StorageError, match="no folder can be made for a copy of"):
        locate(path)
