"""The tables, as numbered migrations. `PRAGMA user_version` is the number of those applied.

In: nothing. Out: SQL. Each migration is a tuple of statements that run in one transaction with
the change of `user_version`; one that landed is never changed, the next one is appended.

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


_TABLES: Final = tuple(SEALED)


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

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
        "CREATE TABLE dimension (id INTEGER PRIMARY KEY, value0 TEXT NOT NULL UNIQUE)",
        "INSERT INTO dimension (id, value0) VALUES (0, '')",
        """CREATE TABLE state (
            hour INTEGER NOT NULL,
            indicator_id INTEGER NOT NULL,
            dimension_id INTEGER NOT NULL REFERENCES dimension (id),
            state INTEGER NOT NULL,
            PRIMARY KEY (hour, indicator_id, dimension_id)
        ) WITHOUT ROWID""",
        """CREATE TABLE record (
            hour INTEGER NOT NULL,
            indicator_id INTEGER NOT NULL,
            dimension_id INTEGER NOT NULL REFERENCES dimension (id),
            value INTEGER NOT NULL,
            minutes INTEGER,
            PRIMARY KEY (hour, indicator_id, dimension_id)
        ) WITHOUT ROWID""",
        """CREATE TABLE period (
            agg_kind TEXT NOT NULL CHECK (agg_kind IN ('D', 'W', 'M', 'Y')),
            agg_value TEXT NOT NULL,
            PRIMARY KEY (agg_kind, agg_value)
        ) WITHOUT ROWID""",
        """CREATE TABLE total (
            agg_kind TEXT NOT NULL,
            agg_value TEXT NOT NULL,
            indicator_id INTEGER NOT NULL,
            dimension_id INTEGER NOT NULL REFERENCES dimension (id),
            value INTEGER NOT NULL,
            PRIMARY KEY (agg_kind, agg_value, indicator_id, dimension_id),
            FOREIGN KEY (agg_kind, agg_value) REFERENCES period (agg_kind, agg_value)
                ON DELETE CASCADE
        ) WITHOUT ROWID""",
        """CREATE TABLE generation (
            id BLOB PRIMARY KEY,
            position INTEGER NOT NULL,
            anchors BLOB NOT NULL,
            name TEXT NOT NULL,
            first_at INTEGER,
            last_at INTEGER,
            began_at INTEGER,
            doubt_until INTEGER NOT NULL,
            doubt_after INTEGER NOT NULL,
            seen INTEGER NOT NULL,
            counted INTEGER NOT NULL,
            unmatched INTEGER NOT NULL,
            bad_time INTEGER NOT NULL,
            incomplete INTEGER NOT NULL,
            not_access_log INTEGER NOT NULL,
            not_json INTEGER NOT NULL,
            too_long INTEGER NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE clock_epoch (
            id INTEGER PRIMARY KEY,
            boot_id TEXT NOT NULL,
            started_at INTEGER NOT NULL,
            step_seconds INTEGER NOT NULL,
            trusted INTEGER
        )""",
    ),
    (
        *(f"ALTER TABLE {table} ADD COLUMN seal INTEGER NOT NULL DEFAULT 0" for table in _TABLES),
        # What an import has brought for minutes: the larger value holds, it has no minute set.
        "ALTER TABLE record ADD COLUMN imported INTEGER",
        "INSERT INTO meta (key, value) VALUES ('salt', seal_salt())",
        *(f"UPDATE {table} SET seal = {seal_of(table)}" for table in _TABLES),
    ),
    tuple(
        "INSERT OR REPLACE INTO meta (key, value, seal) "
        f"SELECT key, value, {seal_of('meta')} FROM (SELECT '{key}' AS key, ({sql}) AS value)"
        for key, sql in TIES.items()
    ),
)
