"""What the older system counted is put beside what is counted here, once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.figures.answers import Query
from engine.report import Report
from engine.store.importing import Import, Summary
from engine.store.repair import check
from engine.store.store import Store
from engine.store.upstream.opening import open_upstream
from engine.times import LATEST_AT, period_of
from lab.upstream_database import Row, UpstreamFile

PARIS = ZoneInfo("Europe/Paris")
HOUR = 1718600400  # 2024-06-17 05:00 UTC
NOW = HOUR + 400 * 86400


def made(path: Path, rows: list[Row]) -> Path:
    path.unlink(missing_ok=True)
    file = UpstreamFile(path)
    file.records(rows)
    return file.close()


def imported(store: Store, path: Path) -> Summary:
    with open_upstream(path) as upstream:
        summary = Import(store, upstream, NOW).run()
    assert check.problems_of(store.connection) == []
    return summary


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "metrics.db", PARIS) as opened:
        yield opened


def week(packages: int = 12) -> list[Row]:
    """Seven days of eight hours, with visits and use of some packages."""
    rows: list[Row] = []
    for day in range(7):
        for hour in range(8):
            at = HOUR + day * 86400 + hour * 3600
            rows += [(at, 1004, None, 60), (at, 1005, None, 40), (at, 1003, "FILE_CREATED", hour)]
            for package in range(packages):
                rows.append((at, 1001, f"Package {package:02}", 1 + (day + hour + package) % 5))
                rows.append((at, 1006, f"Package {package:02}", 10 * (1 + package % 4)))
    return rows


def sums_by_day(rows: list[Row]) -> dict[str, dict[tuple[int, str], int]]:
    """What the rows add up to on each day in Paris, by other code than ours."""
    days: dict[str, dict[tuple[int, str], int]] = defaultdict(lambda: defaultdict(int))
    for at, indicator_id, value0, value in rows:
        day = datetime.fromtimestamp(at, UTC).astimezone(PARIS).date().isoformat()
        days[day][indicator_id, value0 or ""] += value
    return days


def shown_by_day(store: Store, days: list[str]) -> dict[str, dict[tuple[int, str], int]]:
    report = Report(store.reader())
    found = {}
    for day in days:
        period = period_of("D", day, PARIS)
        assert period is not None
        sums = report.summary(period).sums
        found[day] = {
            (indicator_id, dimension): value
            for indicator_id, values in sums.items()
            for dimension, value in values.items()
        }
    return found


def test_every_day_has_the_sums_of_the_file(store: Store, tmp_path: Path) -> None:
    """Days of the configured zone, each with the file's sums, stored or computed."""
    rows = week()
    summary = imported(store, made(tmp_path / "database.db", rows))
    expected = sums_by_day(rows)
    assert shown_by_day(store, list(expected)) == expected
    assert summary.records.total() == len(rows)
    assert (summary.hours, summary.first_hour) == (56, HOUR)
    assert summary.left == {}
    assert not summary.was_known


def test_the_same_file_again_changes_nothing(store: Store, tmp_path: Path) -> None:
    """Every table is as it was, but for the number of commits."""
    path = made(tmp_path / "database.db", week())
    imported(store, path)
    before = everything(store)
    assert imported(store, path).was_known
    assert everything(store) == before


def everything(store: Store) -> dict[str, list[tuple[object, ...]]]:
    tables = ("origin", "record", "state", "period", "total", "dimension")
    return {
        table: store.connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall()
        for table in tables
    }


@pytest.mark.parametrize("hours", [3, 49, 50, 55])
def test_a_copy_that_has_grown_adds_what_is_new(store: Store, tmp_path: Path, hours: int) -> None:
    """Also of a file that had fewer than fifty hours when it was imported first."""
    rows = week()
    cut = sorted({row[0] for row in rows})[hours]
    path = tmp_path / "database.db"
    imported(store, made(path, [row for row in rows if row[0] < cut]))
    assert imported(store, made(path, rows)).was_known
    assert shown_by_day(store, list(sums_by_day(rows))) == sums_by_day(rows)
    imports = "SELECT count(*) FROM origin WHERE kind = 'imported'"
    assert store.connection.execute(imports).fetchone() == (1,)


def test_a_copy_that_has_dropped_its_oldest_hours_is_the_same(store: Store, tmp_path: Path) -> None:
    """The older system removes old records, too; nothing counts twice."""
    rows = week()
    path = tmp_path / "database.db"
    imported(store, made(path, rows))
    assert imported(store, made(path, [row for row in rows if row[0] > HOUR + 90000])).was_known
    assert shown_by_day(store, list(sums_by_day(rows))) == sums_by_day(rows)


