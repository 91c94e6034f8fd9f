"""Every figure on every view equals the API's, on random data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page

from tests.browser.hotspot import Hotspot, random_weeks, running
from tests.browser.pages import count, minutes, neighbours, opened, settled
from tests.browser.tables import by_package
from tests.support.sizes import quick

KINDS = ("D", "W", "M", "Y")
KNOWN = {"counted", "total-only"}
"""States of rows that have figures."""
USE = ("visits", "minutesInUse", "minutesOn")
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
    rows = period["inside"]["rows"]
    card = page.locator(".inside-card")
    assert table_rows(card) == [
        [row["label"], row["state"], *(row[f] for f in USE if row["state"] in KNOWN)]
        for row in rows
    ]
    check_drawn(card, rows, "visits", ".bar")


def table_rows(card: Locator) -> list[list[Any]]:
    """Label, state and figures of each row of the table that goes with columns."""
    rows: list[list[Any]] = card.locator(".columns-table tbody tr").evaluate_all(
        """(rows) => rows.map((tr) => [tr.dataset.row, tr.dataset.state,
          ...[...tr.querySelectorAll('td[data-value]')].map((td) => Number(td.dataset.value))])"""
    )
    return rows


def check_drawn(
    card: Locator, rows: list[dict[str, Any]], figure: str, bar: str, top: int = 0
) -> None:
    """Each column is as high as its figure; of `top`, if that is higher than the highest here."""
    drawn = card.locator(".column").evaluate_all(
        """(columns, bar) => columns.map((column) => [
          column.dataset.row, Number(column.querySelector(bar)?.getAttribute('height') ?? 0)])""",
        bar,
    )
    highest = max(row[figure] for row in rows)
    assert top or highest
    tallest = max(height for _, height in drawn) if highest else 0
    for row, (label, height) in zip(rows, drawn, strict=True):
        assert label == row["label"]
        expected = row[figure] / max(1, highest) * tallest
        assert abs(height - expected) < 0.1 or (row[figure] and height == 3 > expected)


def check_files(page: Page, period: dict[str, Any]) -> None:
    """Files that were added, upwards, and removed, downwards: each hour, day or month."""
    rows = period["inside"]["rows"]
    card = page.locator('[data-card="SharedFiles"]')
    if not any(row["filesCreated"] or row["filesDeleted"] for row in rows):
        assert card.count() == 0
        return
    figures = ("filesCreated", "filesDeleted")
    assert table_rows(card) == [
        [row["label"], row["state"], *(row[f] for f in figures if row["state"] in KNOWN)]
        for row in rows
    ]
    check_drawn(card, rows, "filesCreated", ".bar:not(.second)", 1)
    check_drawn(card, rows, "filesDeleted", ".bar.second", 1)


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


def check_trend(page: Page, period: dict[str, Any]) -> None:
    """The table that goes with the columns of neighbouring periods."""
    trend = neighbours(period)
    total = period["total"]
    expected: list[list[Any]] = []
    for entry in trend:
        visits, on = entry["totalVisits"], entry["nbMinutesOn"]
        in_use = min(entry["totalMinutesActivity"], on)  # never longer than being on
        if entry["aggValue"] == period["aggValue"]:
            assert (total["visits"], total["minutesOn"]) == (visits, on)
            in_use = total["minutesInUse"]
        figures = ["counted", visits, in_use, on] if entry["hasData"] else ["no-figures"]
        expected.append([entry["aggValue"], *figures])
    assert table_rows(page.locator(".columns-card")) == (expected if len(trend) > 1 else [])


@pytest.mark.parametrize("seed", quick([1, 2], 1))
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
            check_files(page, period)
            page.get_by_role("link", name="Packages", exact=True).click()
            page.wait_for_selector(".package-rows td.last")
            check_list(page, period, "visits", "visits")
            check_trend(page, period)
            page.get_by_role("button", name="Time in use", exact=True).click()
            page.wait_for_selector(".package-rows.by-time")
            check_list(page, period, "time", "minutesInUse")
            check_trend(page, period)


def test_a_stretch_has_its_files(browser: Browser, hotspot: Hotspot) -> None:
    """Files that were added and removed on each day of a stretch are those of the API."""
    first, last = "2026-08-20", "2026-09-10"
    answer = hotspot.figures(first, last, by="day")
    assert answer["total"]["filesCreated"]
    assert answer["total"]["filesDeleted"]
    with opened(browser, f"{hotspot.url}/{first}..{last}") as (page, _):
        settled(page)
        assert page.locator('[data-card="SharedFiles"]').count() == 1
        check_files(page, {"inside": answer})
        check_inside(page, {"inside": answer})


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
