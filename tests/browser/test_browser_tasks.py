"""What people come for, in how many taps from the dashboard, and whether the answer is right.

A tap is a click, a touch or a key; a date or a note that is put in is one, a choice from a list two
(one opens it). Right is what the records add up to, by other code.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.failing import failing
from tests.browser.hotspot import DAY, FQDN, HOUR, NAME, NOW, TITLES, Hotspot, line, running
from tests.browser.pages import DESKTOP, PHONE, count, opened, settled
from tests.browser.spreadsheets import cells_of_xlsx, downloaded
from tests.browser.sums import Hour, recorded, titles, total
from tests.browser.tables import packages
from tests.verdict.setups import SETUPS

DAYS = 600
NEVER = ("Unread atlas", "Unread songs")
NOTE = "For the Fund for Schools,\ncontract 17"


def visits(seed: int) -> Iterator[str]:
    """A few readers on most days of twenty months; favourites change with the season."""
    chance = random.Random(seed)
    for day in range(NOW // DAY - DAYS, NOW // DAY + 1):
        if day < NOW // DAY and chance.random() < 0.15:
            continue
        favourite = day // 90 % len(TITLES)
        for at in sorted(day * DAY + chance.uniform(7, 14) * HOUR for _ in range(12)):
            number = favourite if chance.random() < 0.3 else chance.randrange(len(TITLES))
            yield line(at, f"/content/package_{number}/")


@dataclass
class School:
    """A hotspot, and its records."""

    hotspot: Hotspot
    hours: list[Hour]

    def between(self, first: str, last: str) -> list[Hour]:
        """The hours of some days, both included."""
        days = date.fromisoformat(first), date.fromisoformat(last)
        return [hour for hour in self.hours if days[0] <= hour.at.date() <= days[1]]


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """A hotspot that has been counting since the January of last year."""
    hotspot = Hotspot(tmp_path_factory.mktemp("school"), [*TITLES, *NEVER], processing=True)
    hotspot.fill(visits(5))
    with running(hotspot):
        yield School(hotspot, recorded(hotspot, "2025") + recorded(hotspot, "2026"))


@dataclass
class Reader:
    """Somebody with a phone or a mouse."""

    page: Page
    has_touch: bool
    taps: int = 0

    def tap(self, what: Locator) -> None:
        """Touch or click something."""
        self.taps += 1
        if self.has_touch:
            what.tap()
        else:
            what.click()

    def put_in(self, field: str, text: str) -> None:
        """A date or a text."""
        self.taps += 1
        self.page.get_by_label(field, exact=True).fill(text)

    def choose(self, field: str, value: str) -> None:
        """One of a list."""
        self.taps += 2
        self.page.get_by_label(field).select_option(value)

    def button(self, name: str) -> None:
        """Press a button."""
        self.tap(self.page.get_by_role("button", name=name, exact=True))

    def link(self, name: str) -> None:
        """Follow a link."""
        self.tap(self.page.get_by_role("link", name=name, exact=True))


@contextmanager
def reader(browser: Browser, url: str, *, phone: bool = True) -> Iterator[Reader]:
    """Somebody who has just opened the dashboard."""
    viewport = PHONE if phone else DESKTOP
    with opened(browser, url, viewport=viewport, has_touch=phone) as (page, watch):
        settled(page)
        yield Reader(page, phone)
        assert watch.errors == []


def test_visits_of_march_last_year(browser: Browser, school: School) -> None:
    """The calendar, a year back, the month: three taps."""
    with reader(browser, school.hotspot.url) as person:
        person.button("Choose a period")
        person.button("Previous year")
        person.tap(person.page.locator(".picker-months a", has_text=re.compile("^Mar")))
        expect(person.page.locator("h1")).to_have_text("March 2025")
        shown = person.page.locator(".key-figures [data-kpi='2001'] .big").inner_text()
        assert count(shown) == total(school.between("2025-03-01", "2025-03-31")).visits > 0
        assert person.taps <= 3


def test_the_most_used_package_from_september_to_november(browser: Browser, school: School) -> None:
    """The panel, two dates, a button: four taps. Most visited and longest in use stand first."""
    hours = school.between("2025-09-01", "2025-11-30")
    of_packages = {title: total(hours, title) for title in titles(hours)}
    with reader(browser, school.hotspot.url) as person:
        person.button("Any days, from–to")
        person.put_in("From", "2025-09-01")
        person.put_in("To", "2025-11-30")
        person.button("Show")
        expect(person.page).to_have_url(re.compile(r"/2025-09-01\.\.2025-11-30$"))
        for kpi, figure in ((2001, 0), (2003, 1)):
            first = person.page.locator(f".card[data-kpi='{kpi}'] tr[data-package]").first
            title = str(first.get_attribute("data-package"))
            most = max(figures[figure] for figures in of_packages.values())
            assert of_packages[title][figure] == most > 0
        assert person.taps <= 4


def test_packages_that_nobody_uses(browser: Browser, school: School) -> None:
    """One tap: they have a list of their own among the packages."""
    known = json.loads((school.hotspot.folder / "packages.yml").read_text("utf-8"))["packages"]
    unused = {package["title"] for package in known} - titles(school.hours)
    assert unused >= set(NEVER)
    with reader(browser, school.hotspot.url) as person:
        person.link("Packages")
        group = person.page.locator("[data-never] li")
        expect(group.first).to_be_visible()
        assert sorted(packages(group)) == sorted(unused)
        assert person.taps <= 1


def test_the_numbers_of_last_month_in_excel_in_french(browser: Browser, school: School) -> None:
    """Language, month, one back, export, Excel: six taps, or four in a French browser."""
    hours = school.between("2026-08-01", "2026-08-31")
    whole = total(hours)
    with reader(browser, school.hotspot.url, phone=False) as person:
        page = person.page
        person.choose("Language", "fr")
        person.link("Mois")
        person.button("Précédent")
        expect(page.locator("h1")).to_have_text("août 2026")
        settled(page)
        person.button("Exporter")
        link = page.get_by_role("link", name="Contenus (Excel)")
        name, content = downloaded(page, link)
        person.taps += 1
        assert person.taps <= 6
    assert name == "offspot-metrics_Lycee-Amani_2026-08-01_2026-08-31_package.xlsx"
    whose, when, empty, head, every, *rows = cells_of_xlsx(content)
    assert whose == ["Utilisation du hotspot", NAME]
    assert "août 2026" in str(when[0])
    assert empty == []
    assert head == ["Contenu", "Visites", "Temps d’utilisation (heures)"]
    assert every == ["Un contenu au moins", whole.visits, round(whole.in_use / 60, 2)]
    found = {str(title): (visits, hours) for title, visits, hours in rows}
    sums = {title: total(hours, title) for title in titles(hours)}
    assert found == {title: (of.visits, round(of.in_use / 60, 2)) for title, of in sums.items()}


def test_whether_it_is_counting_and_why_not(browser: Browser, tmp_path: Path) -> None:
    """No tap: the strip says that it is not, and the reason; one tap leads to what to do."""
    [renamed] = [setup for setup in SETUPS if setup.name == "renamed"]
    with (
        failing(renamed, tmp_path) as (hotspot, url),
        reader(browser, url) as person,
    ):
        strip = person.page.locator(".strip.visible")
        expect(strip).to_contain_text("not counting")
        expect(strip).to_contain_text("kiwix.new.hotspot")
        person.link("What to do")
        reason = person.page.locator(".verdict [data-code]").first
        expect(reason.locator(".reason")).to_contain_text(f"{hotspot.read()} log lines")
        expect(reason.locator(".remedy")).to_contain_text("packages file")
        assert person.taps <= 1


def test_a_month_for_a_funder(browser: Browser, school: School, tmp_path: Path) -> None:
    """Month, one back, export, a note, print: five taps. On paper is all that a funder asks for."""
    hours = school.between("2026-08-01", "2026-08-31")
    whole = total(hours)
    pdf = tmp_path / "month.pdf"
    with reader(browser, school.hotspot.url, phone=False) as person:
        page = person.page
        page.evaluate("window.print = () => { window.isPrinted = true }")
        person.link("Month")
        person.button("Previous")
        expect(page.locator("h1")).to_have_text("August 2026")
        settled(page)
        person.button("Export")
        person.put_in("Note on the printed page", NOTE)
        person.button("Print or save as PDF")
        assert page.evaluate("window.isPrinted")
        assert person.taps <= 5
        page.pdf(path=pdf, prefer_css_page_size=True)
    text = subprocess.run(
        ["pdftotext", "-layout", pdf, "-"], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    told = " ".join(text.split())
    for part in (NAME, FQDN, "August 2026", *NOTE.splitlines(), "Made on"):
        assert part in told
    assert f"{whole.visits:,} visits in 31 days" in told
    assert "Latest figures" not in told
    for title in titles(hours):
        if title.isascii():
            row = re.search(rf"{re.escape(title)}\s+(\d+)\s", text)
            assert row, title
            assert int(row[1]) == total(hours, title).visits
