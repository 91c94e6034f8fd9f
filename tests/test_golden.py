"""Every scenario of `tests/golden`, through `replay` as a user runs it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from engine import indicators, kpis
from tests.support.golden import (
    SHAPES,
    Records,
    Scenario,
    read_scenarios,
    replay,
)

SCENARIOS = read_scenarios(Path(__file__).parent / "golden")
each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
each_shape = pytest.mark.parametrize("shape", SHAPES)


def records_in(database: Path, scenario: Scenario) -> Records:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT hour, indicator_id, value0, value"
            " FROM record LEFT JOIN dimension ON dimension.id = record.dimension_id"
        ).fetchall()
    assert {row[1] for row in rows} <= set(indicators.FOLDS)
    return scenario.records_in(rows)


@each_shape
@each_scenario
def test_scenario(scenario: Scenario, shape: str, memory_path: Path) -> None:
    """The lines of each run, the records and the KPIs are those that the scenario tells."""
    packages = scenario.write(memory_path, shape)
    database = memory_path / "metrics.db"
    common = ["--packages", str(packages), "--database", str(database), *scenario.arguments]
    printed: dict[str, Any] = {}
    for number, names in enumerate(scenario.replays):
        printed = replay([*common, *(str(memory_path / name) for name in names)])
        assert printed["lines"] == scenario.lines(number)
    assert scenario.periods_in(printed) == scenario.periods(filled=False)
    assert records_in(database, scenario) == scenario.records


@each_shape
@pytest.mark.parametrize(
    "scenario",
    [scenario for scenario in SCENARIOS if len(scenario.replays) == 1],
    ids=lambda scenario: scenario.name,
)
def test_scenario_without_database(scenario: Scenario, shape: str, memory_path: Path) -> None:
    """Without a database all is the same, but for short silences, which are filled."""
    packages = scenario.write(memory_path, shape)
    files = [str(memory_path / name) for name in scenario.replays[0]]
    options = [*scenario.arguments, *scenario.arguments_without_database]
    printed = replay(["--packages", str(packages), *options, *files])
    assert printed["lines"] == scenario.lines(0)
    assert scenario.periods_in(printed) == scenario.periods(filled=True)


def test_every_indicator_and_kpi_has_a_scenario() -> None:
    """Scenarios look only at the indicators and KPIs that they are about; together at all."""
    assert {i for scenario in SCENARIOS for i in scenario.indicators} == set(indicators.FOLDS)
    assert {i for scenario in SCENARIOS for i in scenario.kpis} == set(kpis.BY_ID)


@pytest.mark.parametrize(
    "scenario",
    [scenario for scenario in SCENARIOS if scenario.is_whole],
    ids=lambda scenario: scenario.name,
)
def test_scenario_adds_up(scenario: Scenario) -> None:
    """Scenarios agree with themselves: days, months and years sum up their records."""
    records = scenario.records
    counted = sum(
        count
        for of_hour in records.values()
        for count in of_hour.get("PackageHomeVisit", {}).values()
    )
    uptime = sum(of_hour["Uptime"] for of_hour in records.values())
    minutes = sum(of_hour.get("TotalUsageOverall", 0) for of_hour in records.values())
    for kind in "DMY":
        values = [
            {kpi["kpiId"]: kpi["value"] for kpi in period["kpis"]}
            for period in scenario.periods(filled=False)
            if period["aggKind"] == kind
        ]
        assert sum(value[2001]["totalVisits"] for value in values) == counted
        assert sum(value[2003]["totalMinutesActivity"] for value in values) == minutes
        assert sum(value[2004]["nbMinutesOn"] for value in values) == uptime
