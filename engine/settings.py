"""One frozen configuration, from options and the environment, checked before anything starts.

In: options (None: not given) and the environment. Out: a `Config`, or one error that reports
every problem. It must not open or make anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from engine.errors import ConfigError, MetricsError, UsageError
from engine.hosts import read_address
from engine.patterns import BadPattern, read_pattern
from engine.times import load_zone

PACKAGES_PATHS: Final = ("/conf/packages.yml", "/conf/packages.yaml")
LOGS: Final = "/reverse-proxy-logs"
PATTERN: Final = "caddy_access_logs*.json"
HOST: Final = "127.0.0.1"
PORT: Final = 8000
READERS: Final = ("auto", "filebeat", "tail")
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_LEVEL_ALIASES: Final = {"WARN": "WARNING", "FATAL": "CRITICAL", "NOTSET": "DEBUG"}
"""Names of the logging module that offspot/metrics takes too."""
MAX_DATABASE_NAME_BYTES: Final = 200
"""Names have 255 at most, and beside the database are its log, lock, backups and drafts of them."""
ANY_ORIGIN: Final = "*"
IDLE_GAP_MINUTES: Final = 10
"""In `replay`: the longest silence in which the offspot is taken to have been on."""


Network = IPv4Network | IPv6Network

_SEPARATORS: Final = re.compile(r"[\s,|]+")
"""Between hosts, origins and addresses: none of them can have one of these inside."""
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


@dataclass(frozen=True)
class Config:
    """What a command runs with. `zone` None: the one of the database, else UTC."""

    packages: Path = Path(PACKAGES_PATHS[0])
    database: Path = Path("metrics.db")
    zone: ZoneInfo | None = None
    logs: Path = Path(LOGS)
    pattern: str = PATTERN
    reader: str = "auto"
    filebeat: str = ""
    host: str = HOST
    port: int = PORT
    site: str = ""
    processing: bool = True
    allowed_origins: frozenset[str] = frozenset()
    """As browsers send them; `*` is any."""
    allowed_hosts: frozenset[str] = frozenset()
    """Names in their `xn--` form, without a port; those of `allowed_origins` are not repeated."""
    trusted_proxies: tuple[Network, ...] | None = None
    """None: loopback and the gateway."""
    ui_location: Path | None = None
    log_level: str = "INFO"


@dataclass
class _Reader:
    """Reads values one by one and collects what is wrong with them."""

    options: Mapping[str, Any]
    environment: Mapping[str, str]
    problems: list[str] = field(default_factory=list)
    usage_only: bool = True

    def text(self, option: str, variable: str, default: str) -> tuple[str, str]:
        """A value and where it comes from."""
        given = self.options.get(option)
        if given is not None:
            return str(given), f"--{option.replace('_', '-')}"
        if self.environment.get(variable, "").strip():
            return self.environment[variable].strip(), variable
        return default, ""

    def problem(self, source: str, text: str) -> None:
        self.usage_only = self.usage_only and source.startswith("--")
        self.problems.append(f"{source}: {text}" if source else text)


def make_config(options: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Config:
    """Option, else environment, else default.

    Raises UsageError when only options are wrong, ConfigError otherwise; the message has one
    problem per line.
    """
    values = _Reader(options, os.environ if environment is None else environment)
    config = Config(
        packages=_packages(values),
        database=_database(values),
        zone=_zone(values),
        logs=_path(values.text("logs", "REVERSE_PROXY_LOGS_LOCATION", LOGS)[0]),
        pattern=_pattern(values),
        reader=_choice(values, "reader", "READER", "auto", READERS),
        filebeat=values.text("filebeat", "FILEBEAT", "")[0],
        host=values.text("host", "HOST", HOST)[0],
        port=_port(values),
        site=values.text("site", "SITE_NAME", "")[0],
        # As offspot/metrics reads it: whatever is not `true` leaves counting on.
        processing=values.text("", "PROCESSING_DISABLED", "")[0].lower() != "true",
        allowed_origins=frozenset(_origins(values)),
        allowed_hosts=frozenset(_hosts(values)),
        trusted_proxies=_trusted_proxies(values),
        ui_location=_ui_location(values),
        log_level=_choice(values, "log_level", "LOG_LEVEL", "INFO", LOG_LEVELS, LOG_LEVEL_ALIASES),
    )
    if values.problems:
        kind: type[MetricsError] = UsageError if values.usage_only else ConfigError
        raise kind(values.problems, "see offspot-metrics --help, or that of the command")
    return config


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~ of a user who is not known: a name like any other
        return Path(text)


def _packages(values: _Reader) -> Path:
    text, _ = values.text("packages", "PACKAGE_CONF_FILE", "")
    if text:
        return _path(text)
    found = [path for path in PACKAGES_PATHS if os.path.lexists(path)]
    return Path(found[0] if found else PACKAGES_PATHS[0])


def default_database(environment: Mapping[str, str]) -> Path:
    """Where the database is when nobody says: the user's data folder."""
    base = environment.get("XDG_DATA_HOME") or "~/.local/share"
    try:
        folder = Path(base).expanduser()
    except RuntimeError:  # no home at all
        folder = Path.cwd()
    return folder / "offspot-metrics" / "metrics.db"


