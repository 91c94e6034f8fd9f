"""A hotspot that ran the older system keeps its history: the same settings, another program."""

from __future__ import annotations

import gzip
import hashlib
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.metrics import Metrics
from lab.upstream_database import Row, UpstreamFile
from tests.cli.cases import invoke, kpis_of, lines, visits, write
from tests.support.reading import FILEBEAT, READERS

HOUR = 1718600400  # 2024-06-17 05:00 UTC
DONE = "were imported from database.db"


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """`/data/database.db` as the older system has left it, with a week of use."""
    data = tmp_path / "data"
    data.mkdir()
    file = UpstreamFile(data / "database.db")
    rows: list[Row] = []
    for day in range(7):
        rows += [
            (HOUR + day * 86400, 1001, "Bees", 5),
            (HOUR + day * 86400, 1004, None, 60),
            (HOUR + day * 86400, 1005, None, 20),
        ]
    file.records(rows)
    return file.close()


def content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def serving(
    archive: Path,
    tmp_path: Path,
    older: Path,
    monkeypatch: pytest.MonkeyPatch,
    reader: str = "tail",
) -> Iterator[Metrics]:
    """`serve` in the environment that the hotspot's compose file sets."""
    logs = tmp_path / "log"
    logs.mkdir(exist_ok=True)
    packages = tmp_path / "packages.yaml"
    packages.write_text(
        "packages:\n- {kind: app, title: Maps, url: //maps.box/, package: a}\n", "utf-8"
    )
    for name, value in {
        "ALLOWED_ORIGINS": "http://metrics|http://metrics.box",
        "PACKAGE_CONF_FILE": packages,
        "DATABASE_URL": f"sqlite+pysqlite:///{older}",
        "LOGWATCHER_DATA_FOLDER": tmp_path / "data/logwatcher",
        "REVERSE_PROXY_LOGS_LOCATION": logs,
        "REVERSE_PROXY_LOGS_PATTERN": "metrics*.json",
    }.items():
        monkeypatch.setenv(name, str(value))
    with Metrics(archive, ["--reader", reader], tmp_path / "home") as metrics:
        yield metrics


def notes(metrics: Metrics) -> str:
    return " ".join(metrics.api("/api/v1/status")["notes"])


