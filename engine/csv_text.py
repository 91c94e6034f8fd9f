"""CSV (RFC 4180) that no spreadsheet takes for formulas, whatever separator it is set to.

Where `;` separates, a spreadsheet sees no cell begin at our commas, so the quotes around a text do
not help: `"x;=1+1;y"` is then three cells. So whatever could begin a cell is looked at.
`static/src/export.ts` does the same on the page; `tests/csv_cells.json` holds both to it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

INVISIBLE: Final = (
    "\x00-\x20\x7f-\xa0\xad\u0300-\u036f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f"
    "\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U000e0000-\U000e0fff"
)
FORMULA: Final = "=+\\-@＝＋－＠﹦﹢﹣﹫−"
"""What begins a formula; East Asian spreadsheets take the full-width and small forms too."""

_BEFORE: Final = ",;|\t\n-\r\x1c-\x1f\x85\u2028\u2029\"'"
"""Separators, whatever ends a line somewhere, and quotes."""

_FORMULA = re.compile(f"(^|[{_BEFORE}])([{INVISIBLE}]*)(?=[{FORMULA}])")
_BLANK_BEGINNING = re.compile("[\t\r\n]")


def csv_text(rows: Iterable[Sequence[str | int]]) -> str:
    """Rows of CSV: numbers as they are, texts in quotes."""
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC).writerows(
        [value if isinstance(value, int) else without_formulas(value) for value in row]
        for row in rows
    )
    return text.getvalue()


def without_formulas(text: str) -> str:
    """A text with `'` before whatever in it could begin a formula."""
    text = _FORMULA.sub(r"\1\2'", text)
    return f"'{text}" if _BLANK_BEGINNING.match(text) else text
