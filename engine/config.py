"""One frozen configuration, from options and the environment, checked before anything starts.

In: options (None: not given) and the environment. Out: a `Config`, or one error that reports
every problem. It must not open or make anything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from engine.errors import ConfigError, MetricsError, UsageError
from engine.times import load_zone

PACKAGES_PATHS: Final = ("/conf/packages.yml", "/conf/packages.yaml")
LOGS: Final = "/reverse-proxy-logs"
PATTERN: Final = "caddy_access_logs*.json"
HOST: Final = "127.0.0.1"
PORT: Final = 8000
READERS: Final = ("auto", "filebeat", "tail")
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
IDLE_GAP_MINUTES: Final = 10
"""In `replay`: the longest silence in which the offspot is taken to have been on."""


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
    allowed_hosts: frozenset[str] = frozenset()
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
        processing=not _flag(values, "PROCESSING_DISABLED"),
        allowed_origins=_origins(values),
        allowed_hosts=frozenset(
            values.text("allowed_hosts", "ALLOWED_HOSTS", "")[0].lower().replace("|", " ").split()
        ),
        ui_location=_ui_location(values),
        log_level=_choice(values, "log_level", "LOG_LEVEL", "INFO", LOG_LEVELS),
    )
    if values.problems:
        kind: type[MetricsError] = UsageError if values.usage_only else ConfigError
        raise kind("\n".join(values.problems), "see offspot-metrics --help, or that of the command")
    return config


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _packages(values: _Reader) -> Path:
    text, _ = values.text("packages", "PACKAGE_CONF_FILE", "")
    if text:
        return _path(text)
    found = [path for path in PACKAGES_PATHS if Path(path).exists()]
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
        return _path(text)
    if scheme.lower() not in ("sqlite", "sqlite+pysqlite") or not rest.startswith("/"):
        values.problem(source, f"{text!r} is no SQLite database (a path, or sqlite:////path)")
        return Path("metrics.db")
    path = rest[1:].partition("?")[0]
    if not path or path == ":memory:":
        values.problem(source, f"{text!r} names no file")
    return Path(path or "metrics.db")


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
    if "/" in text or "\0" in text:
        values.problem(source, f"{text!r} is a pattern for file names, it cannot have a /")
    return text


def _choice(
    values: _Reader, option: str, variable: str, default: str, choices: tuple[str, ...]
) -> str:
    text, source = values.text(option, variable, default)
    folded = {choice.lower(): choice for choice in choices}
    if text.lower() not in folded:
        values.problem(source, f"{text!r} is not one of {', '.join(choices)}")
    return folded.get(text.lower(), default)


def _port(values: _Reader) -> int:
    text, source = values.text("port", "PORT", str(PORT))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= 65535):
        values.problem(source, f"{text!r} is no port (0 to 65535; 0 takes a free one)")
        return PORT
    return int(text)


def _flag(values: _Reader, variable: str) -> bool:
    text = values.environment.get(variable, "").strip().lower()
    if text not in ("", "true", "false", "1", "0", "yes", "no", "on", "off"):
        values.problem(variable, f"{text!r} is neither true nor false")
    return text in ("true", "1", "yes", "on")


def _origins(values: _Reader) -> frozenset[str]:
    text, source = values.text("allowed_origins", "ALLOWED_ORIGINS", "")
    origins = frozenset(_as_browsers_say(part.strip()) for part in text.split("|") if part.strip())
    for origin in sorted(origins):
        if not origin.lower().startswith(("http://", "https://")):
            values.problem(source, f"{origin!r} is no origin (http://name or https://name)")
    return origins


def _as_browsers_say(origin: str) -> str:
    """Browsers send an origin in small letters, without a path and without the usual port."""
    origin = origin.rstrip("/").lower()
    scheme = origin.partition(":")[0]
    return origin.removesuffix({"http": ":80", "https": ":443"}.get(scheme, "/"))


def _ui_location(values: _Reader) -> Path | None:
    text, source = values.text("ui_location", "UI_LOCATION", "")
    if not text:
        return None
    if not _path(text).is_dir():
        values.problem(source, f"{text!r} is not a folder")
    return _path(text)
