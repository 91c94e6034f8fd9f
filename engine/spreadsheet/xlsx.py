"""Figures as .xlsx: one sheet, with numbers as numbers, days as dates, and nothing as a formula."""

from __future__ import annotations

import io
from datetime import date, datetime

from xlsxwriter.workbook import Workbook

from engine.spreadsheet.table import Table

_OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
_MADE = datetime(2000, 1, 1)  # noqa: DTZ001 (as XlsxWriter takes it)
"""The file says nothing of when it was made, so that equal figures are equal bytes."""


def xlsx_of(table: Table, *, right_to_left: bool) -> bytes:
    """The file."""
    content = io.BytesIO()
    book = Workbook(content, _OPTIONS)
    book.set_properties({"title": " – ".join(table.about[0]), "created": _MADE})
    sheet = book.add_worksheet()
    if right_to_left:
        sheet.right_to_left()
    bold = book.add_format({"bold": True})
    header = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    formats = {
        int: book.add_format({"num_format": "#,##0"}),
        float: book.add_format({"num_format": "#,##0.0"}),
    }
    day = book.add_format({"num_format": "yyyy-mm-dd", "align": "left"})
    for number, (what, value) in enumerate(table.about):
        sheet.write_string(number, 0, what, bold)
        sheet.write_string(number, 1, value)
    top = len(table.about) + 1
    for column, name in enumerate(table.header):
        sheet.write_string(top, column, name, header)
    for number, row in enumerate([table.total, *table.rows], start=top + 1):
        for column, cell in enumerate(row):
            if isinstance(cell, str):
                sheet.write_string(number, column, cell)
            else:
                sheet.write_number(number, column, cell, formats[type(cell)])
    if table.by in ("day", "hour"):
        for number, row in enumerate(table.rows, start=top + 2):
            sheet.write_datetime(number, 0, date.fromisoformat(str(row[0])), day)
    sheet.set_column(0, 0, 32)
    sheet.set_column(1, len(table.header) - 1, 16)
    sheet.freeze_panes(top + 1, 1)
    sheet.autofilter(top, 0, top + 1 + len(table.rows), len(table.header) - 1)
    sheet.repeat_rows(top)
    sheet.set_footer(f"&L{_footer(table)}&R&P / &N")
    book.close()
    return content.getvalue()


def _footer(table: Table) -> str:
    """Whose figures of which time, on every printed page; short, and with every `&` twice."""
    text = f"{table.about[0][1][:100]} – {table.about[1][0]}"
    return text.replace("&", "&&")
