"""Charts and lists equal sums of the records: days without power, odd zones, clocks that jumped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.hotspot import DAY, HOUR, NOW, running
from tests.browser.pages import count, go, minutes, opened, settled
from tests.browser.sums import (
    LABELS,
    Figures,
    Hour,
    grouped,
    recorded,
    titles,
    total,
    weekday_and_hour,
)
from tests.browser.tables import COLUMNS, by_label, by_package, heat_cells
from tests.browser.zones import SEEDS, Case, hotspot_in
from tests.support.sizes import quick

BAND = 16
"""Pixels of the band of uptime where it is full."""
LEAST = 2

PERIODS = {
    "2026-09-06": "hour",  # clocks go forward at midnight in Santiago
    "2026-09-16": "hour",
    "2026-W35": "day",
    "2026-W36": "day",
    "2026-W38": "day",
    "2026-08": "day",
    "2026-09": "day",
    "2026": "month",
    "2026-08-11..2026-09-09": "day",
}
"""What is looked at, and what a column of its chart is."""


@pytest.fixture(scope="module", params=quick(SEEDS, "Asia/Kolkata"))
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Case]:
    """A hotspot in one of the zones, and its records."""
    with running(hotspot_in(request.param, tmp_path_factory.mktemp("zone"))) as hotspot:
        yield Case(hotspot, recorded(hotspot, "2026"), ZoneInfo(request.param))


def test_the_data_are_what_they_are_to_be(case: Case) -> None:
    """There are days without figures, and visits of impossible dates are counted apart."""
    with_figures = {hour.at.date() for hour in case.within("2026-08")}
    assert 20 < len(with_figures) < 31
    assert total(case.within("2026-09-06")).visits
    assert {hour.at.minute for hour in case.hours} == {30 if case.zone.key == "Asia/Kolkata" else 0}
    apart = [hour for year in ("2000", "2027") for hour in recorded(case.hotspot, year)]
    assert case.hotspot.ask("periods")["impossible"]["visits"] == total(apart).visits > 0


def shown_columns(page: Page) -> list[dict[str, Any]]:
    """Each row of the table of the main chart, with the height of its column."""
    found: list[dict[str, Any]] = page.evaluate(
        """() => {
          const card = document.querySelector('.inside-card');
          const height = (row) => card.querySelector(`.column[data-row="${row}"] .bar`)
            ?.getAttribute('height') ?? 0;
          return [...card.querySelectorAll('tbody tr')].map((tr) => {
            const cells = [...tr.querySelectorAll('td[data-value]')];
            return { label: tr.dataset.row, state: tr.dataset.state,
              height: Number(height(tr.dataset.row)),
              values: cells.map((td) => Number(td.dataset.value)),
              texts: cells.map((td) => td.innerText) };
          });
        }"""
    )
    return found


def check_columns(page: Page, hours: list[Hour], unit: str) -> None:
    """The chart of visits, drawn and as a table."""
    expected = dict(grouped(hours, LABELS[unit]))
    shown = shown_columns(page)
    tallest = max(row["height"] for row in shown)
    most = max(figures.visits for figures in expected.values())
    for row in shown:
        figures = expected.pop(row["label"], None)
        assert (row["state"] == "counted") is (figures is not None), row
        if figures is None:
            assert row["values"] == []
            assert row["height"] == 0
            continue
        assert row["values"] == list(figures)
        visits, in_use, on = row["texts"]
        assert (count(visits), minutes(in_use), minutes(on)) == figures
        drawn = figures.visits / most * tallest
        assert abs(row["height"] - drawn) < 0.1 or (figures.visits and row["height"] == 3 > drawn)
    assert not expected


def cells_of(case: Case, label: str, count_of_cells: int) -> list[tuple[int, int]]:
    """When each cell of the band, an hour or a day, begins and ends."""
    first, after = case.days(label)
    if count_of_cells == (after - first).days:
        days = [first + timedelta(days=n) for n in range(count_of_cells + 1)]
        return [(case.begins(a), case.begins(b)) for a, b in pairwise(days)]
    start = -(-case.begins(first) // HOUR) * HOUR
    return [(start + n * HOUR, start + (n + 1) * HOUR) for n in range(count_of_cells)]


def check_band(page: Page, case: Case, label: str) -> None:
    """Each hour or day of the band is filled as long as the hotspot was on; else it is empty."""
    cells: list[tuple[str, float]] = page.evaluate(
        """[...document.querySelectorAll('.band')].map((cell) => [cell.classList[1],
          Number(cell.querySelector('.cell-on')?.getAttribute('height') ?? 0)])"""
    )
    on = {hour.start: hour.on for hour in case.within(label)}
    assert any(height for _, height in cells)
    for (state, height), (start, end) in zip(cells, cells_of(case, label, len(cells)), strict=True):
        minutes_on = sum(value for at, value in on.items() if start <= at < end)
        # Of a year, each day is drawn as one of 24 hours.
        passed = (DAY if label == "2026" else end - start) if end <= NOW else NOW - start
        full = minutes_on * 60 / passed if passed > 0 else 0
        room = 0.2 if end <= NOW else 2  # the page looks some seconds after `NOW`
        expected = max(LEAST, min(1, full) * BAND) if minutes_on else 0
        assert abs(height - expected) < room, (label, state, start)
        if start > NOW + HOUR:
            assert state == "to-come"


def check_lists(page: Page, hours: list[Hour]) -> None:
    """Key figures, most visited and longest in use."""
    whole = total(hours)
    of_packages = {title: total(hours, title) for title in titles(hours)}
    visits, in_use = (
        page.locator(f".key-figures [data-kpi='{kpi}'] .big").inner_text() for kpi in (2001, 2003)
    )
    assert (count(visits), minutes(in_use)) == (whole.visits, whole.in_use)
    for kpi, figure, read in ((2001, 0, count), (2003, 1, minutes)):
        rows = by_package(page.locator(f".card[data-kpi='{kpi}'] tr[data-package]"), ".strong")
        listed = [(title, read(text.split("\n")[0])) for title, text in rows.items()]
        most = sorted((of[figure] for of in of_packages.values() if of[figure]), reverse=True)[:10]
        assert [value for _, value in listed] == most
        assert all(of_packages[title][figure] == value for title, value in listed)


def check_packages(page: Page, hours: list[Hour]) -> None:
    """Every package in the list, with its share of the visits."""
    expected = {title: total(hours, title) for title in titles(hours)}
    rows = page.locator(".package-rows tbody tr")
    times, shares = (by_package(rows, f"td.{name}") for name in ("time", "share"))
    for title, visits in by_package(rows, "td.visits").items():
        figures, share = expected.pop(title, Figures()), shares[title]
        assert (count(visits), minutes(times[title])) == (figures.visits, figures.in_use)
        part = 100 * figures.visits / total(hours).visits
        if 1 <= part < 99:
            assert abs(count(share) - part) <= 0.5 + 1e-6, (title, share)
        else:
            assert share == "" if not part else ("<" in share) is (part < 1)
    assert not expected


def check_heat(page: Page, hours: list[Hour], figure: str, title: str | None = None) -> None:
    """Each hour of the week; none where the hotspot never was on at that hour."""
    expected = grouped(hours, weekday_and_hour, title)
    for at, value in heat_cells(page).items():
        found = getattr(expected[at], figure) if at in expected else None
        assert value == found, at


def check_package(page: Page, hours: list[Hour], title: str) -> None:
    """A package's own page: its figures, and its visits by day."""
    whole = total(hours, title)
    figures = page.locator("article[data-package] .big").all_inner_texts()
    assert (count(figures[0]), minutes(figures[1])) == (whole.visits, whole.in_use)
    expected = dict(grouped(hours, LABELS["day"], title))
    for label, text in by_label(page.locator(COLUMNS)).items():
        of = expected.pop(label, None)
        assert (None if text is None else count(text)) == (of and of.visits), label
    assert not expected


