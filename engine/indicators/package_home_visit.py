"""1001 PackageHomeVisit: how often the home of a package was visited in the hour."""

from __future__ import annotations

from engine.indicators.folds import COUNTS
from engine.inputs.model import Input, PackageHomeVisit

id = 1001  # noqa: A001 (the word of the field)
name = "PackageHomeVisit"
fold = COUNTS


def on(event: Input) -> tuple[str, int] | None:
    """One visit for the package's title."""
    return (event.title, 1) if isinstance(event, PackageHomeVisit) else None
