"""When: hours of the day by days of the week."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.hotspot import NOW, TITLES, Hotspot, line, running, visitors
from tests.browser.library import figures_path
from tests.browser.pages import DESKTOP, PHONE, opened, settled, violations
from tests.browser.sums import Hour, grouped, recorded, weekday_and_hour
from tests.browser.tables import heat_cells

MONTH = "2026-08"
FIRST, LAST = "2026-08-01", "2026-08-31"
SEED = 77
EVENING = datetime(2026, 8, 18, 20, 10, tzinfo=UTC).timestamp()
"""A Tuesday."""


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotspot]:
    """A hotspot that was off at night and on some days, and on without a visit one evening."""
    hotspot = Hotspot(tmp_path_factory.mktemp("weeks"))
    lines = [*visitors(SEED, TITLES, NOW, 60), line(EVENING, "/content/package_0/A/page")]
    hotspot.fill(iter(sorted(lines, key=lambda text: float(json.loads(text)["ts"]))))
    with running(hotspot):
        yield hotspot


def visits_at(hours: list[Hour], title: str | None = None) -> Counter[tuple[int, int]]:
    """By weekday and hour, added up from records."""
    sums = grouped(hours, weekday_and_hour, title)
    return Counter({at: figures.visits for at, figures in sums.items()})


def check_hours(page: Page, hotspot: Hotspot, visits: Counter[tuple[int, int]]) -> None:
    rows = hotspot.ask(figures_path(FIRST, LAST, by="hour-of-week"))["rows"]
    shown = heat_cells(page)
    for row in rows:
        at = row["weekday"], row["hour"]
        assert shown[at] == (row["visits"] if row["hoursCounted"] else None), at
        assert (shown[at] or 0) == visits[at], at
    assert None in shown.values()


def test_every_hour_equals_the_api_and_the_records(browser: Browser, weeks: Hotspot) -> None:
    """Visits by weekday and hour, zero apart from no figures, in the drawing and its table."""
    visits = visits_at(recorded(weeks, MONTH))
    with opened(browser, f"{weeks.url}/when/{MONTH}") as (page, watch):
        page.wait_for_selector(".heat-cell")
        check_hours(page, weeks, visits)
        cells = heat_cells(page)
        assert cells[2, 20] == 0
        table = page.locator(".heat-table tr[data-hour]").evaluate_all(
            "(all) => all.map((tr) => [...tr.querySelectorAll('td')].map((td) => td.innerText))"
        )
        assert [[text.split("\n")[0] for text in row] for row in table] == [
            ["–" if (n := cells[day, hour]) is None else f"{n}" for day in range(1, 8)]
            for hour in range(24)
        ]
        most = max(visits.values())
        names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
        best = {names[at[0] - 1] for at, n in visits.items() if n == most}
        assert page.locator(".when-card .big").inner_text().split(",")[0] in best
        assert f"{most} visits" in page.locator(".when-card .under-big").inner_text()
        assert page.locator(".when-card figcaption").inner_text().count(f"{most} visits") >= 1
        assert watch.errors == []


def test_a_package_has_its_own_hours(browser: Browser, weeks: Hotspot) -> None:
    """The heat map of a package's page is that of its records."""
    visits = visits_at(recorded(weeks, MONTH), "Vikidia")
    with opened(browser, f"{weeks.url}/package/{MONTH}?title=Vikidia") as (page, _):
        page.wait_for_selector(".heat-cell")
        for (day, hour), shown in heat_cells(page).items():
            assert (shown or 0) == visits[day, hour]


def test_time_in_use_and_uptime_have_addresses(browser: Browser, weeks: Hotspot) -> None:
    """What is looked at is chosen by links, and is part of the address."""
    rows = weeks.ask(figures_path(FIRST, LAST, by="hour-of-week"))["rows"]
    with opened(browser, f"{weeks.url}/when/{MONTH}") as (page, _):
        page.wait_for_selector(".heat-cell")
        for name, sort, figure in (
            ("Time in use", "time", "minutesInUse"),
            ("Uptime", "on", "minutesOn"),
        ):
            page.get_by_role("link", name=name, exact=True).click()
            expect(page).to_have_url(f"{weeks.url}/when/{MONTH}?sort={sort}")
            expect(page.locator('.when-card [aria-current="true"]')).to_have_text(name)
            shown = heat_cells(page)
            for row in rows:
                if row["hoursCounted"]:
                    assert shown[row["weekday"], row["hour"]] == row[figure]


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_touch_tells_the_numbers_of_an_hour(
    browser: Browser, weeks: Hotspot, viewport: ViewportSize
) -> None:
    """The touched hour is named with its figure and how often it was counted."""
    visits = visits_at(recorded(weeks, MONTH))
    day, hour = max(visits, key=lambda at: (at[0] == 3, visits[at]))
    with opened(browser, f"{weeks.url}/when/{MONTH}", viewport=viewport, has_touch=True) as (
        page,
        _,
    ):
        page.wait_for_selector(".heat-cell")
        page.locator(f'[data-at="{day * 24 + hour}"]').tap()
        readout = page.locator(".readout")
        expect(readout).to_contain_text("Wednesday")
        expect(readout).to_contain_text(f"{visits[day, hour]} visit")
        expect(readout).to_contain_text("counted")
        expect(page.locator(".heat-cell.picked")).to_have_count(1)
        box = page.locator(".heat-cell").first.bounding_box()
        assert box is not None
        assert box["width"] >= 24  # WCAG 2.2: targets that stand close together
        assert box["height"] >= 24


def test_the_table_is_there_for_keyboards(browser: Browser, weeks: Hotspot) -> None:
    """A button brings the numbers as a table; axe accepts both."""
    with opened(browser, f"{weeks.url}/when/{MONTH}") as (page, _):
        page.wait_for_selector(".heat-cell")
        assert violations(page) == []
        button = page.locator(".twin-button")
        button.focus()
        page.keyboard.press("Enter")
        expect(page.locator(".heat-table")).to_be_visible()
        expect(page.locator(".heat")).not_to_be_visible()
        assert violations(page) == []


def test_hours_of_a_zone_of_half_an_hour_begin_at_half_past(
    browser: Browser, tmp_path: Path
) -> None:
    """In India an hour that is counted begins at half past, and is called so."""
    hotspot = Hotspot(tmp_path, zone="Asia/Kolkata")
    hotspot.fill(visitors(SEED, TITLES, NOW, 60))
    with running(hotspot), opened(browser, f"{hotspot.url}/when/{MONTH}") as (page, _):
        settled(page)
        page.wait_for_selector(".heat-cell")
        check_hours(page, hotspot, visits_at(recorded(hotspot, MONTH)))
        hours = page.locator(".heat-hour").all_inner_texts()
        assert hours[0].replace("\u202f", " ") == "12:30 AM"
        assert all(":30" in text for text in hours if text)


def test_an_hour_stays_with_its_half_of_the_day(browser: Browser, weeks: Hotspot) -> None:
    """`11 AM` is not broken at the end of a line: its space is one that does not break."""
    with opened(browser, f"{weeks.url}/when/{MONTH}", viewport=PHONE) as (page, _):
        settled(page)
        for text in (page.locator(".when-card .big"), page.locator(".foot")):
            shown = text.inner_text()
            assert re.search("\\d[\u00a0\u202f][AP]M", shown), shown
            assert not re.search("\\d [AP]M", shown), shown