@pytest.mark.parametrize("counted_here", [False, True])
def test_a_copy_without_any_of_its_oldest_hours_here_is_the_same(
    store: Store, tmp_path: Path, *, counted_here: bool
) -> None:
    """They are purged here, or lines were counted here in all of them: the first hour that is there
    of the file tells, when the copy has dropped some as well.
    """
    rows = week(2) + [(at + 7 * 86400, i, value0, value) for at, i, value0, value in week(2)]
    hours = sorted({row[0] for row in rows})
    path, gone = tmp_path / "database.db", hours[60]
    if counted_here:
        store.commit({(hour, 1001, "Package 00"): 100 for hour in hours if hour < gone})
    imported(store, made(path, rows))
    if not counted_here:
        store.purge(gone)
    before = everything(store)
    assert imported(store, made(path, [row for row in rows if row[0] >= hours[5]])).was_known
    assert everything(store) == before


def running(path: Path, visits: int, over: list[Row]) -> Path:
    """A file with some hours, and states of an hour that is not over."""
    path.unlink(missing_ok=True)
    file = UpstreamFile(path)
    file.records(over)
    file.state(HOUR + 3600 * len(over), 1001, "Bees", str(visits))
    return file.close()


def test_two_files_of_less_than_an_hour_are_two(store: Store, tmp_path: Path) -> None:
    """They have states only, and are told from each other by these."""
    one = running(tmp_path / "one.db", 7, [])
    two = running(tmp_path / "two.db", 5, [])
    assert not imported(store, one).was_known
    assert not imported(store, two).was_known
    for path in (one, two, one):
        assert imported(store, path).was_known
    assert shown_by_day(store, ["2024-06-17"]) == {"2024-06-17": {(1001, "Bees"): 12}}


@pytest.mark.parametrize("counted", [0, 100])
def test_a_file_of_less_than_an_hour_has_grown(store: Store, tmp_path: Path, counted: int) -> None:
    """It is the same file when its first hour is over, with more than was imported of it; also
    when lines were counted here in that hour since, so that it stays as it is.
    """
    path = tmp_path / "database.db"
    imported(store, running(path, 5, []))
    if counted:
        store.commit({(HOUR, 1001, "Bees"): counted})
    assert imported(store, running(path, 1, [(HOUR, 1001, "Bees", 8)])).was_known
    over: list[Row] = [(HOUR, 1001, "Bees", 8), (HOUR + 3600, 1001, "Bees", 20)]
    assert imported(store, running(path, 3, over)).was_known
    bees = (counted + 5 if counted else 8) + 20 + 3
    assert shown_by_day(store, ["2024-06-17"]) == {"2024-06-17": {(1001, "Bees"): bees}}


def test_an_older_copy_takes_nothing_away(store: Store, tmp_path: Path) -> None:
    """It has less of the hour that was its newest, of which all is there."""
    over: list[Row] = [(HOUR + 3600 * n, 1001, "Bees", 8) for n in range(3)]
    path = tmp_path / "database.db"
    imported(store, running(path, 2, over))
    before = everything(store)
    assert imported(store, running(path, 5, over[:2])).was_known
    assert everything(store) == before


def test_two_files_of_two_hotspots_add_up(store: Store, tmp_path: Path) -> None:
    """Sums of both count; minutes of the same hour are not more than the larger."""
    rows = week()
    imported(store, made(tmp_path / "one.db", rows))
    other = [(at, i, value0, value + 1 if i == 1001 else value) for at, i, value0, value in rows]
    assert not imported(store, made(tmp_path / "two.db", other)).was_known
    day = shown_by_day(store, ["2024-06-17"])["2024-06-17"]
    expected = sums_by_day(rows)["2024-06-17"], sums_by_day(other)["2024-06-17"]
    assert day[1001, "Package 00"] == sum(sums[1001, "Package 00"] for sums in expected)
    assert day[1004, ""] == 8 * 60


def test_hours_that_were_counted_here_are_left(store: Store, tmp_path: Path) -> None:
    """Lines were counted in one hour; in another the hotspot was only on."""
    store.commit(
        {
            (HOUR, 1005, ""): 0b1,
            (HOUR, 1001, "Package 00"): 100,
            (HOUR + 3600, 1004, ""): (1 << 60) - 1,
        }
    )
    rows = week()
    summary = imported(store, made(tmp_path / "database.db", rows))
    assert summary.left == {"of hours that were counted here": sum(r[0] == HOUR for r in rows)}
    day = shown_by_day(store, ["2024-06-17"])["2024-06-17"]
    expected = sums_by_day([row for row in rows if row[0] != HOUR])["2024-06-17"]
    assert day[1001, "Package 00"] == expected[1001, "Package 00"] + 100
    assert day[1004, ""] == expected[1004, ""]  # on is on, whoever noticed


