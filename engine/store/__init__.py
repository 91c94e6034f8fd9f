"""SQLite: the only place that imports sqlite3. States, records, totals, positions, one file."""