def _database(values: _Reader) -> Path:
    text, source = values.text("database", "DATABASE_URL", "")
    if not text:
        return default_database(values.environment)
    scheme, mark, rest = text.partition("://")
    if not mark:
        return _database_path(values, source, _path(text))
    if scheme.lower() not in ("sqlite", "sqlite+pysqlite") or not rest.startswith("/"):
        values.problem(source, f"{text!r} is no SQLite database (a path, or sqlite:////path)")
        return Path("metrics.db")
    return _database_path(values, source, Path(rest[1:].partition("?")[0]))


def _database_path(values: _Reader, source: str, path: Path) -> Path:
    """A path at which there can be a database; what was written for SQLite itself is no path."""
    text = str(path)
    if text.lower().startswith(("file:", "sqlite:", "sqlite+")):
        values.problem(
            source, f"{text!r} is an address of SQLite; give the path alone, or sqlite:////path"
        )
    elif path.name in ("", "..") or text == ":memory:":
        values.problem(source, f"{text!r} names no file; give the path of the database file")
    elif (size := len(os.fsencode(path.name))) > MAX_DATABASE_NAME_BYTES:
        values.problem(
            source,
            f"the name of the database has {size} bytes and may have {MAX_DATABASE_NAME_BYTES}, "
            "as the files beside it have longer ones",
        )
    else:
        return path
    return Path("metrics.db")


def _zone(values: _Reader) -> ZoneInfo | None:
    text, source = values.text("timezone", "TZ", "")
    if not text:
        return None
    try:
        return load_zone(text.removeprefix(":"))
    except ConfigError as error:
        values.problem(source, f"{error.message}; {error.hint}")
        return None


def _pattern(values: _Reader) -> str:
    text, source = values.text("pattern", "REVERSE_PROXY_LOGS_PATTERN", PATTERN)
    try:
        read_pattern(text)
    except BadPattern as error:
        values.problem(source, f"{text!r}: {error}")
        return PATTERN
    return text


def _choice(
    values: _Reader,
    option: str,
    variable: str,
    default: str,
    choices: tuple[str, ...],
    aliases: Mapping[str, str] | None = None,
) -> str:
    text, source = values.text(option, variable, default)
    folded = {name.lower(): choice for name, choice in (aliases or {}).items()}
    folded |= {choice.lower(): choice for choice in choices}
    if text.lower() not in folded:
        values.problem(source, f"{text!r} is not one of {', '.join(choices)}")
    return folded.get(text.lower(), default)


def _port(values: _Reader) -> int:
    text, source = values.text("port", "PORT", str(PORT))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= 65535):
        values.problem(source, f"{text!r} is no port (0 to 65535; 0 takes a free one)")
        return PORT
    return int(text)


def _list(values: _Reader, variable: str) -> list[str]:
    """The parts of a variable that holds several, in order."""
    return [part for part in _SEPARATORS.split(values.text("", variable, "")[0]) if part]


def _hosts(values: _Reader) -> Iterator[str]:
    for part in _list(values, "ALLOWED_HOSTS"):
        try:
            yield read_address(part).host
        except ValueError as error:
            values.problem("ALLOWED_HOSTS", f"{part!r}: {error} (as in metrics.my-offspot.lan)")


def _origins(values: _Reader) -> Iterator[str]:
    """As browsers send them: in lower case, without a path and without the usual port."""
    for part in _list(values, "ALLOWED_ORIGINS"):
        if part == ANY_ORIGIN:
            yield part
            continue
        try:
            scheme, host, port = read_address(part)
        except ValueError as error:
            values.problem("ALLOWED_ORIGINS", f"{part!r}: {error} (as in http://name)")
            continue
        if not scheme:
            values.problem(
                "ALLOWED_ORIGINS", f"{part!r} is no origin (http://name, https://name or *)"
            )
        shown = f"[{host}]" if ":" in host else host
        yield f"{scheme}://{shown}" + (f":{port}" if port not in ("", _port_of(scheme)) else "")


def _port_of(scheme: str) -> str:
    return _DEFAULT_PORTS.get(scheme, "")


def _trusted_proxies(values: _Reader) -> tuple[Network, ...] | None:
    parts = _list(values, "TRUSTED_PROXIES")
    if not parts:
        return None
    if [part.lower() for part in parts] == ["none"]:
        return ()
    networks: list[Network] = []
    for part in parts:
        try:
            networks.append(_network(part.strip("[]")))
        except ValueError:
            values.problem(
                "TRUSTED_PROXIES",
                f"{part!r} is neither an address (172.18.0.2) nor a network (172.18.0.0/16)",
            )
    return tuple(networks)


def _network(text: str) -> Network:
    """A network; IPv4 in the form of IPv6 (`::ffff:10.0.0.1`) as the IPv4 that it is."""
    network = ip_network(text, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < 96:
        return network
    return ip_network((mapped, network.prefixlen - 96))


def _ui_location(values: _Reader) -> Path | None:
    text, source = values.text("ui_location", "UI_LOCATION", "")
    if not text:
        return None
    if not os.path.isdir(_path(text)):  # noqa: PTH112 (that of pathlib raises)
        values.problem(source, f"{text!r} is not a folder that this user can see")
    elif not os.access(_path(text), os.R_OK | os.X_OK):
        values.problem(source, f"folder {text!r} may not be read: let this user list and enter it")
    return _path(text)
