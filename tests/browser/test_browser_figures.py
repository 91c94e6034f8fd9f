"""Every figure on every view equals the API's, on random data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page

from tests.browser.hotspot import Hotspot, random_weeks, running
from tests.browser.pages import count, minutes, neighbours, opened, settled
from tests.browser.tables import by_package

KINDS = ("D", "W", "M", "Y")
DAY = 24 * 3600


def values(period: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {kpi["kpiId"]: kpi["value"] for kpi in period["kpis"]}


def listed(period: dict[str, Any], figure: str) -> list[tuple[str, int]]:
    """The ten packages with most of a figure."""
    found = [(p["package"], p[figure]) for p in period["packages"] if p[figure]]
    return sorted(found, key=lambda item: -item[1])[:10]


def rows(card: Locator) -> dict[str, str]:
    """Package to the text of its number, in the order of the page."""
    return by_package(card.locator("tr[data-package]"), "td.strong")


def check_cards(page: Page, period: dict[str, Any]) -> None:
    kpis = values(period)
    total = period["total"]
    uptime = page.locator('[data-kpi="2004"]')
    in_all = uptime.locator(".big" if period["aggKind"] == "D" else "[data-total]").inner_text()
    assert minutes(in_all) == kpis[2004]["nbMinutesOn"] == total["minutesOn"]
    if period["aggKind"] != "D":
        counted = counted_days(period)
        assert minutes(uptime.locator(".big").inner_text()) == int(
            total["minutesOn"] / counted + 0.5
        )
        assert uptime.locator("[data-days]").inner_text() == (
            f"on {total['daysOn']} of {counted} day{'' if counted == 1 else 's'}"
        )
    check_inside(page, period)
    files = page.locator('[data-kpi="2005"] .big')
    assert [count(text) for text in files.all_inner_texts()] == [
        kpis[2005]["filesCreated"],
        kpis[2005]["filesDeleted"],
    ]
    check_visits(page, period)
    check_usage(page, period)


def counted_days(period: dict[str, Any]) -> int:
    """Days that have begun, from the one on which counting began."""
    since = max(period["start"], period["total"]["countedFrom"] or 0)
    return max(1, int(period["total"]["days"] - (since // DAY - period["start"] // DAY)))


def check_inside(page: Page, period: dict[str, Any]) -> None:
    """Each hour, day or month of the main chart, drawn and as a table, is that of the API."""
    inside = period["inside"]
    figures = ("visits", "minutesInUse", "minutesOn")
    known = {"counted", "total-only"}
    shown = page.evaluate(
        """[...document.querySelectorAll('.inside-table tbody tr')].map((tr) => [
          tr.dataset.row, tr.dataset.state,
          ...[...tr.querySelectorAll('td[data-value]')].map((td) => Number(td.dataset.value))])"""
    )
    assert shown == [
        [row["label"], row["state"], *(row[f] for f in figures if row["state"] in known)]
        for row in inside["rows"]
    ]
    drawn = page.evaluate(
        """[...document.querySelectorAll('.column')].map((column) => [
          column.dataset.row, Number(column.querySelector('.bar')?.getAttribute('height') ?? 0)])"""
    )
    top = max(row["visits"] for row in inside["rows"])
    tallest = max(height for _, height in drawn)
    for row, (label, height) in zip(inside["rows"], drawn, strict=True):
        assert label == row["label"]
        expected = row["visits"] / top * tallest
        assert abs(height - expected) < 0.1 or (row["visits"] and height == 3 > expected)


def check_visits(page: Page, period: dict[str, Any]) -> None:
    card = page.locator('[data-kpi="2001"]')
    value = values(period)[2001]
    assert count(card.locator(".big").inner_text()) == value["totalVisits"]
    shown = [(name, count(text)) for name, text in rows(card).items()]
    assert shown == listed(period, "visits")
    assert [visits for _, visits in shown] == [item["visits"] for item in value["items"]]
    others = card.locator("[data-others] td.strong").all_inner_texts()
    assert [count(text) for text in others] == [n for n in [period["others"]["visits"]] if n]


def check_usage(page: Page, period: dict[str, Any]) -> None:
    card = page.locator('[data-kpi="2003"]')
    value = values(period)[2003]
    assert minutes(card.locator(".big").inner_text()) == period["total"]["minutesInUse"]
    assert period["total"]["minutesInUse"] <= value["totalMinutesActivity"]
    shown = {name: minutes(text.split("\n")[0]) for name, text in rows(card).items()}
    assert sorted(shown.values(), reverse=True) == list(shown.values())
    assert sorted(shown.items()) == sorted(listed(period, "minutesInUse"))
    # Times of packages overlap: those beyond the ten are counted, and their times not added up.
    beyond = card.locator("[data-others] td").all_inner_texts()
    assert set(beyond) == ({""} if period["others"]["minutesActivity"] else set())
    assert card.locator("tfoot").count() == 0


def check_list(page: Page, period: dict[str, Any], column: str, figure: str) -> None:
    """The view of all packages: totals, and each with any figure, the most first."""
    kpis = values(period)
    visits, in_use = (page.locator(f'[data-kpi="{kpi}"] .big').inner_text() for kpi in (2001, 2003))
    assert count(visits) == kpis[2001]["totalVisits"]
    assert minutes(in_use) == period["total"]["minutesInUse"]
    shown = dict(
        page.locator(".package-rows tbody tr").evaluate_all(
            """(all, column) => all.map((tr) => [
              tr.dataset.package, Number(tr.querySelector(`td.${column}`).dataset.value)])""",
            column,
        )
    )
    assert list(shown.values()) == sorted(shown.values(), reverse=True)
    expected = {row["package"]: row[figure] for row in period["packages"]}
    assert {title: value for title, value in shown.items() if value} == {
        title: value for title, value in expected.items() if value
    }
    items = kpis[2001]["items"] if figure == "visits" else []
    assert [shown[item["package"]] for item in items] == [item["visits"] for item in items]


def check_trend(card: Locator, period: dict[str, Any], *metrics: str) -> None:
    """The table twin of a chart of neighbouring periods."""
    shown = dict(
        card.locator("tr[data-label]").evaluate_all(
            """(all) => all.map((tr) => [tr.dataset.label,
              [...tr.querySelectorAll('td')].map((cell) => Number(cell.dataset.value ?? -1))])"""
        )
    )
    trend = neighbours(period)
    expected = {entry["aggValue"]: [entry[metric] for metric in metrics] for entry in trend}
    assert shown == (expected if len(trend) > 1 else {})


@pytest.mark.parametrize("seed", [1, 2])
def test_every_figure_equals_the_api(browser: Browser, tmp_path: Path, seed: int) -> None:
    """Totals, all packages, the others and the neighbours are those of the API, in every view."""
    with (
        running(random_weeks(tmp_path, seed)) as hotspot,
        opened(browser, hotspot.url) as (page, _),
    ):
        for kind in KINDS:
            period = hotspot.newest(kind)
            page.goto(f"{hotspot.url}/{period['aggValue'].replace(' ', '-')}")
            settled(page)
            check_cards(page, period)
            files = page.locator('[data-kpi="2005"]')
            if files.locator("tr[data-label]").count():
                check_trend(files, period, "filesCreated", "filesDeleted")
            page.get_by_role("link", name="Packages", exact=True).click()
            page.wait_for_selector(".package-rows td.last")
            check_list(page, period, "visits", "visits")
            check_trend(page.locator(".cards"), period, "totalVisits")
            page.get_by_role("button", name="Time in use", exact=True).click()
            page.wait_for_selector(".package-rows.by-time")
            check_list(page, period, "time", "minutesInUse")
            check_trend(page.locator(".cards"), period, "totalMinutesActivity")


def test_the_status_view_tells_the_lines_by_fate(browser: Browser, hotspot: Hotspot) -> None:
    """Lines by fate and all packages of the status stand on the Status view."""
    status = hotspot.ask("status")
    with opened(browser, f"{hotspot.url}/status") as (page, _):
        settled(page)
        for fate, lines in status["lines"].items():
            if fate != "read":
                cell = page.locator(f'tr[data-fate="{fate}"] td.strong')
                assert count(cell.inner_text()) == lines
        shown = page.locator(".package-list tbody bdi").all_inner_texts()
        assert shown == [item["title"] for item in status["packages"]["items"]]
        page.get_by_text(status["version"], exact=True).wait_for()
