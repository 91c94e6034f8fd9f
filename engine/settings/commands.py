"""The commands of the program, and the settings that each has an option for."""

from typing import Final

COMMANDS: Final = {
    "serve": (
        *("packages", "logs", "pattern", "reader", "filebeat", "database", "timezone"),
        *("host", "port", "site"),
    ),
    "demo": ("recorded", "packages", "seed", "weeks", "timezone", "host", "port", "site"),
    "replay": (
        *("logfiles", "packages", "merge_into", "allow_overlap", "timezone", "idle_gap", "jobs"),
        *("figures_format", "quiet"),
    ),
    "kpis": ("period", "figures_format", "database", "timezone"),
    "records": ("period", "records_format", "database", "timezone"),
    "report": (*("period", "output", "language", "site", "note", "logo", "database", "timezone"),),
    "backup": ("target", "database"),
    "restore": ("source", "database"),
    "import": ("upstream", "database", "timezone", "findings_format", "quiet"),
    "doctor": (
        *("packages", "logs", "pattern", "filebeat", "lines", "database", "timezone"),
        "findings_format",
    ),
    "healthcheck": ("probe", "host", "port"),
    "config show": (
        *("packages", "logs", "pattern", "reader", "filebeat", "database", "timezone"),
        *("host", "port", "site", "findings_format"),
    ),
}
"""The settings that each command has an option for, in the order of its help."""
