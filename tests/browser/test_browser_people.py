"""Files and paper for people: names, hours, separators, whose figures of which time, a note."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.hotspot import NAME, Hotspot
from tests.browser.pages import opened, settled
from tests.browser.spreadsheets import cells_of_csv, cells_of_xlsx, downloaded
from tests.browser.sums import LABELS, Figures, grouped, recorded, titles, total

MONTH = "2026-09"
"""It is not over yet."""
DAYS = [f"2026-09-{day:02d}" for day in range(1, 31)]
NOTE = "Rapport pour le Fonds des écoles\nContrat 17 <b>&amp;</b>"


class Words(NamedTuple):
    """What a file and the page say in a language."""

    separator: str
    title: str
    running: str
    package: str
    day: str
    visits: str
    hours: str
    uptime: str
    to_come: str
    export: str
    packages: str
    over_time: str


WORDS = {
    "en": Words(
        *(",", "Usage of the hotspot", "not over yet", "Package", "Day", "Visits"),
        *("Time in use (hours)", "Uptime (hours)", "Still to come"),
        *("Export", "Packages", "Over time"),
    ),
    "fr": Words(
        *(";", "Utilisation du hotspot", "en cours", "Contenu", "Jour", "Visites"),
        *("Temps d’utilisation (heures)", "Durée de marche (heures)", "À venir"),
        *("Exporter", "Contenus", "Dans le temps"),
    ),
    "es": Words(
        *(";", "Uso del hotspot", "en curso", "Contenido", "Día", "Visitas"),
        *("Tiempo de uso (horas)", "Tiempo encendido (horas)", "Por venir"),
        *("Exportar", "Contenidos", "En el tiempo"),
    ),
    "ar": Words(
        *(",", "استخدام نقطة الاتصال", "لم تنته بعد", "المحتوى", "اليوم", "الزيارات"),
        *("مدة الاستخدام (ساعات)", "مدة التشغيل (ساعات)", "لم يأت بعد"),
        *("تصدير", "المحتويات", "عبر الزمن"),
    ),
}


def files(page: Page, words: Words, what: str) -> tuple[list[list[str]], list[list[str | float]]]:
    """The cells of both files that a list of the page is saved as."""
    found: list[bytes] = []
    for kind in ("CSV", "Excel"):
        page.get_by_role("button", name=words.export).click()
        name, content = downloaded(page, page.get_by_role("link", name=f"{what} ({kind})"))
        ending = "csv" if kind == "CSV" else "xlsx"
        assert re.fullmatch(
            rf"offspot-metrics_Lycee-Amani_2026-09-01_2026-09-30_\w+\.{ending}", name
        )
        found.append(content)
    return cells_of_csv(found[0], words.separator), cells_of_xlsx(found[1])


def padded(rows: Sequence[Sequence[str | float]]) -> list[list[str | float]]:
    """With the empty cells at the end of a row, which .xlsx does not have."""
    width = max(map(len, rows))
    return [[*row, *[""] * (width - len(row))] for row in rows]


def number(cell: str | float, words: Words) -> float:
    """A cell as a number; in CSV it has the decimal mark of the language."""
    if isinstance(cell, float):
        return cell
    mark = "," if words.separator == ";" else "."
    assert re.fullmatch(rf"\d+(\{mark}\d+)?", cell), cell
    return float(cell.replace(mark, "."))


def figures_of(figures: Figures) -> list[float]:
    """As they stand in a file for people: visits, and hours."""
    return [figures.visits, round(figures.in_use / 60, 2), round(figures.on / 60, 2)]


@pytest.mark.parametrize("lang", WORDS)
def test_files_for_people_are_the_records_in_their_language(
    browser: Browser, hotspot: Hotspot, lang: str
) -> None:
    """Hotspot, month and "not over yet" stand above; packages and days have their names, visits and
    hours; days to come are empty, and say so.
    """
    words, hours = WORDS[lang], recorded(hotspot, MONTH)
    by_day = grouped(hours, LABELS["day"])
    with opened(browser, f"{hotspot.url}/{MONTH}", lang=lang) as (page, watch):
        settled(page)
        packages = files(page, words, words.packages)
        days = files(page, words, words.over_time)
        assert watch.errors == []
    for cells in (*packages, *days):
        assert cells[0] == [words.title, NAME]
        assert cells[1][1] == words.running
        assert cells[2] == []
    for cells in packages:
        assert cells[3] == [words.package, words.visits, words.hours]
        assert [number(cell, words) for cell in cells[4][1:]] == figures_of(total(hours))[:2]
        assert {row[0]: [number(cell, words) for cell in row[1:]] for row in cells[5:]} == {
            title: figures_of(total(hours, title))[:2] for title in titles(hours)
        }
    for cells in (padded(days[0]), padded(days[1])):
        assert cells[3][:4] == [words.day, words.visits, words.hours, words.uptime]
        assert [number(cell, words) for cell in cells[4][1:4]] == figures_of(total(hours))
        assert len(cells) == 5 + len(DAYS)
        for label, row in zip(DAYS, cells[5:], strict=True):
            if label in by_day:
                assert [number(cell, words) for cell in row[1:4]] == figures_of(by_day[label])
                assert row[-1] == (words.running if label == "2026-09-16" else "")
            else:
                assert row[1:4] == ["", "", ""]
                assert row[-1] == words.to_come or label < "2026-09-16"
    assert [row[0] for row in days[0][5:]] == DAYS


def on_paper(page: Page, folder: Path) -> list[str]:
    """The texts of the pages that are printed."""
    pdf = folder / "paper.pdf"
    page.pdf(path=pdf, prefer_css_page_size=True)
    done = subprocess.run(
        ["pdftotext", "-layout", pdf, "-"], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.split("\f")[:-1]


@pytest.mark.parametrize("view", ["", "packages/", "when/", "package/"])
def test_a_note_is_on_paper_with_the_hotspot_on_every_page(
    browser: Browser, hotspot: Hotspot, tmp_path: Path, view: str
) -> None:
    """The note as it was written, once, whatever view is printed; it stays in the browser."""
    address = f"{hotspot.url}/{view}2026-08{'?title=Bees' if view == 'package/' else ''}"
    with opened(browser, address) as (page, watch):
        settled(page)
        page.get_by_role("button", name="Export").click()
        page.get_by_label("Note on the printed page").fill(NOTE)
        page.reload()
        settled(page)
        if view != "":
            page.wait_for_selector(".package-rows td.last, .heat-cell")
        page.get_by_role("button", name="Export").click()
        expect(page.get_by_label("Note on the printed page")).to_have_value(NOTE)
        page.keyboard.press("Escape")
        pages = on_paper(page, tmp_path)
        assert watch.errors == []
    for line in NOTE.splitlines():
        assert "\n".join(pages).count(line) == 1
    for number, text in enumerate(pages, 1):
        assert f"August 2026 · {NAME}" in text
        assert re.search(rf"{number}\s?/\s?{len(pages)}", text)
        assert "Latest figures" not in text
        assert "Export" not in text


def test_an_empty_period_on_paper_leads_nowhere(
    browser: Browser, hotspot: Hotspot, tmp_path: Path
) -> None:
    """It says that nothing was counted, of which hotspot, and has no "Latest figures"."""
    with opened(browser, f"{hotspot.url}/2025-01") as (page, _):
        settled(page)
        expect(page.locator(".notice-action")).to_contain_text("Latest figures")
        [text] = on_paper(page, tmp_path)
    assert "Latest figures" not in text
    assert "January 2025" in text
    assert NAME in text
