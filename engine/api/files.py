"""Answers that are files to be saved: figures for a spreadsheet, named for where they are from."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

from engine.api.answers import REVALIDATE, Answer, headers_of, json_answer
from engine.api.figures import FiguresRequest

CSV_TYPE: Final = "text/csv; charset=utf-8"
XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MAX_NAME = 40
"""Characters of a hotspot's name in that of a file."""


def figures_in_format(
    figures: dict[str, Any], request: FiguresRequest, hotspot: str, now: int
) -> Answer:
    """The answer in the format that was asked for."""
    if request.format == "json":
        return json_answer(figures)
    # Only who asks for a file waits for what writes it.
    from engine.spreadsheet.csv_files import csv_for_people, csv_for_programs  # noqa: PLC0415
    from engine.spreadsheet.table import table_of  # noqa: PLC0415
    from engine.usage_report.language import Language  # noqa: PLC0415

    if request.format == "csv" and request.language is None:
        return _file(csv_for_programs(figures), CSV_TYPE, _name(figures, hotspot, "csv"))
    language = Language(request.language or "en")
    table = table_of(figures, hotspot, language, now)
    if request.format == "csv":
        body = csv_for_people(table, language.decimal_mark)
        return _file(body, CSV_TYPE, _name(figures, hotspot, "csv"))
    from engine.spreadsheet.xlsx import xlsx_of  # noqa: PLC0415

    body = xlsx_of(table, right_to_left=language.direction == "rtl")
    return _file(body, XLSX_TYPE, _name(figures, hotspot, "xlsx"))


def _file(body: bytes, content_type: str, name: str) -> Answer:
    saved = ("Content-Disposition", f'attachment; filename="{name}"')
    return Answer(200, [*headers_of(content_type, REVALIDATE), saved], body, tagged=True)


def _name(figures: dict[str, Any], hotspot: str, extension: str) -> str:
    """ASCII only: some phones lose other names."""
    parts = ["offspot-metrics", _ascii(hotspot), _ascii(figures["package"] or "")]
    parts += [figures["from"], figures["to"], figures["by"]]
    return f"{'_'.join(part for part in parts if part)}.{extension}"


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:_MAX_NAME]
