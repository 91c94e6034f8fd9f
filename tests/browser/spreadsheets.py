"""Exports for people, read back: cells of CSV and of .xlsx."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

from playwright.sync_api import Locator, Page

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
Cell = str | float


def downloaded(page: Page, link: Locator) -> tuple[str, bytes]:
    """Name and content of the file that a link saves."""
    with page.expect_download() as started:
        link.click()
    download = started.value
    return download.suggested_filename, Path(download.path()).read_bytes()


def cells_of_csv(content: bytes, separator: str) -> list[list[str]]:
    """The rows of a CSV file with the mark that spreadsheets need."""
    assert content.startswith(b"\xef\xbb\xbf")
    text = io.StringIO(content.decode("utf-8-sig"), newline="")
    return list(csv.reader(text, delimiter=separator))


def cells_of_xlsx(content: bytes) -> list[list[Cell]]:
    """The rows of the first sheet of a workbook, read as XML: texts and numbers, no formula."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        texts = [
            "".join(part.text or "" for part in item.iter(f"{SHEET}t"))
            for item in ET.fromstring(book.read("xl/sharedStrings.xml")).iter(f"{SHEET}si")  # noqa: S314
        ]
        sheet = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314
    assert sheet.find(f".//{SHEET}f") is None
    rows: list[list[Cell]] = []
    for row in sheet.iter(f"{SHEET}row"):
        rows += [[] for _ in range(int(row.get("r", "0")) - 1 - len(rows))]  # empty rows
        cells: list[Cell] = []
        for cell in row.iter(f"{SHEET}c"):
            cells += [""] * (_column(cell.get("r", "A")) - len(cells))
            value = float(cell.findtext(f"{SHEET}v") or 0)
            cells.append(texts[int(value)] if cell.get("t") == "s" else value)
        rows.append(cells)
    return rows


def _column(name: str) -> int:
    """The number of a column, from 0: of `AB12` 27."""
    number = 0
    for letter in re.sub(r"\d", "", name):
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1
