"""Options that more than one command has, declared once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

INPUT = "What is read"
DATABASE = "What is kept"
COUNTING = "How it counts"
PAGE = "The dashboard"
OUTPUT = "What is printed"


class Format(StrEnum):
    """How figures are printed."""

    table = "table"
    json = "json"
    csv = "csv"


Packages = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="The hotspot's packages file (PACKAGE_CONF_FILE; default /conf/packages.yml, "
        "else /conf/packages.yaml).",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="The database, a path or sqlite:////path (DATABASE_URL; "
        "default: in the user's data folder).",
        show_default=False,
        rich_help_panel=DATABASE,
    ),
]
Timezone = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE",
        help="Zone of days, weeks, months and years, such as Africa/Bamako "
        "(TZ; default: the database's, else UTC).",
        show_default=False,
        rich_help_panel=COUNTING,
    ),
]
Logs = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Folder of the proxy's logs (REVERSE_PROXY_LOGS_LOCATION; "
        "default /reverse-proxy-logs).",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]
Pattern = Annotated[
    str | None,
    typer.Option(
        metavar="GLOB",
        help="Names of the log files (REVERSE_PROXY_LOGS_PATTERN; "
        "default caddy_access_logs*.json); NAME.gz is read too.",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]
Filebeat = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="The Filebeat program (FILEBEAT; default: beside this file, or in PATH).",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]
Output = Annotated[Format, typer.Option("--format", help="How to print.", rich_help_panel=OUTPUT)]