def test_dashboards_add_up(browser: Browser, case: Case) -> None:
    """Columns, band, lists and key figures of days, weeks, months, a year and a stretch."""
    with opened(browser, f"{case.hotspot.url}/about") as (page, watch):
        settled(page)
        for label, unit in PERIODS.items():
            hours = case.within(label)
            go(page, f"/{label}")
            check_columns(page, hours, unit)
            check_lists(page, hours)
            check_band(page, case, label)
        assert watch.errors == []


def test_packages_and_hours_of_the_week_add_up(browser: Browser, case: Case) -> None:
    """All packages, the hours of the week by each figure, and a package's own page."""
    with opened(browser, f"{case.hotspot.url}/about") as (page, watch):
        settled(page)
        for label in ("2026-08", "2026-W36"):
            hours = case.within(label)
            title = max(titles(hours), key=lambda title: total(hours, title).in_use)
            go(page, f"/packages/{label}")
            page.wait_for_selector(".package-rows td.last")
            check_packages(page, hours)
            for sort, figure in (("visits", "visits"), ("time", "in_use"), ("on", "on")):
                go(page, f"/when/{label}?sort={sort}")
                page.wait_for_selector(".heat-cell")
                check_heat(page, hours, figure)
            for sort, figure in (("time", "in_use"), ("visits", "visits")):
                go(page, f"/package/{label}?title={title}&sort={sort}")
                page.wait_for_selector(".heat-cell")
                check_heat(page, hours, figure, title)
            page.wait_for_selector(COLUMNS, state="attached")
            check_package(page, hours, title)
        assert watch.errors == []


def test_neighbours_add_up(browser: Browser, case: Case) -> None:
    """The chart of the periods before, as its table: visits of each."""
    with opened(browser, f"{case.hotspot.url}/about") as (page, _):
        settled(page)
        for label, unit in (("2026-09-16", "day"), ("2026-W38", "week"), ("2026-09", "month")):
            expected = grouped(case.hours, LABELS[unit])
            go(page, f"/packages/{label}")
            page.wait_for_selector(".package-rows td.last")
            rows = by_label(page.locator(COLUMNS))
            assert len(rows) > 1
            for shown, text in rows.items():
                of = expected.get(shown)
                assert (None if text is None else count(text)) == (of and of.visits), shown