def test_an_hour_off_and_on_here_has_the_larger_uptime(store: Store, tmp_path: Path) -> None:
    """A minute set of ours and a value without one: the larger counts."""
    store.commit({(HOUR, 1004, ""): (1 << 45) - 1})
    imported(store, made(tmp_path / "database.db", [(HOUR, 1004, None, 30)]))
    assert shown_by_day(store, ["2024-06-17"])["2024-06-17"][1004, ""] == 45


def test_years_that_only_kpis_know_are_kept(store: Store, tmp_path: Path) -> None:
    """Their totals are shown, after a change of the zone too; a year with records has its own."""
    file = UpstreamFile(tmp_path / "database.db")
    file.records(week())
    items = [{"package": f"Old {n}", "visits": 10} for n in range(10)]
    for year in ("2021", "2024"):
        file.kpi(2001, "Y", year, json.dumps({"items": items, "totalVisits": 130}))
        file.kpi(2004, "Y", year, json.dumps({"nbMinutesOn": 500}))
    summary = imported(store, file.close())
    assert summary.years == ["2021"]
    for zone in (PARIS, ZoneInfo("Asia/Kolkata")):
        store.close()
        store = Store.open(tmp_path / "metrics.db", zone)
        report = Report(store.reader())
        assert report.labels("Y") == ["2021", "2024"]
        value = report.kpi_value(2001, "Y", "2021")
        assert value is not None
        assert value["value"]["totalVisits"] == 130
        assert len(value["value"]["items"]) == 10
        assert all(item["package"].startswith("Old") for item in value["value"]["items"])
        assert check.problems_of(store.connection) == []
    store.close()


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue"])
def test_whatever_is_in_a_file_the_rest_is_imported(tmp_path: Path, zone: str) -> None:
    """Impossible times, values, titles and years: counted by reason, and no year hides another."""
    file = UpstreamFile(tmp_path / "database.db")
    file.records([(HOUR, 1001, "Bees", 5), (HOUR, 1004, None, 60)])
    bees = file.dimension("Bees\n")
    file.record(HOUR, 1001, bees, 2)
    for hour in (0, LATEST_AT - 3600, LATEST_AT, 253402297200):  # the last hour of the year 9999
        file.record(hour, 1001, bees, 1)
    for n in range(3):
        file.record(HOUR + n * 3600, 1006, bees, (1 << 62) + n)
    for label in ("0001", "2022", "99999"):
        file.kpi(2004, "Y", label, "600")
        file.kpi(2001, "Y", label, '{"items": [{"package": "\\ud83d", "visits": 3}, {"x": 1}]}')
    path = file.close()
    with Store.open(tmp_path / "metrics.db", ZoneInfo(zone)) as store:
        summary = imported(store, path)
        assert summary.left == {
            "of an impossible time": 2,
            "too large": 3,
            "a yearly KPI that cannot be read": 3,
            "a yearly KPI of an impossible year": 2,
        }
        report = Report(store.reader())
        years = report.aggregation("Y")["valuesAvailable"]
        assert {"2022", "2024"} <= set(years)
        assert report.kpi_value(2001, "Y", "2024") == {
            "kpiId": 2001,
            "value": {"items": [{"package": "Bees", "visits": 7}], "totalVisits": 7},
        }
        query = Query(date(2024, 6, 16), date(2024, 6, 18))
        assert report.figures(query, NOW)["total"]["visits"] == 7
        assert report.figures(query, NOW)["rows"] == [
            {"package": "Bees", "visits": 7, "minutesInUse": 0}
        ]


OLD = [("Old 0", 90), ("Old 1", 30)]
GENERATIONS: dict[str, dict[int, object]] = {
    "2023": {
        2001: [{"content": title, "count": n, "percentage": n / 1.2} for title, n in OLD],
        2002: [{"content": "Old 0: /page", "count": 4, "percentage": 100.0}],
    },
    "snake_case": {
        2001: {"items": [{"package": title, "visits": n} for title, n in OLD], "total_visits": 120},
        2003: {
            "items": [{"package": "Old 0", "minutes_activity": 80}],
            "total_minutes_activity": 90,
        },
        2004: {"nb_minutes_on": 600},
        2005: {"files_created": 3, "files_deleted": 1},
    },
    "camelCase": {
        2001: {"items": [{"package": title, "visits": n} for title, n in OLD], "totalVisits": 120},
        2003: {"items": [{"package": "Old 0", "minutesActivity": 80}], "totalMinutesActivity": 90},
        2004: {"nbMinutesOn": 600},
        2005: {"filesCreated": 3, "filesDeleted": 1},
    },
}
"""What the KPIs of a period were written as: those there were, in the form they had."""


