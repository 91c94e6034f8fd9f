"""The tables: facts, dimensions, states, records, totals, positions, stretches of the clock."""

from typing import Final

STATEMENTS: Final = (
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
)
