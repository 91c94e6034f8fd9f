"""Sums of the records for figures of any stretch: of each hour, and of each package by week.

A time in use is at most the time on, hour by hour. Weeks are of 604,800 seconds, whatever the zone.
"""

from typing import Final

STATEMENTS: Final = (
    """CREATE TABLE hour_figures (
            hour INTEGER PRIMARY KEY,
            visits INTEGER NOT NULL,
            minutes_in_use INTEGER NOT NULL,
            minutes_on INTEGER NOT NULL,
            files_created INTEGER NOT NULL,
            files_deleted INTEGER NOT NULL,
            checksum INTEGER NOT NULL
        )""",
    """CREATE TABLE package_figures (
            week INTEGER NOT NULL,
            dimension_id INTEGER NOT NULL REFERENCES dimension (id),
            visits INTEGER NOT NULL,
            minutes_in_use INTEGER NOT NULL,
            checksum INTEGER NOT NULL,
            PRIMARY KEY (week, dimension_id)
        ) WITHOUT ROWID""",
    """CREATE TEMP TABLE merged AS SELECT hour, indicator_id, dimension_id, CASE count(*)
            WHEN 1 THEN max(value)
            ELSE merged_value(
                indicator_id, group_concat(value || ':' || coalesce(minutes, ''))
            ) END AS value
        FROM record GROUP BY hour, indicator_id, dimension_id""",
    """INSERT INTO hour_figures SELECT *, checksum_of(
            hour, visits, minutes_in_use, minutes_on, files_created, files_deleted
        ) FROM (
            SELECT hour, visits, min(used, minutes_on) AS minutes_in_use, minutes_on,
                files_created, files_deleted
            FROM (
                SELECT hour,
                    sum(iif(indicator_id = 1001, value, 0)) AS visits,
                    sum(iif(indicator_id = 1005, value, 0)) AS used,
                    sum(iif(indicator_id = 1004, value, 0)) AS minutes_on,
                    sum(iif(indicator_id = 1003 AND value0 = 'FILE_CREATED', value, 0))
                        AS files_created,
                    sum(iif(indicator_id = 1003 AND value0 = 'FILE_DELETED', value, 0))
                        AS files_deleted
                FROM merged JOIN dimension ON dimension.id = dimension_id GROUP BY hour
            )
        )""",
    """INSERT INTO package_figures SELECT *, checksum_of(
            week, dimension_id, visits, minutes_in_use
        ) FROM (
            SELECT hour / 604800 * 604800 AS week, dimension_id,
                sum(iif(indicator_id = 1001, value, 0)) AS visits,
                sum(iif(indicator_id = 1006, min(value, minutes_on), 0)) AS minutes_in_use
            FROM merged JOIN hour_figures USING (hour) WHERE indicator_id IN (1001, 1006)
            GROUP BY week, dimension_id
        )""",
    "DROP TABLE merged",
    (
        "INSERT INTO meta (key, value, checksum) SELECT key, value, checksum_of(key, value) FROM ("
        "SELECT 'checksum_hour_figures' AS key, "
        "(SELECT coalesce(sum(checksum), 0) FROM hour_figures) AS value UNION ALL "
        "SELECT 'checksum_package_figures', "
        "(SELECT coalesce(sum(checksum), 0) FROM package_figures))"
    ),
)