@pytest.mark.parametrize("generation", GENERATIONS)
def test_each_generation_is_imported(store: Store, tmp_path: Path, generation: str) -> None:
    """Days have the sums of the file's records, a year before them that of its KPIs; a second
    import changes nothing, and neither changes the file.
    """
    file = UpstreamFile(tmp_path / "database.db")
    rows = week()
    pages = 0
    if generation == "2023":  # packages were counted, and their pages
        rows = [row for row in rows if row[1] == 1001]
        for hour in sorted({row[0] for row in rows}):
            file.record(hour, 1002, file.dimension("Package 00", "/page"), 2)
            pages += 1
    file.records(rows)
    periods = (("Y", "2021"), ("Y", "2024"), ("M", "2024-06"), ("W", "2024 W25"))
    for kpi_id, value in GENERATIONS[generation].items():
        for kind, label in (*periods, ("D", "2024-06-17")):
            whole = {"module": "offspot_metrics", "name": f"Kpi{kpi_id}", "data": value}
            text = json.dumps(value if generation == "2023" else whole)
            file.kpi(kpi_id, kind, label, text)
    path = file.close()
    before = path.read_bytes()
    summary = imported(store, path)
    assert summary.records.total() == len(rows)
    assert summary.left.total() == pages
    expected = sums_by_day(rows)
    assert shown_by_day(store, list(expected)) == expected
    report = Report(store.reader())
    year = {kpi: report.kpi_value(kpi, "Y", "2021") for kpi in (2001, 2003, 2004, 2005)}
    values = {kpi: entry["value"] for kpi, entry in year.items() if entry}
    items = [{"package": title, "visits": n} for title, n in OLD]
    assert values[2001] == {"items": items, "totalVisits": 120}
    if generation != "2023":
        assert values[2003]["items"] == [{"package": "Old 0", "minutesActivity": 80}]
        assert values[2003]["totalMinutesActivity"] == 90
        assert values[2004]["nbMinutesOn"] == 600
        assert values[2005] == {"filesCreated": 3, "filesDeleted": 1}
    everything_before = everything(store)
    assert imported(store, path).was_known
    assert everything(store) == everything_before
    assert path.read_bytes() == before
    assert list(tmp_path.glob("database.db*")) == [path]


def test_an_import_that_is_interrupted_leaves_the_database_as_it_was(
    store: Store, tmp_path: Path
) -> None:
    """Ctrl-C when a part is written: it is taken back, and the next import does all."""
    rows = week(100)
    path = made(tmp_path / "database.db", rows)
    before = everything(store)

    def interrupt(_records: int) -> None:
        assert everything(store) != before
        raise KeyboardInterrupt

    with open_upstream(path) as upstream, pytest.raises(KeyboardInterrupt):
        Import(store, upstream, NOW).run(interrupt)
    assert everything(store) == before
    assert not imported(store, path).was_known
    assert shown_by_day(store, list(sums_by_day(rows))) == sums_by_day(rows)


def test_records_of_the_future_are_told(store: Store, tmp_path: Path) -> None:
    """They are imported, and the summary says how many there are."""
    rows: list[Row] = [(NOW // 3600 * 3600 + 3 * 86400, 1001, "Bees", 1), (HOUR, 1001, "Bees", 2)]
    assert imported(store, made(tmp_path / "database.db", rows)).in_future == 1


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 200).map(lambda n: HOUR + 3600 * n),
            st.sampled_from([1001, 1004, 1005, 1006]),
            st.sampled_from(["A", "B", ""]),
            st.integers(0, 60),
        ),
        max_size=60,
        unique_by=lambda row: (row[0], row[1], "" if row[1] in {1004, 1005} else row[2]),
    ),
    st.integers(0, 200),
)
def test_any_file_in_any_two_copies(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], cut: int
) -> None:
    """A first copy that ends anywhere, then the whole: days have the sums of the whole."""
    folder = tmp_path_factory.mktemp("import")
    rows = [
        (at, i, None if i in {1004, 1005} else value0, value)
        for at, i, value0, value in rows
        if not (i == 1006 and not value0)
    ]
    path = folder / "database.db"
    with Store.open(folder / "metrics.db", PARIS) as store:
        imported(store, made(path, [row for row in rows if row[0] < HOUR + 3600 * cut]))
        imported(store, made(path, rows))
        expected = {
            day: {key: value for key, value in sums.items() if value}
            for day, sums in sums_by_day(rows).items()
        }
        shown = {
            day: {key: value for key, value in sums.items() if value}
            for day, sums in shown_by_day(store, list(expected)).items()
        }
        assert shown == expected
