"""What is exported or printed is what is on the page."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.hotspot import FQDN, NAME, Hotspot
from tests.browser.pages import go, neighbours, opened, saved, settled
from tests.support.sizes import quick

KINDS = ("D", "W", "M", "Y")
COLUMNS = ["agg_kind", "agg_value", "kpi_id", "kpi", "package", "metric", "value"]
TREND = {
    2001: ["totalVisits"],
    2003: ["totalMinutesActivity"],
    2004: ["nbMinutesOn"],
    2005: ["filesCreated", "filesDeleted"],
}
OTHERS = {
    2001: ["visits", "packagesVisited"],
    2003: ["minutesActivity", "packagesUsed"],
}
OTHERS_ROWS = {2001: "othersVisits", 2003: "othersMinutesActivity"}


def expected_rows(period: dict[str, Any], ids: list[int]) -> set[tuple[str, int, str, str, int]]:
    """Every number of the view, its neighbours and others: label, KPI, package, metric, value."""
    rows = set()
    for kpi in period["kpis"]:
        if kpi["kpiId"] not in ids:
            continue
        for metric, value in kpi["value"].items():
            if metric != "items":
                rows.add((period["aggValue"], kpi["kpiId"], "", metric, value))
        for item in kpi["value"].get("items", []):
            metric = next(name for name in item if name != "package")
            rows.add((period["aggValue"], kpi["kpiId"], item["package"], metric, item[metric]))
    for kpi_id, metric in OTHERS_ROWS.items():
        beyond = period["others"][OTHERS[kpi_id][0]]
        if kpi_id in ids and beyond:
            rows.add((period["aggValue"], kpi_id, "", metric, beyond))
    for entry in period["trend"]:
        if entry["aggValue"] != period["aggValue"] and entry["hasData"]:
            rows |= {
                (entry["aggValue"], kpi_id, "", metric, entry[metric])
                for kpi_id in ids
                for metric in TREND[kpi_id]
            }
    return rows


@pytest.mark.parametrize(
    ("view", "ids"), [("", [2001, 2003, 2004, 2005]), ("popularity/", [2001]), ("usage/", [2003])]
)
def test_exports_hold_what_the_view_shows(
    browser: Browser, hotspot: Hotspot, view: str, ids: list[int]
) -> None:
    """The CSV and the JSON of a day, a week, a month and a year, read back, are the API's figures
    of that view.
    """
    with opened(browser, f"{hotspot.url}/about") as (page, _):
        settled(page)
        for kind in KINDS:
            period = hotspot.newest(kind)
            go(page, f"/{view}{slug_of(period)}")
            check_csv(page, view, period, ids)
            check_json(page, period, ids)


def slug_of(period: dict[str, Any]) -> str:
    """Its label in addresses and names of files."""
    return str(period["aggValue"]).replace(" ", "-")


def check_csv(page: Page, view: str, period: dict[str, Any], ids: list[int]) -> None:
    name, raw = saved(page, "Spreadsheet (CSV)")
    middle = f"_{view.rstrip('/')}" if view else ""
    assert name == f"offspot-metrics_Lycee-Amani{middle}_{slug_of(period)}.csv"
    assert raw.startswith(b"\xef\xbb\xbf"), "spreadsheets need the mark"
    table = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert table[0] == COLUMNS
    rows = {(r[1], int(r[2]), r[4], r[5], int(r[6])) for r in table[1:]}
    assert len(rows) == len(table) - 1
    assert rows == expected_rows(period, ids)


def check_json(page: Page, period: dict[str, Any], ids: list[int]) -> None:
    name, raw = saved(page, "Data (JSON)")
    assert name.endswith(f"{slug_of(period)}.json")
    told = json.loads(raw)
    assert told["site"]["name"] == NAME
    assert told["kpis"] == [kpi for kpi in period["kpis"] if kpi["kpiId"] in ids]
    for key in ("aggKind", "aggValue", "start", "end", "complete"):
        assert told[key] == period[key]
    beyond = [key for kpi_id in OTHERS if kpi_id in ids for key in OTHERS[kpi_id]]
    assert told["others"] == {key: period["others"][key] for key in beyond}
    before = period["previous"]["kpis"]
    assert told["previous"]["kpis"] == [kpi for kpi in before if kpi["kpiId"] in ids]
    foreign = {m for kpi_id, metrics in TREND.items() if kpi_id not in ids for m in metrics}
    assert told["trend"] == [
        {key: value for key, value in entry.items() if key not in foreign}
        for entry in neighbours(period)
    ]
    assert ("uptime" in told) is (2004 in ids)


def test_the_rows_of_an_export_add_up(browser: Browser, hotspot: Hotspot) -> None:
    """Visits of the packages and of the others in a CSV are the total in it."""
    year = hotspot.newest("Y")["aggValue"]
    with opened(browser, f"{hotspot.url}/popularity/{year}") as (page, _):
        settled(page)
        _, raw = saved(page, "Spreadsheet (CSV)")
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))[1:]
    sums = {
        name: sum(int(r[6]) for r in rows if r[5] == name and r[1] == year)
        for name in ("visits", "othersVisits", "totalVisits")
    }
    assert sums["othersVisits"] > 0
    assert sums["visits"] + sums["othersVisits"] == sums["totalVisits"]


def printed(page: Page, folder: Path) -> Path:
    pdf = folder / "report.pdf"
    page.pdf(path=pdf, prefer_css_page_size=True, print_background=True)
    return pdf


def pages_of(pdf: Path) -> int:
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf.read_bytes()))


@pytest.mark.parametrize("lang", quick(["en", "fr", "es", "ar"], "fr", "ar"))
def test_the_longest_report_is_one_page_in_every_language(
    browser: Browser, hotspot: Hotspot, tmp_path: Path, lang: str
) -> None:
    """A year prints on one page whatever the language, also when tables stand on the screen."""
    year = hotspot.newest("Y")["aggValue"]
    with opened(browser, f"{hotspot.url}/{year}", lang=lang) as (page, _):
        settled(page)
        assert pages_of(printed(page, tmp_path)) == 1
        for button in page.locator(".twin-button").all():
            button.click()
        assert pages_of(printed(page, tmp_path)) == 1


@pytest.mark.parametrize("view", ["", "popularity/", "usage/"])
def test_a_printed_report_is_one_page(
    browser: Browser, hotspot: Hotspot, tmp_path: Path, view: str
) -> None:
    """On paper a period is one A4 page: name, period, all packages and numbers, day of making."""
    with opened(browser, f"{hotspot.url}/about", scheme="dark") as (page, _):
        settled(page)
        for kind in KINDS:
            period = hotspot.newest(kind)
            go(page, f"/{view}{slug_of(period)}")
            check_paper(page, printed(page, tmp_path), view, period)


def check_paper(page: Page, pdf: Path, view: str, period: dict[str, Any]) -> None:
    assert pages_of(pdf) == 1
    text = subprocess.run(
        ["pdftotext", "-layout", pdf, "-"], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    told = " ".join(text.split())
    assert NAME in told
    assert FQDN in told
    assert page.locator("h1").inner_text() in told
    assert "Made on" in told
    shown = {"": (2001, 2003), "popularity/": (2001,), "usage/": (2003,)}[view]
    for kpi in period["kpis"]:
        if kpi["kpiId"] in shown:
            for item in kpi["value"]["items"]:
                first_word = item["package"].split()[0]
                assert first_word in told or not first_word.isascii()
