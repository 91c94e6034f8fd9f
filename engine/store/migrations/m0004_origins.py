"""Which counting a record is of: this hotspot's, an import's, or one under an unconfirmed clock.

Nothing has written the column `imported`, which goes: records that have it all the same get an
origin of their own. Tables and columns get the names that the code has for them.
"""

from typing import Final

STATEMENTS: Final = (
    """CREATE TABLE origin (
            id INTEGER PRIMARY KEY,
            source TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('counted', 'imported')),
            clock_epoch_id INTEGER REFERENCES clock_epoch (id),
            offset_seconds INTEGER NOT NULL DEFAULT 0,
            checksum INTEGER NOT NULL
        )""",
    (
        "INSERT INTO origin (id, source, kind, checksum) "
        "SELECT 1, source, 'counted', checksum_of(1, source, 'counted', NULL, 0) "
        "FROM (SELECT coalesce((SELECT value FROM meta WHERE key = 'site_id'), '') AS source)"
    ),
    (
        "INSERT INTO origin (id, source, kind, checksum) "
        "SELECT 2, '', 'imported', checksum_of(2, '', 'imported', NULL, 0) "
        "WHERE EXISTS (SELECT 1 FROM record WHERE imported IS NOT NULL)"
    ),
    """CREATE TABLE new_state (
            hour INTEGER NOT NULL,
            indicator_id INTEGER NOT NULL,
            dimension_id INTEGER NOT NULL REFERENCES dimension (id),
            origin_id INTEGER NOT NULL REFERENCES origin (id),
            state INTEGER NOT NULL,
            checksum INTEGER NOT NULL,
            PRIMARY KEY (hour, indicator_id, dimension_id, origin_id)
        ) WITHOUT ROWID""",
    (
        "INSERT INTO new_state SELECT hour, indicator_id, dimension_id, 1, state, "
        "checksum_of(hour, indicator_id, dimension_id, 1, state) FROM state"
    ),
    "DROP TABLE state",
    "ALTER TABLE new_state RENAME TO state",
    """CREATE TABLE new_record (
            hour INTEGER NOT NULL,
            indicator_id INTEGER NOT NULL,
            dimension_id INTEGER NOT NULL REFERENCES dimension (id),
            origin_id INTEGER NOT NULL REFERENCES origin (id),
            value INTEGER NOT NULL,
            minutes INTEGER,
            checksum INTEGER NOT NULL,
            PRIMARY KEY (hour, indicator_id, dimension_id, origin_id)
        ) WITHOUT ROWID""",
    (
        "INSERT INTO new_record SELECT hour, indicator_id, dimension_id, 1, value, minutes, "
        "checksum_of(hour, indicator_id, dimension_id, 1, value, minutes) FROM record "
        "WHERE minutes IS NOT NULL OR imported IS NULL"
    ),
    (
        "INSERT INTO new_record SELECT hour, indicator_id, dimension_id, 2, imported, NULL, "
        "checksum_of(hour, indicator_id, dimension_id, 2, imported, NULL) FROM record "
        "WHERE imported IS NOT NULL"
    ),
    "DROP TABLE record",
    "ALTER TABLE new_record RENAME TO record",
    "ALTER TABLE meta RENAME COLUMN seal TO checksum",
    "ALTER TABLE dimension RENAME COLUMN seal TO checksum",
    "ALTER TABLE period RENAME COLUMN seal TO checksum",
    "ALTER TABLE total RENAME COLUMN seal TO checksum",
    "ALTER TABLE clock_epoch RENAME COLUMN seal TO checksum",
    "ALTER TABLE generation RENAME COLUMN seal TO checksum",
    "ALTER TABLE generation RENAME COLUMN doubt_until TO ambiguous_until",
    "ALTER TABLE generation RENAME COLUMN doubt_after TO ambiguous_after",
    "ALTER TABLE generation RENAME COLUMN seen TO commit_number",
    "ALTER TABLE generation RENAME TO log_file",
    "ALTER TABLE period ADD COLUMN whole INTEGER NOT NULL DEFAULT 0",
    "UPDATE period SET checksum = checksum_of(agg_kind, agg_value, whole)",
    "DELETE FROM meta WHERE key IN ('tie_state', 'tie_total', 'tie_seen')",
    (
        "INSERT INTO meta (key, value, checksum) SELECT key, value, checksum_of(key, value) FROM ("
        "SELECT 'checksum_state' AS key, (SELECT coalesce(sum(checksum), 0) FROM state) AS value "
        "UNION ALL "
        "SELECT 'checksum_total', (SELECT coalesce(sum(checksum), 0) FROM total) UNION ALL "
        "SELECT 'newest_move', (SELECT coalesce(max(commit_number), 0) FROM log_file))"
    ),
)
