"""The usage report says what the API says, in four languages, in one file that needs no other."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.indicators.model import States
from engine.report import Report
from engine.settings.choices import LANGUAGES
from engine.store.store import Store
from engine.times import day_start, parse_period
from engine.usage_report.content import Content, Figure, content_of
from engine.usage_report.language import Language, pick_language
from engine.usage_report.page import Hotspot, change, page_of
from tests.support.memory import memory_folder

ZONE = ZoneInfo("Africa/Bamako")
HOTSPOT = Hotspot("École de Ségou", "0f1e2d3c", ZONE)
HOSTILE = '"><img src=x onerror=alert(1)>\u202etxt'
LATER = day_start(date(2027, 1, 5), ZONE)


def plain(text: str) -> str:
    """With ordinary spaces, which are what people search for."""
    return re.sub("[\u00a0\u202f]", " ", text)


class Page(HTMLParser):
    """A page as a browser takes it apart: elements that are open, and what they hold."""

    void = ("meta", "line", "rect", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[list[str]] = []
        self.feed(plain(text))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)
        if tag == "tr":
            self.cells.append([])

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.cells and "tr" in self.open:
            self.cells[-1].append(data)


def hour(day: date, hour_of_day: int) -> int:
    return day_start(day, ZONE) + hour_of_day * 3600


def states_of(month: int, days: int, visits: int) -> States:
    """Some days of eight hours on, with visits to twelve packages and a hostile one."""
    states: States = {}
    for number in range(1, days + 1):
        for n in range(8):
            at = hour(date(2026, month, number), 8 + n)
            states[at, 1004, ""] = (1 << 60) - 1
            states[at, 1005, ""] = 0b11
            for package in [*(f"Package {k:02}" for k in range(12)), HOSTILE]:
                states[at, 1006, package] = 0b1
            states[at, 1001, "Package 03"] = visits
            states[at, 1001, HOSTILE] = 1
            states[at, 1003, "FILE_CREATED"] = 2
    return states


@pytest.fixture(scope="module")
def spring() -> Iterator[Path]:
    """The database of two months and three days, which no test changes."""
    with memory_folder("usage-report-") as folder:
        with Store.open(folder / "metrics.db", ZONE) as store:
            store.commit({**states_of(4, 30, 3), **states_of(5, 31, 4), **states_of(6, 3, 5)})
        yield folder / "metrics.db"


@pytest.fixture(scope="module")
def report(spring: Path) -> Iterator[Report]:
    with Store.open(spring) as store:
        yield Report(store.reader())


def content(report: Report, period: str, now: int = LATER) -> Content:
    return content_of(report, parse_period(period, now, report.zone), now)


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("period", ["2026-05-04", "2026-W19", "2026-05", "2026", "2025"])
def test_a_page_is_whole_and_needs_no_other_file(report: Report, code: str, period: str) -> None:
    """Every element is closed, and there is no script, no link and nothing to load."""
    text = page_of(content(report, period), HOTSPOT, Language(code), LATER)
    page = Page(text)
    assert page.open == []
    tags = {tag for tag, _ in page.seen}
    assert not tags & {"script", "link", "img", "iframe", "object", "a"}
    assert not re.search(r"https?:|url\(|@import|\{\w+\}</", text)
    html = dict(page.seen)["html"]
    assert (html["lang"], html["dir"]) == (code, "rtl" if code == "ar" else "ltr")


def test_its_figures_are_those_of_the_api(report: Report) -> None:
    """Each KPI has the value that the REST API gives for the period, before and now."""
    found = content(report, "2026-05")
    answer = report.period("M", "2026-05", LATER)
    assert answer is not None
    api = {
        name: value
        for kpi in answer["kpis"]
        for name, value in kpi["value"].items()
        if name != "items"
    }
    shown = {figure.name.split(".")[1]: figure.value for figure in found.figures}
    assert (
        shown
        == api
        == {
            "totalVisits": 31 * 8 * 5,
            "totalMinutesActivity": 31 * 8 * 10,
            "nbMinutesOn": 31 * 8 * 60,
            "filesCreated": 31 * 8 * 2,
            "filesDeleted": 0,
        }
    )
    assert {figure.before for figure in found.figures} == {960, 2400, 14400, 480, 0}


def test_every_package_is_listed(report: Report) -> None:
    """Not ten, but all, the most visited first, whatever a title has in it."""
    text = page_of(content(report, "2026-05"), HOTSPOT, Language("en"), LATER)
    rows = ["".join(cells) for cells in Page(text).cells]
    assert len(rows) == 1 + 13
    assert rows[1] == "Package 03992" + "720" + "41 h 20 min"
    assert rows[2].startswith(HOSTILE)
    assert "<img" not in text


def test_days_on_are_counted(report: Report) -> None:
    """The sentence says on how many days of the period the hotspot was on."""
    found = content(report, "2026-06")
    assert (found.days_on, found.days) == (3, 30)
    text = plain(page_of(found, HOTSPOT, Language("en"), LATER))
    assert "The hotspot was on for 24 h on 3 of 30 days." in text


def test_days_are_those_that_were_counted(report: Report, spring: Path, memory_path: Path) -> None:
    """As on the page: not those before counting began, and not those to come. Of a year of which
    only totals are known, nothing is said of days.
    """
    now = hour(date(2026, 6, 3), 12)
    found = content(report, "2026-06", now)
    assert (found.days_on, found.days) == (3, 3)
    found = content(report, "2026", now)
    assert (found.days_on, found.days) == (64, 64)
    with Store.open(Path(shutil.copy(spring, memory_path))) as store:
        with store.transaction():
            store.records.save_whole_period("Y", "2025", {(1004, ""): 600, (1001, "Bees"): 5})
        found = content(Report(store.reader()), "2025")
    text = plain(page_of(found, HOTSPOT, Language("en"), LATER))
    assert "The hotspot was on for 10 h. Its packages" in text
    assert " days" not in text


@pytest.mark.parametrize(
    ("period", "now", "fair"),
    [
        ("2026-05", LATER, True),
        ("2026-04", LATER, False),  # nothing was counted before
        ("2026-06", hour(date(2026, 6, 3), 12), False),  # not over
        ("2026-07", LATER, False),  # nothing was counted, after a month that was
        ("2026-08", LATER, False),
    ],
)
def test_only_equal_stretches_are_compared(
    report: Report, period: str, now: int, fair: bool
) -> None:
    """No comparison of a period that is not over, or with one that was not counted whole."""
    found = content(report, period, now)
    assert found.fair is fair
    text = page_of(found, HOTSPOT, Language("en"), now)
    assert ("There is no comparison" in text) is not fair


def test_a_month_is_not_compared_with_a_part_of_one(memory_path: Path) -> None:
    """Counting began in the middle of the month before."""
    states = {
        key: state
        for key, state in states_of(4, 30, 3).items()
        if key[0] > hour(date(2026, 4, 15), 0)
    }
    with Store.open(memory_path / "metrics.db", ZONE) as store:
        store.commit({**states, **states_of(5, 31, 4)})
        assert not content(Report(store.reader()), "2026-05").fair


@pytest.mark.parametrize(
    ("value", "before", "text"),
    [
        (21, 20, "+5%"),
        (30, 60, "−50%"),
        (3, 2, "+1"),
        (2, 30, "−28"),
        (140, 20, "× 7"),
        (59, 20, "+195%"),
        (60, 20, "× 3"),
        (20, 0, "+20"),
        (1000, 999, "+< 1%"),
    ],
)
def test_changes_are_said_as_people_read_them(value: int, before: int, text: str) -> None:
    """Differences of few, shares, and multiples of what has grown to three times and more."""
    figure = Figure("PackagePopularity.totalVisits", "Visits", value, before, is_duration=False)
    assert change(figure, Language("en")).strip("\u2066\u2069") == text


def test_a_clock_that_was_set_is_said(memory_path: Path) -> None:
    """How often in the period, and by how much at most."""
    with Store.open(memory_path / "metrics.db", ZONE) as store:
        store.commit(states_of(5, 2, 1))
        at = hour(date(2026, 5, 2), 9)
        store.add_clock_epoch("boot", at, 7201, trusted=True)
        store.add_clock_epoch("boot", at + 60, -30, trusted=True)
        report = Report(store.reader())
        text = plain(page_of(content(report, "2026-05"), HOTSPOT, Language("en"), LATER))
        assert "was set 2 times, by 2 h at most" in text
        text = page_of(content(report, "2026-04"), HOTSPOT, Language("en"), LATER)
        assert "was not set" in text
        store.add_clock_epoch("boot", hour(date(2026, 4, 2), 9), -5, trusted=True)
        text = plain(page_of(content(report, "2026-04"), HOTSPOT, Language("en"), LATER))
        assert "by 1 min at most" in text


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_has_every_text(code: str) -> None:
    """The same keys and the same places to fill in all of them."""
    folder = Path(__file__).resolve().parent.parent / "engine/usage_report/texts"
    english = json.loads((folder / "en.json").read_text(encoding="utf-8"))
    other = json.loads((folder / f"{code}.json").read_text(encoding="utf-8"))
    assert other.keys() == english.keys()
    for key, text in other.items():
        for form in text.values() if isinstance(text, dict) else [text]:
            whole = english[key]["other"] if isinstance(english[key], dict) else english[key]
            places = set(re.findall(r"\{\w+\}", form))
            assert places <= set(re.findall(r"\{\w+\}", whole)), key


@pytest.mark.parametrize(
    ("wanted", "environment", "code"),
    [
        ("fr", "C.UTF-8", "fr"),
        ("fr-CA", "ar", "fr"),
        (None, "ar_EG.UTF-8", "ar"),
        (None, "de_DE", "en"),
        ("xx", "es_MX", "es"),
        (None, "", "en"),
    ],
)
def test_the_language_is_picked(wanted: str | None, environment: str, code: str) -> None:
    """The one that is asked for, else that of the environment, else English."""
    assert pick_language(wanted, environment) == code


def test_a_note_and_a_logo_are_part_of_the_page(report: Report) -> None:
    """The operator's text as text, and an image that is in the page itself."""
    hotspot = Hotspot("Ségou", "0f", ZONE, f"For <you> {HOSTILE}", "data:image/png;base64,AAAA")
    page = Page(page_of(content(report, "2026-05"), hotspot, Language("en"), LATER))
    images = [attributes for tag, attributes in page.seen if tag == "img"]
    assert images == [{"src": "data:image/png;base64,AAAA", "alt": ""}]
    without = page_of(content(report, "2026-05"), HOTSPOT, Language("en"), LATER)
    assert "<img" not in without
    assert 'class="own"' not in without


