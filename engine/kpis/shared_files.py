"""2005 SharedFiles: files that visitors created and deleted."""

from __future__ import annotations

from engine.indicators import shared_files_operations
from engine.inputs.model import FILE_CREATED, FILE_DELETED
from engine.kpis.model import COUNT, COUNT_SCHEMA, Json, Row, Summary, object_schema

id = 2005  # noqa: A001 (the word of the field)
name = "SharedFiles"
title = "shared files"
unit = COUNT
compatible = True
adds_up = False
schema = object_schema(
    {"filesCreated": COUNT_SCHEMA, "filesDeleted": COUNT_SCHEMA},
    description="KPI 2005. Files put on the hotspot by its visitors, and removed.",
)


def compute(period: Summary) -> Json:
    """`{"filesCreated", "filesDeleted"}`."""
    operations = period.sums_of(shared_files_operations)
    return {
        "filesCreated": operations.get(FILE_CREATED, 0),
        "filesDeleted": operations.get(FILE_DELETED, 0),
    }


def headline(value: Json) -> dict[str, int]:
    """All of it."""
    return value


def others(_period: Summary) -> dict[str, int]:
    """Nothing: it is of no packages."""
    return {}


def rows(value: Json) -> list[Row]:
    """One row each."""
    return [Row("", metric, n) for metric, n in value.items()]


def lines(value: Json) -> list[tuple[str, str]]:
    """Both in one line."""
    created, deleted = unit.text(value["filesCreated"]), unit.text(value["filesDeleted"])
    return [("Shared files", f"{created} added, {deleted} removed")]


def top_table(_value: Json) -> None:
    """None: it is of no packages."""
