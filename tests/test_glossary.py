"""The glossary of docs/dashboard.md: one name for one thing, on the page and in the terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from engine import kpis
from engine.kpis.model import NO_DATA

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = ("en", "fr", "es", "ar")
ROW = re.compile(r"^\| `([\w.-]+)` \| (.+) \|$", re.MULTILINE)


def glossary() -> dict[str, dict[str, str]]:
    """Key of a text -> language -> name."""
    text = (ROOT / "docs/dashboard.md").read_text("utf-8").partition("\n## Words\n")[2]
    rows = ROW.findall(text.partition("\n## ")[0])
    return {key: dict(zip(LANGUAGES, cells.split(" | "), strict=True)) for key, cells in rows}


NAMES = glossary()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_has_the_names_of_the_glossary(lang: str) -> None:
    """Each text is the name that the table gives, and no two things share one."""
    texts = json.loads((ROOT / f"static/src/i18n/{lang}.json").read_text("utf-8"))
    names = {key: names[lang] for key, names in NAMES.items()}
    assert len(names) > 10
    assert {key: texts[key] for key in names} == names
    assert len(set(names.values())) == len(names)


def test_the_terminal_has_the_names_of_the_glossary() -> None:
    """The figures of a period, and the columns of its top tens."""
    known = {names["en"] for names in NAMES.values()}
    values = [(kpi, kpi.compute(NO_DATA)) for kpi in kpis.ALL]
    assert {name for kpi, value in values for name, _ in kpi.lines(value)} <= known
    tables = [table for kpi, value in values if (table := kpi.top_table(value))]
    assert tables
    assert {table.figure for table in tables} <= known
