"""1003 SharedFilesOperations: how many files visitors created and deleted in the hour."""

from __future__ import annotations

from engine.indicators.folds import COUNTS
from engine.inputs.model import FilesShared, Input

id = 1003  # noqa: A001 (the word of the field)
name = "SharedFilesOperations"
fold = COUNTS


def on(event: Input) -> tuple[str, int] | None:
    """The number of files for FILE_CREATED or FILE_DELETED."""
    return (event.operation, event.count) if isinstance(event, FilesShared) else None
