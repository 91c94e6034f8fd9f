"""A week's records in a spreadsheet: LibreOffice opens the CSV, and every cell is right."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.cli.cases import invoke
from tests.support.week import SAMPLES, week_files

LANDED = Path(__file__).resolve().parents[1] / "store/databases/schema-5.db"
"""One of its packages is called =1+1."""
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
LANGUAGES = {"en": 1033, "fr": 1036, "de": 1031, "ar": 1025}
NUMBERS = {"indicator_id", "value", "minutes"}
"""Minutes of which there is one only are a number too."""


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the recorded week."""
    database = tmp_path_factory.mktemp("week") / "metrics.db"
    options = ["--packages", SAMPLES / "packages.yml", "--database", database]
    zone = ["--timezone", "Africa/Nairobi"]
    assert invoke("replay", "-q", *options, *zone, *week_files()).code == 0
    return database


def opened(text: str, language: str, folder: Path) -> Iterator[list[tuple[str, str]]]:
    """The rows that a spreadsheet makes of CSV: type and text of each cell.

    With its recognition of dates and other special numbers, which people may have switched on.
    """
    path = folder / "records.csv"
    path.write_bytes(text.encode())
    command = [
        *("soffice", "--headless", "--convert-to", "fods", "--outdir", str(folder)),
        f"--infilter=CSV:44,34,76,1,,{LANGUAGES[language]},false,true",
        str(path),
    ]
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    sheet = ET.parse(folder / "records.fods")  # noqa: S314 (LibreOffice has just written it)
    for row in sheet.iter(f"{TABLE}table-row"):
        yield [cell for found in row.iter(f"{TABLE}table-cell") for cell in _cells(found)]


def _cells(found: ET.Element) -> list[tuple[str, str]]:
    assert found.get(f"{TABLE}formula") is None
    kind = found.get(f"{OFFICE}value-type") or "empty"
    text = "".join(found.itertext()).strip()
    value = found.get(f"{OFFICE}value") or found.get(f"{OFFICE}boolean-value") or text
    return [(kind, value)] * int(found.get(f"{TABLE}number-columns-repeated", "1"))


def expected(name: str, text: str, language: str) -> tuple[str, str]:
    """Type and text of a cell; only where `true` is a word of the language is it a truth value."""
    if not text:
        return "empty", ""
    if name in NUMBERS and text.isdigit():
        return "float", text
    return ("boolean" if name == "clock_trusted" and language == "en" else "string"), text


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_week_of_records(week: Path, tmp_path: Path, language: str) -> None:
    """Numbers are numbers, instants and lists of minutes stay as they are, nothing is a date."""
    result = invoke("records", "--database", week, "--period", "2026-W24", "--format", "csv")
    rows = list(csv.reader(io.StringIO(result.out, newline="")))
    assert len(rows) > 500
    found = opened(result.out, language, tmp_path)
    assert [text for _, text in next(found)] == rows[0]
    for cells, row in zip(found, rows[1:], strict=True):
        assert cells == [expected(*pair, language) for pair in zip(rows[0], row, strict=True)]


@pytest.mark.full
@pytest.mark.timeout(300)
def test_a_title_is_no_formula(tmp_path: Path) -> None:
    """It is shown with the apostrophe that keeps it from being one."""
    database = shutil.copy2(LANDED, tmp_path / "landed.db")
    result = invoke("records", "--database", database, "--period", "2026", "--format", "csv")
    titles = {cells[4] for cells in opened(result.out, "en", tmp_path)}
    assert ("string", "'=1+1") in titles


@pytest.mark.full
@pytest.mark.timeout(300)
def test_figures_of_a_week(week: Path, tmp_path: Path) -> None:
    """What `kpis` prints: labels are no dates, every value is a number."""
    result = invoke("kpis", "--database", week, "--period", "2026-W24", "--format", "csv")
    header, *rows = opened(result.out, "en", tmp_path)
    assert [text for _, text in header][-1] == "value"
    assert {cells[1] for cells in rows} == {("string", "2026 W24")}
    assert {cells[-1][0] for cells in rows} == {"float"}
