"""A card that the recipes of CONTRIBUTING.md added is on the page, in its exports and texts."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.hotspot import NOW, TITLES, Hotspot, running, visitors
from tests.browser.pages import count, opened, saved, settled
from tests.recipes.kpi import TEXTS, add_card, add_figures
from tests.recipes.tree import Copy

pytestmark = pytest.mark.full  # the page is built again for it
SEED = 7
DAYS = 10


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotspot]:
    """A hotspot whose program has another indicator, another KPI and a card for it."""
    copy = Copy(tmp_path_factory.mktemp("tree"))
    add_figures(copy)
    add_card(copy)
    copy.build_page()
    program = (sys.executable, copy.root / "offspot_metrics.py")
    hotspot = Hotspot(tmp_path_factory.mktemp("hotspot"), program=program)
    hotspot.fill(visitors(SEED, TITLES, NOW, DAYS))
    with running(hotspot):
        yield hotspot


def test_a_new_card_shows_its_figures(browser: Browser, changed: Hotspot) -> None:
    """Total and packages are those of the API; CSV has them with those of the weeks before."""
    week = changed.newest("W")
    value = next(kpi["value"] for kpi in week["kpis"] if kpi["kpiId"] == 2099)
    assert value["totalRequests"] > 0
    with opened(browser, f"{changed.url}/{week['aggValue'].replace(' ', '-')}") as (page, watch):
        settled(page)
        card = page.locator('[data-kpi="2099"]')
        assert card.locator("h2").inner_text() == TEXTS["en"][0]
        assert count(card.locator(".big").inner_text()) == value["totalRequests"]
        assert [
            (row.get_attribute("data-package"), count(row.locator("td.strong").inner_text()))
            for row in card.locator("tr[data-package]").all()
        ] == [(item["package"], item["requests"]) for item in value["items"]]
        _, raw = saved(page, "Spreadsheet (CSV)")
        page.emulate_media(media="print")
        heads = page.locator(".print-trend th").all_inner_texts()
        assert watch.errors == []
    rows = [r for r in csv.reader(io.StringIO(raw.decode("utf-8-sig"))) if r[2] == "2099"]
    assert {row[3] for row in rows} == {"Requests"}
    assert {(row[1], int(row[6])) for row in rows if row[5] == "totalRequests"} == {
        (entry["aggValue"], entry["totalRequests"]) for entry in week["trend"] if entry["hasData"]
    }
    assert TEXTS["en"][0] in heads


@pytest.mark.parametrize("lang", TEXTS)
def test_the_page_says_what_a_new_figure_means(
    browser: Browser, changed: Hotspot, lang: str
) -> None:
    """The About view has its title and its meaning, in each language."""
    with opened(browser, f"{changed.url}/about", lang=lang) as (page, _):
        settled(page)
        section = page.locator("section", has_text=TEXTS[lang][1])
        assert section.locator("h2").inner_text() == TEXTS[lang][0]
