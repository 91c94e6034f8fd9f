"""The schema's history: each migration a file of literal statements, in the order of `ALL`.

A migration that has landed is never changed, as databases made by it are out there: the next
change is the next file. The statements of one file run in one transaction with the change of
`PRAGMA user_version`, which is the number of migrations that have been applied. They may use the
SQL functions of `engine/store/seal.py`.
"""

from __future__ import annotations

from typing import Final

from engine.store.migrations import (
    m0001_tables,
    m0002_row_checksums,
    m0003_table_checksums,
)

ALL: Final[tuple[tuple[str, ...], ...]] = (
    m0001_tables.STATEMENTS,
    m0002_row_checksums.STATEMENTS,
    m0003_table_checksums.STATEMENTS,
)