def test_the_older_database_is_taken_over(
    archive: Path, tmp_path: Path, older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its figures are shown, it stays byte for byte, and counting goes on next to it."""
    before = content(older)
    with serving(archive, tmp_path, older, monkeypatch) as metrics:
        metrics.wait_for(lambda: DONE in notes(metrics), "the import", 30)
        week = metrics.api("/api/v1/periods/W/2024 W25".replace(" ", "%20"))
        values = {kpi["kpiId"]: kpi["value"] for kpi in week["kpis"]}
        assert values[2001] == {"items": [{"package": "Bees", "visits": 35}], "totalVisits": 35}
        assert values[2004] == {"nbMinutesOn": 420}
        log = tmp_path / "log/metrics-access.json"
        log.write_bytes(visits(600, 5))
        read = lambda: metrics.api("/api/v1/status")["lines"]["read"] == 5  # noqa: E731
        metrics.wait_for(read, "five lines", 30)
        assert "is of offspot/metrics" in metrics.output.read_text()
    assert content(older) == before
    beside = {path.name for path in older.parent.iterdir()} - {"quarantine"}
    assert {"database.db", "database.v2.db"} <= beside
    assert not {"database.db-wal", "database.db-shm", "database.db-journal"} & beside


def test_one_whose_tables_are_in_its_log_is_taken_over_too(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut, its file may be no more than a header: it is no other program's."""
    file = UpstreamFile(tmp_path / "live.db", wal=True)
    file.records([(HOUR, 1001, "Bees", 5)])
    data = tmp_path / "data"
    data.mkdir()
    older = file.left_at(data / "database.db")
    log = older.with_name("database.db-wal")
    before = content(older), content(log)
    with serving(archive, tmp_path, older, monkeypatch) as metrics:
        metrics.wait_for(lambda: DONE in notes(metrics), "the import", 30)
        assert metrics.api("/api/v1/periods/D/2024-06-17")["total"]["visits"] == 5
    assert (content(older), content(log)) == before


@pytest.mark.parametrize("reader", READERS)
def test_lines_that_both_have_counted_count_once(
    archive: Path, tmp_path: Path, older: Path, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    """The image was changed without a reboot: the logs of the last hours are still there, one of
    them compressed, one without its last newline. Their hours are counted here, and not imported.
    """

    def line(hour: int, minute: int) -> bytes:
        time = datetime.fromtimestamp(hour + minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:30.1Z")
        return lines(f"{time} GET maps.box/a 200")

    folder = tmp_path / "log"
    folder.mkdir()
    last, before = HOUR + 6 * 86400, HOUR + 5 * 86400
    (folder / "metrics-2024.json.gz").write_bytes(gzip.compress(line(before, 5)))
    (folder / "metrics.json").write_bytes(line(last, 7))
    if reader == "filebeat":
        monkeypatch.setenv("FILEBEAT", str(FILEBEAT))
    with serving(archive, tmp_path, older, monkeypatch, reader) as metrics:
        metrics.wait_for(lambda: DONE in notes(metrics), "the import", 60)
        days = metrics.api("/api/v1/figures?from=2024-06-17&to=2024-06-23&by=day")["rows"]
        assert [day["visits"] for day in days] == [5, 5, 5, 5, 5, 0, 0]
        assert [day["minutesOn"] for day in days] == [60, 60, 60, 60, 60, 1, 1]


@pytest.mark.full
def test_a_line_without_its_end_delays_the_import_only(
    archive: Path, tmp_path: Path, older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never read; when nothing else came for half a minute, the logs are taken as read."""
    (tmp_path / "log").mkdir()
    (tmp_path / "log/metrics.json").write_bytes(visits(600, 2) + b'{"level":')
    with serving(archive, tmp_path, older, monkeypatch) as metrics:
        metrics.wait_for(lambda: DONE in notes(metrics), "the import", 100)


def test_ours_is_used_when_the_older_one_is_gone(
    archive: Path, tmp_path: Path, older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To make room, it is removed after the import: the history stays where it is."""
    with serving(archive, tmp_path, older, monkeypatch) as metrics:
        metrics.wait_for(lambda: DONE in notes(metrics), "the import", 30)
    older.unlink()
    with serving(archive, tmp_path, older, monkeypatch) as metrics:
        value = metrics.api("/api/v1/kpis/2001/values?agg_kind=Y&agg_value=2024")["value"]
        assert value["totalVisits"] == 35
    assert not older.exists()


def test_it_is_imported_once(
    archive: Path, tmp_path: Path, older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later start says that it was, and does not read it again, also when it is gone."""
    with serving(archive, tmp_path, older, monkeypatch) as metrics:
        metrics.wait_for(lambda: DONE in notes(metrics), "the import", 30)
    with closing(sqlite3.connect(older)) as connection, connection:
        connection.execute("UPDATE indicator_record SET value = 500 WHERE indicator_id = 1001")
    with serving(archive, tmp_path, older, monkeypatch) as metrics:
        metrics.wait_for(lambda: DONE in notes(metrics), "the note", 30)
        assert (
            metrics.api("/api/v1/kpis/2001/values?agg_kind=Y&agg_value=2024")["value"][
                "totalVisits"
            ]
            == 35
        )


def test_killed_meanwhile_it_is_imported_all_the_same(
    archive: Path, tmp_path: Path, older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill -9 right after the start: the next start has all of it, once."""
    for _ in range(2):
        with serving(archive, tmp_path, older, monkeypatch) as metrics:
            os.kill(metrics.pid, signal.SIGKILL)
    with serving(archive, tmp_path, older, monkeypatch) as metrics:
        metrics.wait_for(lambda: DONE in notes(metrics), "the import", 30)
        value = metrics.api("/api/v1/kpis/2001/values?agg_kind=Y&agg_value=2024")["value"]
        assert value["totalVisits"] == 35


def test_a_damaged_one_is_reported_and_counting_goes_on(
    archive: Path, tmp_path: Path, older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be imported stands in the way of nothing."""
    data = bytearray(older.read_bytes())
    data[4096 * 3 :] = bytes(len(data) - 4096 * 3)
    older.write_bytes(data)
    with serving(archive, tmp_path, older, monkeypatch) as metrics:
        metrics.wait_for(lambda: "was not imported" in notes(metrics), "the note", 30)
        assert metrics.api("/health")["ok"]


def test_every_command_uses_ours_next_to_it(place: Path, packages: Path, older: Path) -> None:
    """`replay` counts into it, `kpis` and `backup` read it, and the older one is not touched."""
    before = content(older)
    (log,) = write(place, log__json=visits(600, 3))
    done = invoke("replay", "-q", "--packages", packages, "--database", older, log)
    assert done.code == 0, done.err
    shown = invoke("kpis", "--database", older, "--period", "2026-06-14", "--format", "json")
    assert kpis_of(shown.json)[2001]["totalVisits"] == 3
    assert invoke("backup", place / "copy.db", "--database", older).code == 0
    assert invoke("import", older, "--database", older).code == 0
    shown = invoke("kpis", "--database", older, "--period", "2024", "--format", "json")
    assert kpis_of(shown.json)[2001]["totalVisits"] == 35
    assert content(older) == before
    assert older.with_name("database.v2.db").exists()
