"""2005 SharedFiles: files that visitors created and deleted."""

from __future__ import annotations

from typing import Any

from engine.indicators import shared_files_operations
from engine.inputs.model import FILE_CREATED, FILE_DELETED
from engine.kpis.model import Totals

id = 2005  # noqa: A001 (the word of the field)
name = "SharedFiles"


def compute(totals: Totals) -> dict[str, Any]:
    """`{"filesCreated", "filesDeleted"}`."""
    operations = totals.get(shared_files_operations.id, {})
    return {
        "filesCreated": operations.get(FILE_CREATED, 0),
        "filesDeleted": operations.get(FILE_DELETED, 0),
    }


def metrics(value: dict[str, Any]) -> list[tuple[str, str, int]]:
    """One row each."""
    return [("", metric, value[metric]) for metric in ("filesCreated", "filesDeleted")]
