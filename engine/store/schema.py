"""The tables and their columns, as the newest migration leaves them (`engine/store/migrations`).

    meta        one row per fact about this database (zone, identity, saved packages, clock)
    dimension   what an indicator is counted by; the empty text is "nothing"
    state       running hour: the state of each indicator and dimension touched in it
    record      past hours: value, and the minute set it came from so that late lines still merge
    period      days, weeks, months and years whose totals are stored
    total       sums of the records of a stored period, from which every KPI is computed
    generation  reading positions: one row per life of a log file, known by its content
    clock_epoch stretches of steady time: a new one at each boot and at each step of the clock

Every row has a seal, a checksum of its other columns and of the database's salt (`seal.py`):
SQLite notices a broken page, but not a digit that has changed inside of one.
"""

from __future__ import annotations

from typing import Final

from engine.store import migrations

APPLICATION_ID: Final = 0x6F_66_73_6D  # "ofsm"

FATE_COLUMNS: Final = {
    "counted": "counted",
    "unmatched": "unmatched",
    "bad-time": "bad_time",
    "incomplete": "incomplete",
    "not-access-log": "not_access_log",
    "not-json": "not_json",
    "too-long": "too_long",
}
"""Fate of a line -> column of `generation`."""
FATE_SUMS: Final = (
    f"SELECT {', '.join(f'sum({column})' for column in FATE_COLUMNS.values())} FROM generation"
)
"""Lines by fate since the database was made, in the order of FATE_COLUMNS."""

SEALED: Final[dict[str, tuple[str, ...]]] = {
    "meta": ("key", "value"),
    "dimension": ("id", "value0"),
    "state": ("hour", "indicator_id", "dimension_id", "state"),
    "record": ("hour", "indicator_id", "dimension_id", "value", "minutes", "imported"),
    "period": ("agg_kind", "agg_value"),
    "total": ("agg_kind", "agg_value", "indicator_id", "dimension_id", "value"),
    "generation": (
        "id",
        "position",
        "anchors",
        "name",
        "first_at",
        "last_at",
        "began_at",
        "doubt_until",
        "doubt_after",
        "seen",
        *FATE_COLUMNS.values(),
    ),
    "clock_epoch": ("id", "boot_id", "started_at", "step_seconds", "trusted"),
}
"""Table -> the columns that its seal covers, which are all others, the parents first."""


def seal_of(table: str) -> str:
    """The seal of a row as an SQL expression over its columns."""
    return f"seal_of({', '.join(SEALED[table])})"


TIES: Final = {
    "tie_state": "SELECT coalesce(sum(seal), 0) FROM state",
    "tie_total": "SELECT coalesce(sum(seal), 0) FROM total",
    "tie_seen": "SELECT coalesce(max(seen), 0) FROM generation",
}
"""Facts that each commit writes of other tables: pages of two commits do not fit each other.

Records are tied by their totals, which are compared with them.
"""

MIGRATIONS: Final = migrations.ALL
