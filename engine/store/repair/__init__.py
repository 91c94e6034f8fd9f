"""What protects a database: checks and checksums, backups, and repair of a damaged one."""
