"""Zones: the tables that come with the program decide, and a name is that of one zone."""

from __future__ import annotations

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import tzdata

from engine.indicators.model import States
from engine.store.store import Store
from engine.times import load_zone
from tests.cli.cases import (
    PACKAGES,
    Program,
    SetUp,
    day_of,
    invoke,
    kpis_of,
    lines,
    says,
    write,
)

LATE = 1_794_353_400  # 2026-11-10T23:30Z
HOUR = LATE // 3600 * 3600
CASABLANCA = "Africa/Casablanca"
LINE = lines("2026-11-10T23:30:00Z GET lib.box/content/bees_en/ 200")


def other_tables(folder: Path) -> Path:
    """A machine's tables in which it is nine hours later in Morocco, as in Tokyo."""
    tables = folder / "zoneinfo"
    (tables / "Africa").mkdir(parents=True)
    tokyo = (Path(tzdata.__file__).parent / "zoneinfo/Asia/Tokyo").read_bytes()
    (tables / CASABLANCA).write_bytes(tokyo)
    return tables


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("machine", ["of the system", "of another"])
def test_one_log_gives_one_set_of_figures_on_every_machine(
    program: Program, packages: Path, place: Path, jobs: int, machine: str
) -> None:
    """Whatever the machine's own tables say, in this process and in those that it starts."""
    (log,) = write(place, log__json=LINE)
    tables = str(other_tables(place)) if machine == "of another" else "/usr/share/zoneinfo"
    options = ["--packages", packages, "--timezone", CASABLANCA, "--jobs", jobs]
    result = program.run("replay", "--format", "json", *options, log, PYTHONTZPATH=tables)
    assert result.code == 0, result.err
    assert day_of(result, "2026-11-10")[2001]["totalVisits"] == 1
    labels = [period["aggValue"] for period in result.json["periods"]]
    assert labels == ["2026-11-10", "2026-11", "2026 W46", "2026"]


REFUSED = {
    "localtime": "another zone on each machine",
    "posixrules": "another zone on each machine",
    "Factory": "another zone on each machine",
    "/etc/localtime": "another zone on each machine",
    ":/etc/localtime": "another zone on each machine",
    "posix/Europe/Paris": "write Europe/Paris",
    "right/Africa/Bamako": "write Africa/Bamako",
    "/usr/share/zoneinfo/Europe/Paris": "write Europe/Paris",
    "/usr/share/zoneinfo/right/UTC": "write UTC",
    "europe/paris": "write Europe/Paris",
    "America/New York": "write America/New_York",
    **dict.fromkeys(
        ("CET-1CEST", "<+01>-1", "zone.tab", "tzdata.zi", "Africa", "Africa/", "..", "../UTC"),
        "give an IANA name",
    ),
    **dict.fromkeys(("Africa.Bamako", "é", "x" * 5000, "Africa//Bamako"), "give an IANA name"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_names_no_one_zone_is_refused_with_a_hint(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an option and in the environment, with what to write in its place."""
    packages, log = write(tmp_path, packages__yml=PACKAGES, log__json=LINE)
    arguments = ["replay", "--packages", packages, log]
    invoke(*arguments, "--timezone", name).failed(2, "is not known", REFUSED[name])
    monkeypatch.setenv("TZ", name)
    invoke(*arguments).failed(78, "TZ: time zone", "is not known", REFUSED[name])


def test_a_zone_may_be_named_as_in_tz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`TZ=:Europe/Paris` is the same as without its colon."""
    packages, log = write(tmp_path, packages__yml=PACKAGES, log__json=LINE)
    monkeypatch.setenv("TZ", ":Europe/Paris")
    result = invoke("replay", "--format", "json", "--packages", packages, log)
    assert day_of(result, "2026-11-11")[2001]["totalVisits"] == 1


def test_doctor_names_the_version_of_the_tables(setup: SetUp) -> None:
    """With the zone that counts, and what the database has when that is another one."""
    version = tzdata.IANA_VERSION
    _, checks = setup.examine()
    assert (
        f"days are in the zone UTC, by the time zone data {version}"
        in checks["clock"]["details"][0]
    )
    with Store.open(setup.database, load_zone(CASABLANCA)):
        pass
    _, checks = setup.examine()
    assert f"zone {CASABLANCA}, by the time zone data {version}" in checks["clock"]["details"][0]
    assert "time zone" not in checks
    _, checks = setup.examine("--timezone", "Asia/Tokyo")
    says(checks["time zone"], "note", "Asia/Tokyo is configured", f"the database has {CASABLANCA}")
    with Store.open(setup.database) as store:
        store.put("timezone", "localtime")
    code, checks = setup.examine()
    assert code == 78
    says(checks["time zone"], "problem", "'localtime' is not known", "--timezone")


def of_older_tables(path: Path) -> None:
    """A database whose periods were computed by tables that say otherwise."""
    content = (Path(tzdata.__file__).parent / "zoneinfo/Asia/Tokyo").open("rb")
    with content as file, Store.open(path, ZoneInfo.from_file(file, key=CASABLANCA)) as store:
        states: States = {(HOUR, 1001, "Bees"): 1, (HOUR, 1004, ""): 1}
        store.commit(states, meta={"saved_at": HOUR})
        store.commit({}, running_hour=HOUR + 3600, meta={"saved_at": HOUR + 3600})
        assert "2026-11-11" in store.reader().stored_labels("D")
        store.put("zone_data", "2025b")


def test_other_tables_compute_the_periods_again(tmp_path: Path) -> None:
    """A database of other tables is not damaged: its periods are computed again, and it is said."""
    of_older_tables(tmp_path / "metrics.db")
    with Store.open(tmp_path / "metrics.db", repair_at=LATE) as store:
        assert store.repairs == []
        assert store.reader().stored_labels("D") == ["2026-11-10"]
        assert any(tzdata.IANA_VERSION in n and "were 2025b" in n for n in store.notes)
        assert store.problems() == []
    with Store.open(tmp_path / "metrics.db", repair_at=LATE) as store:
        assert store.notes == []


def test_a_stored_zone_that_is_none_has_a_way_out(program: Program, setup: SetUp) -> None:
    """An older version took `localtime`: a start over its database asks for another zone."""
    of_older_tables(setup.database)
    with Store.open(setup.database) as store:
        store.put("timezone", "localtime")
    kpis = ["kpis", "--database", setup.database, "--period", "2026-11-10", "--format", "json"]
    invoke(*kpis).failed(78, "'localtime'", "--timezone")
    before = setup.database.read_bytes()
    found = invoke(*kpis, "--timezone", CASABLANCA)
    assert kpis_of(found.json)[2001]["totalVisits"] == 1
    assert setup.database.read_bytes() == before
    program.run("serve", "--port", "0", *setup.options).failed(78, "'localtime'", "--timezone")
    with program.serving(*setup.options, "--timezone", CASABLANCA):
        pass
    found = invoke(*kpis)
    assert kpis_of(json.loads(found.out))[2001]["totalVisits"] == 1
    assert not (setup.place / "quarantine").exists()
