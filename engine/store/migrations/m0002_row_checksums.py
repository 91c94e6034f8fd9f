"""A checksum in every row, and what an import has brought for minutes."""

from typing import Final

STATEMENTS: Final = (
    "ALTER TABLE meta ADD COLUMN seal INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE dimension ADD COLUMN seal INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE state ADD COLUMN seal INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE record ADD COLUMN seal INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE period ADD COLUMN seal INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE total ADD COLUMN seal INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE generation ADD COLUMN seal INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE clock_epoch ADD COLUMN seal INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE record ADD COLUMN imported INTEGER",
    "INSERT INTO meta (key, value) VALUES ('salt', seal_salt())",
    "UPDATE meta SET seal = seal_of(key, value)",
    "UPDATE dimension SET seal = seal_of(id, value0)",
    "UPDATE state SET seal = seal_of(hour, indicator_id, dimension_id, state)",
    "UPDATE record SET seal = seal_of(hour, indicator_id, dimension_id, value, minutes, imported)",
    "UPDATE period SET seal = seal_of(agg_kind, agg_value)",
    "UPDATE total SET seal = seal_of(agg_kind, agg_value, indicator_id, dimension_id, value)",
    (
        "UPDATE generation SET seal = seal_of(id, position, anchors, name, first_at, last_at,"
        " began_at, doubt_until, doubt_after, seen, counted, unmatched, bad_time, incomplete,"
        " not_access_log, not_json, too_long)"
    ),
    "UPDATE clock_epoch SET seal = seal_of(id, boot_id, started_at, step_seconds, trusted)",
)
