"""CSV that no spreadsheet takes for formulas, whatever separator it is set to.

In: texts, some of which come from strangers, and numbers. Out: cells and rows (RFC 4180).

Where `;` separates, a spreadsheet sees no cell begin at our commas, so the quotes around a text do
not help: `"x;=1+1;y"` is then three cells. So whatever could begin a cell is looked at.
`static/src/export.ts` does the same on the page; `tests/csv_cells.json` holds both to it.
"""

from __future__ import annotations

import re
from typing import Final

INVISIBLE: Final = (
    "\x00-\x20\x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
)
FORMULA: Final = "=+\\-@＝＋－＠﹦﹢﹣﹫−"
"""What begins a formula; East Asian spreadsheets take the full-width and small forms too."""

_FORMULA = re.compile(f"(^|[,;|\t\r\n\"'])([{INVISIBLE}]*)(?=[{FORMULA}])")
_BLANK_BEGINNING = re.compile("[\t\r\n]")


def csv_cell(value: str | int) -> str:
    """A cell: a number as it is, a text in quotes, with `'` before what could begin a formula."""
    if isinstance(value, int):
        return str(value)
    text = _FORMULA.sub(r"\1\2'", value)
    if _BLANK_BEGINNING.match(text):
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"'


def csv_row(*values: str | int) -> str:
    """A row without its end of line."""
    return ",".join(csv_cell(value) for value in values)