def test_a_name_ends_neither_the_style_nor_its_text(report: Report) -> None:
    """What stands at the bottom of each page is written in numbers of characters."""
    hotspot = Hotspot('"}</style><script>', "0f", ZONE)
    text = page_of(content(report, "2026-05"), hotspot, Language("en"), LATER)
    assert "script" not in {tag for tag, _ in Page(text).seen}
    assert text.count("</style>") == 1


def test_visits_are_the_chart_and_uptime_is_a_band(report: Report) -> None:
    """A bar for each day with visits, and below it when the hotspot was on; a day without figures
    has neither, which is not the same as a day on which nobody came.
    """
    text = page_of(content(report, "2026-06"), HOTSPOT, Language("en"), LATER)
    kinds = [attributes["class"] for tag, attributes in Page(text).seen if tag == "rect"]
    assert (kinds.count("bar"), kinds.count("on"), kinds.count("none")) == (3, 3, 3)
    assert "Most visits: Jun 1, 48." in plain(text)


def test_a_period_with_missing_days_is_not_compared(tmp_path: Path) -> None:
    """Ten days of May without figures, on all days of the week: no change is shown, and why."""
    states = states_of(5, 31, 4)
    gone = [
        key for key in states if hour(date(2026, 5, 11), 0) <= key[0] < hour(date(2026, 5, 21), 0)
    ]
    for key in gone:
        del states[key]
    with Store.open(tmp_path / "metrics.db", ZONE) as store:
        store.commit({**states_of(4, 30, 3), **states})
        report = Report(store.reader())
        found = content(report, "2026-05")
        assert (found.fair, found.missing_days) == (False, 10)
        text = page_of(found, HOTSPOT, Language("en"), LATER)
        assert "10 days have no figures" in text


def test_use_is_shown_as_no_longer_than_uptime(tmp_path: Path) -> None:
    """Six spells of two minutes in an hour: a slot of ten minutes each would be an hour."""
    minutes = sum(0b11 << 10 * n for n in range(6))
    at = hour(date(2026, 5, 4), 9)
    with Store.open(tmp_path / "metrics.db", ZONE) as store:
        store.commit({(at, 1004, ""): minutes, (at, 1005, ""): minutes, (at, 1006, "A"): minutes})
        found = content(Report(store.reader()), "2026-05-04")
    values = {figure.name: figure.value for figure in found.figures}
    assert values["TotalUsage.totalMinutesActivity"] == values["Uptime.nbMinutesOn"] == 12
    assert [package.minutes for package in found.packages] == [12]
