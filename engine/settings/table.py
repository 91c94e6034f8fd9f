"""The table of settings: each is a field of `Config`, with its default and the texts about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from engine.settings import choices, values
from engine.settings.model import Setting, argument, logs_argument, setting

if TYPE_CHECKING:
    from engine.settings.values import Network

INPUT: Final = "What is read"
DATABASE: Final = "What is kept"
COUNTING: Final = "How it counts"
PAGE: Final = "The dashboard"
DEMO: Final = "What is made up"
OUTPUT: Final = "What is printed"


@dataclass(frozen=True, kw_only=True, eq=False)
class Config:
    """What a command runs with."""

    logfiles: list[str] = logs_argument("Logs, plain or .gz; - for standard input.")
    recorded: list[str] = logs_argument(
        "Logs of a hotspot to show instead of a made-up school, plain or .gz.", is_optional=True
    )
    target: str = argument("The backup to write; - for standard output.")
    source: str = argument("The backup to restore.")
    upstream: str = argument("The database of offspot/metrics, such as database.db.")
    packages: Path = setting(
        default=values.PACKAGES_PATHS[0],
        variable="PACKAGE_CONF_FILE",
        find=values.find_packages,
        read=values.read_path,
        group=INPUT,
        metavar="FILE",
        help="The hotspot's packages file ({source}).",
        default_text="`/conf/packages.yml`, else `/conf/packages.yaml`",
        manual="what the hotspot offers: the dashboard's own file",
    )
    logs: Path = setting(
        default=Path("/reverse-proxy-logs"),
        variable="REVERSE_PROXY_LOGS_LOCATION",
        read=values.read_path,
        group=INPUT,
        metavar="DIR",
        help="Folder of the proxy's logs ({source}).",
        manual="the folder that Caddy logs to",
    )
    pattern: str = setting(
        default="caddy_access_logs*.json",
        variable="REVERSE_PROXY_LOGS_PATTERN",
        read=values.read_pattern,
        group=INPUT,
        metavar="GLOB",
        help="Names of the log files ({source}); NAME.gz is read too.",
        manual="names of the logs in it ([how it is read](#the-pattern)); rolls that gzip has "
        "compressed are read too, with `.gz` behind the name or not",
    )
    database: Path = setting(
        default=Path("metrics.db"),
        variable="DATABASE_URL",
        find=values.find_database,
        read=values.read_database,
        group=DATABASE,
        metavar="FILE",
        help="The database, a path or sqlite:////path ({source}).",
        default_text="in the user's data folder",
        manual="a path, `sqlite:////path` or `sqlite+pysqlite:////path`; when not set, "
        "`offspot-metrics/metrics.db` in `$XDG_DATA_HOME`, else in `~/.local/share`",
    )
    merge_into: Path | None = setting(
        default=None,
        read=values.read_database,
        option="--database",
        group=DATABASE,
        metavar="FILE",
        help="Merge the lines into this database, each line once (without: store nothing).",
    )
    allow_overlap: bool = setting(
        default=False,
        group=DATABASE,
        help="Also count a file whose time is already counted (the log of another proxy).",
    )
    timezone: ZoneInfo | None = setting(
        default=None,
        variable="TZ",
        read=values.read_timezone,
        group=COUNTING,
        metavar="ZONE",
        help="Zone of days, weeks, months and years, such as Africa/Bamako ({source}).",
        default_text="the database's, else UTC",
        manual="IANA name of the zone of days, weeks, months and years",
    )
    reader: str = setting(
        default="auto",
        variable="READER",
        read=values.one_of(choices.READERS),
        group=INPUT,
        metavar="|".join(choices.READERS),
        words=choices.READERS,
        help="What reads the logs: Filebeat, the built-in reader, or Filebeat if it is found "
        "({source}).",
        manual="*ours*: `filebeat`, `tail` (built in), or `auto`: Filebeat if it is found",
    )
    filebeat: str = setting(
        default="",
        variable="FILEBEAT",
        read=str,
        group=INPUT,
        metavar="FILE",
        help="The Filebeat program ({source}).",
        default_text="next to this program, or in `PATH`",
        manual="*ours*: the Filebeat program",
    )
    lines: int = setting(
        default=10,
        group=INPUT,
        metavar="N",
        lowest=0,
        highest=10_000,
        help="How many of the newest log lines to explain.",
    )
    idle_gap: int = setting(
        default=10,
        group=COUNTING,
        unit="minutes",
        lowest=0,
        highest=1440,
        help="The longest silence that counts as uptime (without --database only; {source}).",
    )
    jobs: int = setting(
        default=0,
        group=COUNTING,
        metavar="N",
        lowest=0,
        highest=64,
        help="Processes to count with; 0: one per core.",
    )
    seed: int = setting(default=1, group=DEMO, metavar="N", help="Another school for another N.")
    weeks: int = setting(
        default=6, group=DEMO, metavar="N", lowest=0, highest=52, help="Weeks before today."
    )
    host: str = setting(
        default="127.0.0.1",
        variable="HOST",
        read=values.read_listening_host,
        group=PAGE,
        metavar="ADDRESS",
        help="Address to listen on ({source}; 0.0.0.0: all).",
        manual="address to listen on; `0.0.0.0` is all",
    )
    port: int = setting(
        default=8000,
        variable="PORT",
        read=values.read_port,
        group=PAGE,
        metavar="N",
        help="Port to listen on ({source}; 0: a free one).",
        manual="port to listen on; `0` picks a free one and prints it",
    )
    site: str = setting(
        default="",
        variable="SITE_NAME",
        read=values.read_name,
        group=PAGE,
        metavar="NAME",
        help="Name of the hotspot on the page ({source}).",
        default_text="the packages file's",
        manual="*ours*: name of the hotspot on the page and in exports; when not set, "
        "`metadata.name` of the packages file",
    )
    period: str = setting(
        default="today",
        group=OUTPUT,
        metavar="P",
        words=choices.PERIODS,
        help="2026-06-14, 2026-W24, 2026-06, 2026, today, yesterday, this-week, this-month or "
        "this-year.",
    )
    figures_format: choices.FiguresFormat = setting(
        default=choices.FiguresFormat.table, option="--format", group=OUTPUT, help="How to print."
    )
    records_format: choices.RecordsFormat = setting(
        default=choices.RecordsFormat.table, option="--format", group=OUTPUT, help="How to print."
    )
    findings_format: choices.FindingsFormat = setting(
        default=choices.FindingsFormat.table, option="--format", group=OUTPUT, help="How to print."
    )
    output: str = setting(
        default="-",
        short="-o",
        group=OUTPUT,
        metavar="FILE",
        help="The file to write; - for standard output.",
    )
    language: str | None = setting(
        default=None,
        option="--lang",
        read=values.one_of(choices.LANGUAGES),
        group=OUTPUT,
        metavar="|".join(choices.LANGUAGES),
        words=choices.LANGUAGES,
        help="Language of the report (default: that of the environment, else en).",
    )
    note: str = setting(
        default="", read=values.read_note, group=OUTPUT, metavar="TEXT", help="A text for its top."
    )
    logo: str | None = setting(
        default=None, group=OUTPUT, metavar="FILE", help="An image for its top, at most 1 MiB."
    )
    probe: str = setting(
        default="live",
        read=values.one_of(choices.PROBES),
        group=OUTPUT,
        metavar="|".join(choices.PROBES),
        words=choices.PROBES,
        help="What to check: live (if not, a restart would help), or ready (default live).",
    )
    quiet: bool = setting(
        default=False, short="-q", group=OUTPUT, help="No progress bar, no speed."
    )
    processing: bool = setting(
        default=True,
        variable="PROCESSING_DISABLED",
        read=values.read_processing,
        default_text="`false`",
        manual="`true` (in any case): show stored figures, in the zone of `--timezone` if one is "
        "given, and count nothing (`/health` reports "
        "what is wrong with the database); any other value: count",
    )
    allowed_origins: frozenset[str] = setting(
        default=frozenset(),
        variable="ALLOWED_ORIGINS",
        read=values.read_origins,
        default_text="none",
        manual="origins of other pages that may use the API, separated by `|`, commas or spaces: "
        "`http://metrics.box|http://lib.box`; `*` is any",
    )
    allowed_hosts: frozenset[str] = setting(
        default=frozenset(),
        variable="ALLOWED_HOSTS",
        read=values.read_hosts,
        default_text="none",
        manual="*ours*: more names under which visitors reach the dashboard, separated by `|`, "
        "commas or spaces. A scheme and a port are ignored; a name in Unicode is its "
        "`xn--` form. [Which names are always accepted](api.md#names-and-other-pages)",
    )
    trusted_proxies: "tuple[Network, ...] | None" = setting(
        default=None,
        variable="TRUSTED_PROXIES",
        read=values.read_networks,
        default_text="loopback and the gateway",
        manual="*ours*: addresses or networks of proxies that serve many visitors, so that "
        "their connections are not limited per address; `none` for no proxies",
    )
    ui_location: Path | None = setting(
        default=None,
        variable="UI_LOCATION",
        read=values.read_folder,
        default_text="the built-in dashboard",
        manual="a folder with a custom dashboard",
    )
    log_level: str = setting(
        default="INFO",
        variable="LOG_LEVEL",
        read=values.one_of(choices.LOG_LEVELS, values.LOG_LEVEL_ALIASES),
        manual="`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`: how much `serve` logs on "
        "standard error. `WARN`, `FATAL` and `NOTSET` (everything) are accepted too",
    )
    log_format: str = setting(
        default="text",
        variable="LOG_FORMAT",
        read=values.one_of(choices.LOG_FORMATS),
        manual="*ours*: `text`, or `json`: what `serve` logs on standard error is "
        "[one JSON object per line](#the-log)",
    )
    retention_years: int = setting(
        default=2,
        variable="RETENTION_YEARS",
        read=values.read_years,
        manual="*ours*: for how many calendar years hourly records are kept, 1 to 100; 1 is the "
        "current year only, 2 the current and the previous one. "
        "[What is kept longer](#how-long-records-are-kept)",
    )
    older_database: Path | None = None
    """The database of the older system that the setting names; `database` is ours next to it."""
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Option or variable that each setting comes from; a default is not in it."""


SETTINGS: Final = {
    one.name: Setting(name=one.name, type=one.type, default=one.default, **one.metadata)
    for one in fields(Config)
    if one.metadata
}
