"""The views of packages: all of them, those that nobody uses, and each one's own page."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.browser import sums
from tests.browser.hotspot import NAME, TITLES, Hotspot, running
from tests.browser.library import LOST, NEVER, figures_path, library
from tests.browser.pages import (
    PHONE,
    Watch,
    count,
    go,
    minutes,
    opened,
    outside,
    settled,
    violations,
    wider_than_window,
)
from tests.browser.tables import by_package, packages, values
from tests.support.sizes import quick

MONTH = "2026-08"
WEEK = "2026-W36"
STRETCHES = {MONTH: ("2026-08-01", "2026-08-31"), WEEK: ("2026-08-31", "2026-09-06")}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotspot]:
    """A hotspot with packages that are used, never used, and gone."""
    with running(library(tmp_path_factory.mktemp("library"))) as hotspot:
        yield hotspot


def shown_rows(page: Page) -> Locator:
    return page.locator(".package-rows tbody tr:not(.folded)")


def titles(page: Page) -> list[str]:
    return packages(shown_rows(page))


def column(page: Page, name: str) -> list[int]:
    return values(shown_rows(page).locator(f"td.{name}"))


@contextmanager
def opened_list(
    browser: Browser,
    hotspot: Hotspot,
    path: str,
    *,
    viewport: ViewportSize | None = None,
    fresh: bool = False,
) -> Iterator[tuple[Page, Watch]]:
    """A page that is opened at a list of packages."""
    with opened(browser, f"{hotspot.url}/{path}", viewport=viewport, fresh=fresh) as (page, watch):
        page.wait_for_selector(".package-rows td.last")
        yield page, watch


@pytest.mark.parametrize("label", STRETCHES)
def test_every_package_equals_the_api_and_the_records(
    browser: Browser, shelf: Hotspot, label: str
) -> None:
    """Each package with its visits and time, which are also the sums of the records."""
    first, last = STRETCHES[label]
    rows = shelf.ask(figures_path(first, last))["rows"]
    expected = {row["package"]: row for row in rows}
    hours = sums.recorded(shelf, label)
    used = sums.titles(hours)
    with opened_list(browser, shelf, f"packages/{label}") as (page, watch):
        in_use = by_package(shown_rows(page), "td.time")
        for title, visits in by_package(shown_rows(page), "td.visits").items():
            shown = count(visits)
            total = sums.total(hours, title)
            assert shown == total.visits
            assert shown == expected.get(title, {"visits": 0})["visits"]
            assert minutes(in_use[title]) == total.in_use
            assert total.in_use == expected.pop(title, {"minutesInUse": 0})["minutesInUse"]
            used.discard(title)
        assert not used
        assert not expected
        listed = [item for item in shelf.ask("packages")["packages"] if item["lastUsedAt"]]
        assert sorted(titles(page)) == sorted(item["title"] for item in listed)
        gone = page.locator(f'tr[data-package="{LOST}"] small')
        expect(gone).to_have_text("no longer in the packages file")
        assert watch.errors == []


def test_changes_are_those_of_the_comparison(browser: Browser, shelf: Hotspot) -> None:
    """The change of a package is made of its visits and those of the week before."""
    period = shelf.ask(f"periods/W/{WEEK}")
    assert period["comparisons"]["before"]["fair"]
    with opened_list(browser, shelf, f"packages/{WEEK}?sort=change") as (page, _):
        changes = {
            row["package"]: row["visits"] - row["visitsBefore"] for row in period["packages"]
        }
        order = [changes.get(title, 0) for title in titles(page)]
        assert order == sorted(order, reverse=True)
        assert len(set(order)) > 3
        told = by_package(shown_rows(page), "td.change")
        for title, change in changes.items():
            text = told[title]
            assert ("+" in text) == (change > 0), title
            assert ("−" in text) == (change < 0), title


def test_the_list_is_sorted_by_mouse_keyboard_and_address(browser: Browser, shelf: Hotspot) -> None:
    """A head sorts, a second press turns it around; the order is said, and part of the address."""
    with opened_list(browser, shelf, f"packages/{MONTH}") as (page, _):
        assert column(page, "visits") == sorted(column(page, "visits"), reverse=True)
        heads = page.locator(".package-rows thead")
        expect(heads.locator("[aria-sort]")).to_have_count(1)
        heads.get_by_role("button", name="Time in use").click()
        expect(page).to_have_url(f"{shelf.url}/packages/{MONTH}?sort=time")
        assert column(page, "time") == sorted(column(page, "time"), reverse=True)
        by_time = titles(page)
        heads.get_by_role("button", name="Package").focus()
        page.keyboard.press("Enter")
        by_name = page.locator('[aria-sort="ascending"]')
        expect(by_name).to_have_text(re.compile("Package"))
        ascending = titles(page)
        page.keyboard.press("Enter")
        expect(page.locator('[aria-sort="descending"]')).to_have_text(re.compile("Package"))
        assert titles(page) == ascending[::-1]
        page.reload()
        page.wait_for_selector(".package-rows td.last")
        assert titles(page) == ascending[::-1]
        # The address of before, which people have noted down.
        page.goto(f"{shelf.url}/usage/{MONTH}")
        page.wait_for_selector(".package-rows td.last")
        assert titles(page) == by_time


def test_last_use_sorts_by_the_time_of_the_records(browser: Browser, shelf: Hotspot) -> None:
    """Last used: the newest first, as the API knows it."""
    last = {item["title"]: item["lastUsedAt"] for item in shelf.ask("packages")["packages"]}
    with opened_list(browser, shelf, f"packages/{MONTH}?sort=last") as (page, _):
        order = [last[title] for title in titles(page)]
        assert order == sorted(order, reverse=True)


def test_a_search_narrows_both_lists(browser: Browser, shelf: Hotspot) -> None:
    """What is typed filters used and never used packages, and makes no steps in the history."""
    with opened_list(browser, shelf, f"packages/{MONTH}", fresh=True) as (page, _):
        steps = page.evaluate("history.length")
        page.get_by_label("Find a package").type("WIKI")
        expect(shown_rows(page)).to_have_count(
            len([t for t in titles(page) if "wiki" in t.lower()])
        )
        assert {"Wikipedia for Schools", "WikiMed"} == set(titles(page))
        expect(page.locator("[data-never]")).to_have_count(0)
        page.get_by_label("Find a package").fill("unread at")
        expect(page.locator("[data-never] li")).to_have_count(1)
        expect(page.get_by_text("No package has such a name.")).to_have_count(0)
        page.get_by_label("Find a package").fill("zzz")
        expect(page.get_by_text("No package has such a name.")).to_be_visible()
        assert page.evaluate("history.length") == steps
        expect(page).to_have_url(re.compile(r"\?find=zzz$"))


def test_never_used_packages_are_told_with_what_they_take(browser: Browser, shelf: Hotspot) -> None:
    """Those of the packages file that nobody opened, with the sum of the sizes that are known."""
    answer = shelf.ask("packages")
    nobody = [item["title"] for item in answer["packages"] if not item["lastUsedAt"]]
    assert {*NEVER, "Share"} >= set(nobody) >= set(NEVER)
    with opened_list(browser, shelf, f"packages/{MONTH}") as (page, _):
        group = page.locator("[data-never]")
        shown = packages(group.locator("li"))
        assert sorted(shown) == sorted(nobody)
        assert shown[:2] == ["Unread atlas", "Unread songs"]
        assert values(group.locator(".big [data-value]")) == [
            answer["neverUsed"],
            answer["neverUsedBytes"],
        ]
        assert group.locator(".big").inner_text().replace("\u00a0", " ").endswith("7.8 GB\u2069")


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotspot]:
    """A hotspot with more than a hundred packages."""
    with running(library(tmp_path_factory.mktemp("hundred"), more=90)) as hotspot:
        yield hotspot


def test_a_hundred_packages_are_readable_on_a_phone(browser: Browser, hundred: Hotspot) -> None:
    """The first 25 and the rest of the page are within reach; one press shows all."""
    with opened_list(browser, hundred, f"packages/{MONTH}", viewport=PHONE) as (page, _):
        assert len(titles(page)) == 25
        rows = page.locator(".package-rows tbody tr").count()
        assert rows > 95
        assert wider_than_window(page) <= 0
        page.get_by_label("Sort by").select_option("name")
        page.get_by_role("button", name=re.compile("^Show all")).click()
        expect(shown_rows(page)).to_have_count(rows)
        heights = page.evaluate(
            "[...document.querySelectorAll('.package-rows tbody tr')].map((e) => e.offsetHeight)"
        )
        assert max(heights) < 110
        assert outside(page) == []
        assert violations(page) == []


def test_on_paper_all_are_listed_and_each_page_has_the_name(
    browser: Browser, hundred: Hotspot, tmp_path: Path
) -> None:
    """Also those that are folded on screen; at the foot: period, hotspot, page of pages."""
    file = tmp_path / "packages.pdf"
    with opened_list(browser, hundred, f"packages/{MONTH}") as (page, _):
        page.pdf(path=file, prefer_css_page_size=True)
        expected = packages(page.locator(".package-rows tbody tr"))
    done = subprocess.run(
        ["pdftotext", "-layout", file, "-"], check=True, capture_output=True, text=True, timeout=60
    )
    pages = done.stdout.split("\f")[:-1]
    assert len(pages) > 1
    for number, text in enumerate(pages, 1):
        assert f"August 2026 · {NAME}" in text
        assert re.search(rf"{number}\s?/\s?{len(pages)}", text)
    missing = [title for title in expected if title.isascii() and title not in done.stdout]
    assert missing == []


def test_an_empty_period_on_paper_has_no_buttons(browser: Browser, shelf: Hotspot) -> None:
    """What leads to the latest figures is for the screen."""
    with opened(browser, f"{shelf.url}/2025-01") as (page, _):
        settled(page)
        link = page.locator(".notice-action")
        expect(link).to_be_visible()
        page.emulate_media(media="print")
        expect(link).to_be_hidden()


def figures_of(page: Page) -> list[int]:
    return values(page.locator("article[data-package] .big"))


def test_a_package_has_its_own_page(browser: Browser, shelf: Hotspot) -> None:
    """Reached from the list; its visits and time are those of the API, and lead back."""
    title = "ويكيبيديا العربية"
    first, last = STRETCHES[WEEK]
    total = shelf.ask(figures_path(first, last, by="day", package=title))["total"]
    assert total["visits"] == sums.total(sums.recorded(shelf, WEEK), title).visits > 0
    with opened_list(browser, shelf, f"packages/{WEEK}") as (page, watch):
        page.get_by_role("link", name=title).click()
        page.wait_for_selector(".heat-cell")
        expect(page.locator(".package-title")).to_have_text(title)
        expect(page).to_have_title(re.compile(title))
        assert figures_of(page) == [total["visits"], total["minutesInUse"]]
        rows = shelf.ask(figures_path(first, last, by="day", package=title))["rows"]
        drawn = values(page.locator(".columns-table td.strong"))
        assert drawn == [row["visits"] for row in rows if row["state"] == "counted"]
        expect(page.locator(".columns-table tbody tr")).to_have_count(len(rows))
        assert sum(drawn) == total["visits"]
        facts = page.locator(".facts").inner_text()
        assert "First used" in facts
        assert "Last used" in facts
        assert violations(page) == []
        page.get_by_role("link", name="All packages").click()
        expect(page).to_have_url(f"{shelf.url}/packages/{WEEK}")
        assert watch.errors == []


@pytest.mark.parametrize(
    ("title", "text"),
    [("Unread atlas", "not used yet"), ("Nobody knows it", "There is no such package")],
)
def test_a_page_of_a_package_without_figures_says_so(
    browser: Browser, shelf: Hotspot, title: str, text: str
) -> None:
    """One that nobody used has zeros and its size; one that there is not is named as such."""
    with opened(browser, f"{shelf.url}/package/{WEEK}?title={title}") as (page, _):
        expect(page.locator("main")).to_contain_text(text)
        if title in NEVER:
            expect(page.locator("main")).to_contain_text("7.3")
            assert figures_of(page) == [0, 0]
        assert violations(page) == []


def test_a_day_of_a_package_has_its_hours(browser: Browser, shelf: Hotspot) -> None:
    """Columns and table of a day are its hours, by visits and by time in use."""
    title, day = TITLES[0], "2026-09-01"
    answer = shelf.ask(figures_path(day, day, by="hour", package=title))
    assert answer["total"]["visits"] > 0
    with opened(browser, f"{shelf.url}/package/{day}?title={title}") as (page, watch):
        table = page.locator(".columns-table tbody tr")
        expect(table).to_have_count(24)
        for sort, figure in (("Visits", "visits"), ("Time in use", "minutesInUse")):
            page.locator(".segments").get_by_role("link", name=sort, exact=True).click()
            expect(page.locator(".columns-card h2")).to_have_text(sort)
            shown = {
                row.get_attribute("data-row"): int(
                    row.locator("td.strong").get_attribute("data-value") or "-1"
                )
                for row in table.all()
                if row.get_attribute("data-state") == "counted"
            }
            assert shown == {
                row["label"]: row[figure] for row in answer["rows"] if row["state"] == "counted"
            }
            assert sum(shown.values()) == answer["total"][figure]
            drawn = page.locator(".column:has(.bar)")
            assert drawn.count() == sum(1 for value in shown.values() if value)
        assert violations(page) == []
        assert watch.errors == []


def test_a_package_is_gone_only_where_the_packages_file_is_known(
    browser: Browser, shelf: Hotspot, hotspot: Hotspot
) -> None:
    """Where figures are only shown, nothing is known of the file: no package is gone from it."""
    assert not any(item["listed"] for item in hotspot.ask("packages")["packages"])
    for of, title, gone in ((shelf, LOST, True), (shelf, "Bees", False), (hotspot, "Bees", False)):
        with opened(browser, f"{of.url}/package/{WEEK}?title={title}") as (page, _):
            expect(page.locator(".facts")).to_contain_text("Last used")
            text = page.get_by_text("no longer in the packages file")
            expect(text).to_have_count(int(gone))


@pytest.mark.parametrize("label", ["2025-01", "2019-03-01..2019-04-02", "2027"])
def test_packages_are_listed_in_a_period_without_figures(
    browser: Browser, shelf: Hotspot, label: str
) -> None:
    """It says that there is nothing, lists all packages by their names, and those never used."""
    answer = shelf.ask("packages")
    used = [item["title"] for item in answer["packages"] if item["lastUsedAt"]]
    with opened(browser, f"{shelf.url}/packages/{label}") as (page, watch):
        expect(page.locator("main .notice")).to_be_visible()
        group = page.locator("[data-never] li")
        expect(group).to_have_count(answer["neverUsed"])
        assert sorted(titles(page)) == sorted(used)
        assert (
            page.locator(".package-rows :is(td.visits, td.time, td.share, .bar-line)").count() == 0
        )
        assert page.locator(".package-rows td.last").count() == len(used)
        assert violations(page) == []
        assert outside(page) == []
        page.get_by_role("link", name="Unread atlas").click()
        expect(page.locator(".facts")).to_contain_text("not used yet")
        assert page.locator(".columns-card, .heat-cell").count() == 0
        assert watch.errors == []


@pytest.mark.parametrize("lang", quick(["en", "ar"], "ar"))
def test_lists_fit_at_any_width(browser: Browser, shelf: Hotspot, lang: str) -> None:
    """From the narrowest phone to a projector, also with text of twice the size."""
    found: list[str] = []
    with opened(browser, f"{shelf.url}/about", viewport=PHONE, lang=lang) as (page, _):
        settled(page)
        for path in (f"packages/{MONTH}?sort=time", f"package/{MONTH}?title=Bees", f"when/{MONTH}"):
            go(page, f"/{path}")
            page.wait_for_selector(".heat-cell, .package-rows td.last")
            for width in (320, 480, 801, 1024, 1280, 1920):
                page.set_viewport_size({"width": width, "height": 900})
                found += [f"{path} at {width}: {text}" for text in outside(page, ("", "200%"))]
    assert not found, "\n".join(found[:60])
