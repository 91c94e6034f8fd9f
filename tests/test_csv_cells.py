"""CSV cells: one table of cases for the command line, the API and the page (`export.test.ts`)."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.csv_text import csv_text
from tests.cli.cases import invoke, visits, write

CASES = json.loads(Path(__file__).with_name("csv_cells.json").read_text(encoding="utf-8"))
STARTS = "=+-@"
DANGEROUS = st.text(st.sampled_from("=+-@＝－;,\t|\n\r\"' \u00a0\u200bab1"), max_size=12)


@pytest.mark.parametrize("case", CASES, ids=[ascii(case["title"]) for case in CASES])
def test_cells_are_as_in_the_table(case: dict[str, str]) -> None:
    """S31: quoted, and with an apostrophe wherever a cell could begin with a formula."""
    assert csv_text([(case["title"],)]) == case["written"] + "\r\n"


def test_numbers_are_plain() -> None:
    """A number is a number in the spreadsheet, also below zero."""
    assert csv_text([("a", 5, -1)]) == '"a",5,-1\r\n'


def cells_of(line: str, separator: str) -> list[str]:
    """The cells that a program may see: with quotes as RFC 4180 has them, and without."""
    quoted = csv.reader(io.StringIO(line, newline=""), delimiter=separator, strict=False)
    plain = re.split(rf"[{re.escape(separator)}\r\n]", line)
    return [*(cell for row in quoted for cell in row), *plain]


def is_formula(cell: str) -> bool:
    """Whether a cell begins like a formula, without what cannot be seen before it."""
    shown = "".join(c for c in cell if unicodedata.category(c) not in ("Zs", "Cc", "Cf"))
    first = unicodedata.normalize("NFKC", shown.lstrip('"')[:1])
    return first != "" and first in STARTS


@given(DANGEROUS | st.text(max_size=12))
@example("x;=1+1;y")
@example('x";=1')
def test_no_separator_makes_a_formula(title: str) -> None:
    """S31: whichever separator a spreadsheet is set to, and whether or not it minds quotes."""
    line = csv_text([("D", "2026-06-10", 2001, "PackagePopularity", title, "visits", 32)])
    for separator in ",;\t|":
        assert [cell for cell in cells_of(line, separator) if is_formula(cell)] == []


@given(st.text(st.characters(codec="utf-8", exclude_characters="=+-@＝＋－＠﹦﹢﹣﹫−\r\n\t")))
def test_what_is_harmless_is_unchanged(title: str) -> None:
    """A program that reads CSV gets the title as it is in the packages file."""
    [[_, found]] = csv.reader(io.StringIO(csv_text([("x", title)]), newline=""))
    assert found == title


def test_the_command_line_writes_them(tmp_path: Path) -> None:
    """`replay --format csv` of a package with such a title."""
    text = 'packages: [{kind: zim, title: "x;=1+1;y", url: "//lib.box/viewer#bees_en"}]'
    packages, log = write(tmp_path, packages__yml=text, log__json=visits(600, 1))
    done = invoke("replay", "-q", "--format", "csv", "--packages", packages, log)
    assert '"D","2026-06-14",2001,"PackagePopularity","x;\'=1+1;y","visits",1\r\n' in done.out
    assert done.out.startswith("agg_kind,agg_value,kpi_id,kpi,package,metric,value\r\n")
