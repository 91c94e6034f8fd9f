"""Figures as CSV and .xlsx: what a program reads, and what people see in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest

from engine.report import Report
from engine.settings.choices import LANGUAGES
from engine.store.reader import Reader
from engine.store.store import Store
from tests.api.web import DAY, HOUR, NOON, Client, Hotspot, an_app, an_hour

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
EVIL = '=HYPERLINK("http://x";"y")'
BY = ("package", "hour", "day", "week", "month", "hour-of-week")


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Asks a hotspot with a package that is called like a formula, and one like a day."""
    hotspot = Hotspot(tmp_path)
    for days in (3, 2, 0):
        states = an_hour(NOON - HOUR - days * DAY)
        for title in (EVIL, "2026-06-11"):
            states[NOON - HOUR - days * DAY, 1001, title] = 900 + days
        hotspot.save(states)
    client = Client(an_app(hotspot.open_report, site_name=lambda: "École & Cie"))

    def get(query: str, **headers: str) -> Any:
        stretch = "" if "from=" in query else "from=2026-06-10&to=2026-06-15&"
        return client.get(f"/api/v1/figures?{stretch}{query}", **headers)

    yield get
    hotspot.close()


def rows_of(reply: Any, separator: str = ",") -> list[list[str]]:
    """The cells of CSV."""
    text = reply.body.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


@pytest.mark.parametrize("by", BY)
def test_csv_for_programs_has_the_fields_of_json(ask: Callable[..., Any], by: str) -> None:
    """Row by row, under the same names; a text that looks like a formula is none."""
    reply = ask(f"by={by}&format=csv")
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    name = f"offspot-metrics_Ecole-Cie_2026-06-10_2026-06-15_{by}.csv"
    assert reply.headers["content-disposition"] == f'attachment; filename="{name}"'
    head, *rows = rows_of(reply)
    expected = ask(f"by={by}").json["rows"]
    assert set(head) == set(expected[0])
    found = [dict(zip(head, row, strict=True)) for row in rows]
    for row, values in zip(found, expected, strict=True):
        texts = {name: str(value) for name, value in values.items()}
        if by == "package" and values["package"] == EVIL:
            assert row["package"] == EVIL.replace("=", "'=").replace('"h', '"h')
            del row["package"], texts["package"]
        assert row == texts


@pytest.mark.parametrize(
    ("language", "separator"), [("en", ","), ("fr", ";"), ("es", ";"), ("ar", ",")]
)
def test_csv_for_people(ask: Callable[..., Any], language: str, separator: str) -> None:
    """Hotspot and days above, hours with the mark of the language, and why a day has no figures."""
    reply = ask(f"by=day&format=csv&lang={language}")
    assert reply.body.startswith(b"\xef\xbb\xbf")
    title, days, empty, head, total, *rows = rows_of(reply, separator)
    assert title[1] == "École & Cie"
    assert days[1]  # not over yet
    assert empty == []
    assert len(head) == len(total) == 7
    decimal = "," if separator == ";" else "."
    assert total[1:4] == [str(3 * 11 + 2 * 2705), f"0{decimal}5", f"3{decimal}0"]
    assert [row[0] for row in rows] == [f"2026-06-{n}" for n in range(10, 16)]
    assert [bool(row[1]) for row in rows] == [False, True, True, False, True, False]
    assert all(row[-1] for row in rows if not row[1])
    assert len({row[-1] for row in rows}) == 5  # not yet, nothing, no figures, running, to come


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("more", ["", "&compare=before", "&package=Bees"])
def test_a_page_beyond_the_last_row_has_the_same_columns(
    ask: Callable[..., Any], by: str, more: str
) -> None:
    """For programs and for people, so that pages can be put together."""
    for form in ("csv", "csv&lang=en"):
        whole = rows_of(ask(f"by={by}{more}&format={form}"))
        beyond = rows_of(ask(f"by={by}{more}&format={form}&offset=999"))
        head = 0 if form == "csv" else whole.index([]) + 1
        assert beyond == whole[: head + (1 if form == "csv" else 2)]


@pytest.mark.parametrize("by", BY)
def test_a_time_without_figures_has_no_total(ask: Callable[..., Any], by: str) -> None:
    """Zero would say that nobody came; of a package that nobody opened, it is true."""
    beside = "from=2026-07-01&to=2026-07-02"
    for form, total in ((f"{beside}&by={by}", ""), (f"by={by}&package=Wasps", "0")):
        rows = rows_of(ask(f"{form}&format=csv&lang=en"))
        cells = rows[rows.index([]) + 2]
        assert cells[2 if "hour" in by else 1] == total


