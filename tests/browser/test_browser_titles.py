"""Packages with odd titles, many packages, none."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.hotspot import NOW, Hotspot, line, random_weeks, running
from tests.browser.pages import (
    DESKTOP,
    PHONE,
    go,
    opened,
    saved,
    settled,
    violations,
    wider_than_window,
)
from tests.support.sizes import quick

HOSTILE = (
    '"><img src=x onerror=alert(1)>',
    "<script>alert(2)</script>",
    '=HYPERLINK("//evil","x")',
    "W" * 200,
    "مكتبة المدرسة الابتدائية الكبيرة في المدينة القديمة",
    "📚🐝 books & bees 👩🏽‍🏫",
    "\u202etxet desrever",
    "-1+1",
    "@SUM(1+1)",
    "+1+1",
    "{{ constructor.constructor('alert(3)')() }}",
    "  spaces  ",
    "a, \"quoted\" 'title'",
    "javascript:alert(4)",
)
"""What titles people, and people with bad intent, may give."""


@pytest.mark.parametrize("viewport", quick([PHONE, DESKTOP], PHONE), ids=["phone", "desktop"])
def test_a_title_is_text_everywhere(
    browser: Browser, tmp_path: Path, viewport: ViewportSize
) -> None:
    """Titles with markup, formulas, 200 letters or other scripts are shown as they are, on a phone
    and a desktop.
    """
    hotspot = Hotspot(tmp_path, HOSTILE)
    hotspot.fill(
        line(NOW - 60, f"/content/package_{number}/")
        for number in range(len(HOSTILE))
        for _ in range(len(HOSTILE) - number)
    )

    def refuse_dialogs(page: Page) -> None:
        page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))

    with (
        running(hotspot),
        opened(browser, hotspot.url, viewport=viewport, prepare=refuse_dialogs) as (page, watch),
    ):
        items = hotspot.newest("D")["kpis"][0]["value"]["items"]
        assert HOSTILE[5] in [item["package"] for item in items], "an emoji is one"
        titles = [item["package"] for item in hotspot.newest("D")["packages"]]
        assert len(titles) == len(HOSTILE)
        settled(page)
        for view in ("/popularity", "/usage", "/packages", "/status", "/"):
            go(page, view)
            check_titles(page, view, [item["package"] for item in items], titles)
            assert page.locator("main img, main script").count() == 0
            assert wider_than_window(page) <= 0
            assert violations(page) == []
            assert watch.errors == []
        _, raw = saved(page, "Spreadsheet (CSV)")
    text = raw.decode("utf-8-sig")
    cells = [row[4] for row in csv.reader(io.StringIO(text, newline=""))][1:]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    assert {cell.removeprefix("'") for cell in cells if cell} >= {i["package"] for i in items}


def check_titles(page: Page, view: str, visited: list[str], titles: list[str]) -> None:
    """The lists of a view have the titles as they are, the most visited first."""
    if view == "/":
        card = page.locator('[data-kpi="2001"] tbody bdi').all_text_contents()
        assert card == visited
    elif view != "/status":
        page.wait_for_selector(".package-rows td.last")
        listed = page.locator(".package-rows tbody bdi").all_text_contents()
        assert sorted(listed) == sorted(titles), view
        assert view == "/usage" or listed[: len(visited)] == visited


def test_a_hundred_packages(browser: Browser, tmp_path: Path) -> None:
    """Ten are listed, the rest is one line whose number is the API's; Status lists them all."""
    titles = [f"Package number {number}" for number in range(100)]
    with running(random_weeks(tmp_path, 5, titles, days=20)) as hotspot:
        month = hotspot.newest("M")
        label = month["aggValue"]
        with opened(browser, f"{hotspot.url}/{label}") as (page, _):
            settled(page)
            card = page.locator('[data-kpi="2001"]')
            assert card.locator("tr[data-package]").count() == 10
            others = card.locator("[data-others]")
            expect(others.locator("td.strong")).to_have_attribute(
                "data-value", str(month["others"]["visits"])
            )
            beyond = month["others"]["packagesVisited"] - 10
            expect(others).to_contain_text(f"{beyond} other packages")
            page.get_by_role("link", name="Status").click()
            expect(page.locator(".package-list tbody tr")).to_have_count(101)


def test_one_package(browser: Browser, tmp_path: Path) -> None:
    """A single package fills the bar and the table, without others."""
    hotspot = Hotspot(tmp_path, ["Bees"])
    hotspot.fill(line(NOW - 60, "/content/package_0/") for _ in range(3))
    with running(hotspot), opened(browser, hotspot.url) as (page, watch):
        settled(page)
        card = page.locator('[data-kpi="2001"]')
        expect(card.locator(".big")).to_have_text("3")
        assert card.locator("tr[data-package]").count() == 1
        assert card.locator("[data-others]").count() == 0
        assert card.locator(".bar-fill").evaluate_all(
            "(all) => all.map((bar) => bar.getAttribute('width'))"
        ) == ["100%"]
        assert watch.errors == []
        assert violations(page) == []


@pytest.mark.dated
def test_an_empty_database_says_what_will_happen(browser: Browser, tmp_path: Path) -> None:
    """Nothing counted yet: the page says since when it counts, and when figures will come."""
    hotspot = Hotspot(tmp_path, processing=True)
    hotspot.fill(iter(()))
    with running(hotspot), opened(browser, hotspot.url, viewport=PHONE) as (page, watch):
        expect(page.locator(".notice")).to_contain_text("Counting since")
        assert violations(page) == []
        assert watch.errors == []


def test_what_was_never_counted_is_no_zero(browser: Browser, tmp_path: Path) -> None:
    """Before the first figures nothing is said to be off or nought, on screen or in tables."""
    hotspot = Hotspot(tmp_path, ["Bees"])
    hotspot.fill(line(NOW - 60, "/content/package_0/") for _ in range(3))
    with running(hotspot):
        year = hotspot.newest("Y")["aggValue"]
        with opened(browser, f"{hotspot.url}/{year}") as (page, _):
            settled(page)
            months = page.locator(".inside-card tbody tr")
            states = months.evaluate_all("(all) => all.map((row) => row.dataset.state)")
            assert states == ["not-yet"] * 8 + ["counted"] + ["to-come"] * 3
            assert months.first.locator("[data-value]").count() == 0
            expect(months.first).to_contain_text("Not counted yet")
            expect(months.last).to_contain_text("Still to come")
            assert page.locator(".column.not-yet .bar, .column.to-come .bar").count() == 0
            expect(page.locator("tr[data-label]")).to_have_count(0)
            page.goto(f"{hotspot.url}/{int(year) - 3}")
            expect(page.locator(".notice")).to_contain_text("Counting since")
            page.goto(f"{hotspot.url}/{int(year) + 1}")
            expect(page.locator(".notice")).to_contain_text("still to come")
            assert page.get_by_text("so far").count() == 0


def test_switched_off_counting_is_said(browser: Browser, tmp_path: Path) -> None:
    """With processing disabled and no figures, the page says that nothing will come."""
    hotspot = Hotspot(tmp_path)
    hotspot.fill(iter(()))
    with running(hotspot), opened(browser, hotspot.url) as (page, watch):
        expect(page.locator(".notice")).to_contain_text("Counting is switched off")
        page.goto(f"{hotspot.url}/2020-W10")
        expect(page.locator(".notice")).to_contain_text("Nothing was counted in this period")
        page.goto(f"{hotspot.url}/2999")
        expect(page.locator(".notice")).to_contain_text("still to come")
        assert watch.errors == []
