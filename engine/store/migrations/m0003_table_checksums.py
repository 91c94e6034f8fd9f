"""Checksums of whole tables, so that pages of two commits are not taken for one database."""

from typing import Final

STATEMENTS: Final = (
    (
        "INSERT OR REPLACE INTO meta (key, value, seal) SELECT key, value, seal_of(key, "
        "value) FROM (SELECT 'tie_state' AS key, (SELECT coalesce(sum(seal), 0) FROM state) "
        "AS value)"
    ),
    (
        "INSERT OR REPLACE INTO meta (key, value, seal) SELECT key, value, seal_of(key, "
        "value) FROM (SELECT 'tie_total' AS key, (SELECT coalesce(sum(seal), 0) FROM total) "
        "AS value)"
    ),
    (
        "INSERT OR REPLACE INTO meta (key, value, seal) SELECT key, value, seal_of(key, "
        "value) FROM (SELECT 'tie_seen' AS key, (SELECT coalesce(max(seen), 0) FROM "
        "generation) AS value)"
    ),
)
