"""What a setting may be, where that is one of a few words."""

from enum import StrEnum
from typing import Final

SOURCES: Final = ("filebeat", "tail")
"""What reads the logs, the preferred one first: each is a package of `engine.sources`."""
READERS: Final = ("auto", *SOURCES)
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_FORMATS: Final = ("text", "json")
PROBES: Final = ("live", "ready")
LANGUAGES: Final = ("en", "fr", "es", "ar")
PERIODS: Final = ("today", "yesterday", "this-week", "this-month", "this-year")


class FiguresFormat(StrEnum):
    """How figures are printed."""

    table = "table"
    json = "json"
    csv = "csv"


class FindingsFormat(StrEnum):
    """How the findings of `doctor` are printed."""

    table = "table"
    json = "json"


class RecordsFormat(StrEnum):
    """How hourly records are printed."""

    table = "table"
    csv = "csv"
    ndjson = "ndjson"
    json = "json"