def test_hours_of_a_zone_of_half_hours(tmp_path: Path) -> None:
    """They begin at half past on the clock of the hotspot, in lists and in the week."""
    with Store.open(tmp_path / "metrics.db", ZoneInfo("Asia/Kolkata")) as store:
        store.commit(an_hour(NOON))
    client = Client(an_app(lambda: Report(Reader.open(tmp_path / "metrics.db"))))
    for by, name in (("hour", "2026-06-14"), ("hour-of-week", "Sunday")):
        for form in ("csv", "xlsx"):
            query = f"from=2026-06-14&to=2026-06-14&by={by}&format={form}&lang=en"
            reply = client.get(f"/api/v1/figures?{query}")
            if form == "csv":
                rows = rows_of(reply)
                [found] = [row for row in rows[rows.index([]) + 3 :] if row[2] == "11"]
                assert found[:2] == [name, "15:30"]
            else:
                strings = zipfile.ZipFile(io.BytesIO(reply.body)).read("xl/sharedStrings.xml")
                assert b"<t>15:30</t>" in strings


def test_csv_for_people_has_no_formulas(ask: Callable[..., Any]) -> None:
    """Neither at a comma nor at a semicolon, whatever the spreadsheet takes for the separator."""
    for language in LANGUAGES:
        text = ask(f"format=csv&lang={language}").body.decode()
        assert "'=HYPERLINK" in text
        assert not re.search(r'(^|[,;"])=', text, re.M)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("by", BY)
def test_files_for_people_are_made_in_every_language(
    ask: Callable[..., Any], by: str, language: str
) -> None:
    """No text is missing, and equal figures are equal bytes, so that a copy is not sent again."""
    for what in ("csv", "xlsx"):
        query = f"by={by}&format={what}&lang={language}&compare=before"
        reply = ask(query)
        assert reply.status == 200
        assert b"export." not in reply.body
        assert ask(query, If_None_Match=reply.headers["etag"]).status == 304


def sheet_of(content: bytes, folder: Path) -> list[list[tuple[str, str]]]:
    """The cells of a workbook as LibreOffice reads them: (type, value)."""
    path = folder / "figures.xlsx"
    path.write_bytes(content)
    command = ["soffice", "--headless", "--convert-to", "fods", "--outdir", str(folder), str(path)]
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    rows = []
    for row in ET.parse(folder / "figures.fods").iter(f"{TABLE}table-row"):  # noqa: S314
        cells = []
        for cell in row.iter(f"{TABLE}table-cell"):
            assert cell.get(f"{TABLE}formula") is None
            kind = cell.get(f"{OFFICE}value-type") or ""
            value = cell.get(f"{OFFICE}date-value") or cell.get(f"{OFFICE}value")
            text = (value if value is not None else "".join(cell.itertext())).strip()
            cells += [(kind, text)] * int(cell.get(f"{TABLE}number-columns-repeated", "1"))
        rows.append(cells)
    return rows


def test_a_workbook_opens_with_numbers_dates_and_no_formula(
    ask: Callable[..., Any], tmp_path: Path
) -> None:
    """Counts and hours are numbers, days are dates; a title of a package is a text, whatever it is
    called.
    """
    reply = ask("by=day&format=xlsx&lang=fr")
    assert reply.headers["content-type"] == XLSX
    rows = sheet_of(reply.body, tmp_path)
    assert rows[0][1] == ("string", "École & Cie")
    assert rows[4][1:3] == [("float", str(3 * 11 + 2 * 2705)), ("float", "0.5")]
    assert rows[6][:2] == [("date", "2026-06-11"), ("float", str(11 + 2 * 903))]
    rows = sheet_of(ask("format=xlsx").body, tmp_path)
    titles = {row[0] for row in rows if row}
    assert ("string", EVIL) in titles
    assert ("string", "2026-06-11") in titles


def test_json_has_no_language(ask: Callable[..., Any]) -> None:
    """A language that changes nothing would be cached once for each."""
    assert ask("lang=fr").status == 422
    assert ask("format=xlsx&lang=de").status == 422
