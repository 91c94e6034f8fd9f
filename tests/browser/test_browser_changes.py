"""Changes are shown where the server says that comparing is fair, else it is said why not."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.hotspot import DAY, HOUR, NOW, TITLES, Hotspot, line, running
from tests.browser.pages import count, minutes, opened, settled
from tests.support.sizes import quick

FIRST_DAYS = (NOW // DAY - 440, NOW // DAY - 300)
"""With the September of last year; then nothing, until the last weeks."""


def every_day(seed: int) -> Iterator[str]:
    """Lines of each day at the same hours, of the last 80 days and of some a year earlier."""
    chance = random.Random(seed)
    days = [*range(*FIRST_DAYS), *range(NOW // DAY - 80, NOW // DAY + 1)]
    for day in days:
        for hour in range(7, 16):
            start = day * DAY + hour * HOUR
            for at in sorted(start + chance.uniform(0, HOUR) for _ in range(chance.randint(1, 8))):
                if at < NOW:
                    number = min(int(chance.expovariate(0.4)), len(TITLES) - 1)
                    yield line(at, f"/content/package_{number}/")


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotspot]:
    """A hotspot that is on every day."""
    hotspot = Hotspot(tmp_path_factory.mktemp("steady"))
    hotspot.fill(every_day(11))
    with running(hotspot):
        yield hotspot


def told(page: Page, kpi: int) -> list[tuple[str, str]]:
    """Chip and figure of before of each change of a key figure."""
    deltas = page.locator(f".key-figures [data-kpi='{kpi}'] .delta").all()
    return [
        (d.locator(".delta-chip").inner_text(), d.locator(".delta-was").inner_text())
        for d in deltas
    ]


def plain(text: str) -> str:
    return text.strip("\u2066\u2069").replace("\u2066", "").replace("\u2069", "")


def change(now: int, before: int) -> str:
    """As changes are to be written, made anew."""
    by = abs(now - before)
    sign = "+" if now > before else "−"
    if not by:
        return "="
    if before < 20:
        return f"{sign}{by}"
    if now / before > 3:
        times = now / before
        return f"{round(times, 1) if times < 10 else round(times):g} times"
    return f"{sign}{int(by / before * 100 + 0.5)}%" if by * 100 >= before else "<\u00a01%"


@pytest.mark.parametrize(
    ("kind", "running_still"),
    quick(product("DWM", [True, False]), ("D", True), ("W", False), ("M", True)),
)
def test_changes_are_those_of_the_comparisons(
    browser: Browser, steady: Hotspot, kind: str, running_still: bool
) -> None:
    """Visits and uptime against the stretch before and a year earlier, cut at the same hour."""
    period = steady.newest(kind)
    if not running_still:
        period = steady.ask(f"periods/{kind}/{period['previous']['aggValue']}")
    comparisons: dict[str, Any] = period["comparisons"]
    assert comparisons["before"]["fair"]
    assert comparisons["before"]["soFar"] is running_still
    fair = [c for c in (comparisons["before"], comparisons["year"]) if c["fair"]]
    with opened(browser, f"{steady.url}/{period['aggValue'].replace(' ', '-')}") as (page, _):
        settled(page)
        visits = [(plain(chip), count(was)) for chip, was in told(page, 2001)]
        uptime = [(plain(chip), minutes(was)) for chip, was in told(page, 2004)]
        note = page.locator(".comparison-note")
        if running_still:
            expect(note).to_contain_text("up to the same day and hour")
        else:
            expect(note).to_have_count(0)
    both = [(c["this"], c["before"]) for c in fair]
    assert visits == [(change(a["visits"], b["visits"]), b["visits"]) for a, b in both]

    def a_day(total: dict[str, Any]) -> int:
        return int(total["minutesOn"] / max(1, total["days"]) + 0.5)

    assert [was for _, was in uptime] == [a_day(b) for _, b in both]
    for (chip, _), (a, b) in zip(uptime, both, strict=True):
        by = a_day(a) - a_day(b)
        assert "%" not in chip
        assert (minutes(chip.strip("+−")) if by else chip) == (abs(by) if by else "=")
        assert ("+" in chip) is (by > 0)


def test_the_same_month_a_year_earlier_stands_beside_the_month_before(
    browser: Browser, steady: Hotspot
) -> None:
    """September has both; the year has neither: it says since when it was counted."""
    month = steady.newest("M")
    assert month["comparisons"]["year"]["fair"]
    with opened(browser, f"{steady.url}/{month['aggValue']}") as (page, _):
        settled(page)
        texts = page.locator(".key-figures [data-kpi='2001'] .delta-was").all_inner_texts()
        assert [text.partition(" ")[2] for text in texts] == [
            "the month before",
            "the same month a year earlier",
        ]
        page.get_by_role("link", name="Year", exact=True).click()
        expect(page.locator(".comparison-note")).to_contain_text("Not compared with 2025")
        assert page.locator(".key-figures .delta").count() == 0


def test_days_without_figures_are_the_reason_for_no_change(
    browser: Browser, hotspot: Hotspot
) -> None:
    """After a power cut nothing is compared, and it is said how many days are missing."""
    labels = [p["aggValue"] for p in hotspot.ask("periods")["periods"] if p["aggKind"] == "W"]
    weeks = [hotspot.ask(f"periods/W/{label}") for label in labels]
    week, comparison = next(
        (week, found)
        for week in weeks
        if (found := week["comparisons"]["before"])["reason"] == "missing-days"
        and found["missingDays"] > 1
    )
    with opened(browser, f"{hotspot.url}/{week['aggValue'].replace(' ', '-')}") as (page, _):
        settled(page)
        expect(page.locator(".comparison-note")).to_contain_text(
            f"{comparison['missingDays']} days have no figures"
        )
        assert page.get_by_text("the week before").count() == 0


def test_every_listed_package_has_its_change(browser: Browser, steady: Hotspot) -> None:
    """Not only those that were among the ten of before."""
    month = steady.newest("M")
    before = {p["package"]: p["visitsBefore"] for p in month["packages"]}
    with opened(browser, f"{steady.url}/{month['aggValue']}") as (page, _):
        settled(page)
        rows = page.locator(".card[data-kpi='2001'] tr[data-package]").all()
        assert len(rows) == 10
        for row in rows:
            cell = row.locator("td.strong")
            name = str(row.get_attribute("data-package"))
            now = int(str(cell.get_attribute("data-value")))
            assert plain(cell.locator(".delta-chip").inner_text()) == change(now, before[name])


def test_signs_stand_on_the_same_side_of_all_numbers(browser: Browser, steady: Hotspot) -> None:
    """In Arabic `+3` and `+3%` both begin with their sign, from the left; with words, from the
    right.
    """
    month = steady.newest("M")
    with opened(browser, f"{steady.url}/{month['aggValue']}", lang="ar") as (page, _):
        settled(page)
        chips = page.locator(".bars .delta-chip, .key-figures .delta-chip").all_inner_texts()
    signed = [text.strip() for text in chips if "+" in text or "−" in text]
    numbers = [text for text in signed if not any(letter.isalpha() for letter in text)]
    assert any("%" not in text for text in numbers)
    assert all(re.fullmatch("\u2066[+−][^\u2066\u2069]+\u2069", text) for text in numbers)
    words = [text for text in signed if text not in numbers]
    assert words
    assert all(re.match("\u2066[+−]\u2069", text) for text in words)
