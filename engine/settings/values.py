"""What may be written for a setting: text becomes a value, or a `BadValue` that says what is wrong.

Nothing is opened or made here. `table.py` says which setting is read in which way. What only few
commands or settings need is loaded when it is needed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from engine.errors import ConfigError
from engine.settings.model import BadValue
from engine.text import clean_text, cut_text, visible_text
from engine.times import load_zone

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

    Network = IPv4Network | IPv6Network

PACKAGES_PATHS: Final = (Path("/conf/packages.yml"), Path("/conf/packages.yaml"))
MAX_DATABASE_NAME_BYTES: Final = 200
"""Names have 255 at most; those of the database's log, lock, backups and drafts are longer."""
ANY_ORIGIN: Final = "*"
LOG_LEVEL_ALIASES: Final = {"WARN": "WARNING", "FATAL": "CRITICAL", "NOTSET": "DEBUG"}
"""Names of the logging module that offspot/metrics takes too."""

_SEPARATORS: Final = re.compile(r"[\s,|]+")
"""Between hosts, origins and addresses: none of them can have one of these inside."""
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


def read_path(text: str) -> Path:
    """A path; `~` is the home of the user."""
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~ of a user who is not known: a name like any other
        return Path(text)


def find_packages(_environment: Mapping[str, str]) -> Path:
    """The packages file of the container, when no other is named."""
    return next((path for path in PACKAGES_PATHS if os.path.lexists(path)), PACKAGES_PATHS[0])


def find_database(environment: Mapping[str, str]) -> Path:
    """The database in the user's data folder, when no other is named."""
    base = environment.get("XDG_DATA_HOME") or "~/.local/share"
    try:
        folder = Path(base).expanduser()
    except RuntimeError:  # no home at all
        folder = Path.cwd()
    return folder / "offspot-metrics" / "metrics.db"


def read_database(text: str) -> Path:
    """The file of a path, of `sqlite:////path` or of `sqlite+pysqlite:////path`."""
    scheme, mark, rest = text.partition("://")
    if not mark:
        return _database_path(read_path(text))
    if scheme.lower() not in ("sqlite", "sqlite+pysqlite") or not rest.startswith("/"):
        raise BadValue(f"{text!r} is no SQLite database (a path, or sqlite:////path)")
    return _database_path(Path(rest[1:].partition("?")[0]))


def _database_path(path: Path) -> Path:
    """A path at which there can be a database; an address of SQLite's own is no path."""
    text = str(path)
    if text.lower().startswith(("file:", "sqlite:", "sqlite+")):
        raise BadValue(f"{text!r} is an address of SQLite; give the path alone, or sqlite:////path")
    if path.name in ("", "..") or text == ":memory:":
        raise BadValue(f"{text!r} names no file; give the path of the database file")
    if (size := len(os.fsencode(path.name))) > MAX_DATABASE_NAME_BYTES:
        raise BadValue(
            f"the name of the database has {size} bytes and may have {MAX_DATABASE_NAME_BYTES}, "
            "as the files next to it have longer ones"
        )
    return path


def read_timezone(text: str) -> ZoneInfo | None:
    """The zone of an IANA name; None for no text."""
    if not text:
        return None
    try:
        return load_zone(text.removeprefix(":"))
    except ConfigError as error:
        raise BadValue(f"{error.message}; {error.hint}") from error


def read_pattern(text: str) -> str:
    """A pattern for names of files that everybody reads in the same way."""
    from engine.patterns import BadPattern
    from engine.patterns import read_pattern as compile_pattern

    try:
        compile_pattern(text)
    except BadPattern as error:
        raise BadValue(f"{text!r}: {error}") from error
    return text


def one_of(
    choices: tuple[str, ...], aliases: Mapping[str, str] | None = None
) -> Callable[[str], str]:
    """A reader of one of these words, in any case."""
    folded = {name.lower(): choice for name, choice in (aliases or {}).items()}
    folded |= {choice.lower(): choice for choice in choices}

    def read(text: str) -> str:
        if text.lower() not in folded:
            raise BadValue(f"{text!r} is not one of {', '.join(choices)}")
        return folded[text.lower()]

    return read


def read_name(text: str) -> str:
    """A name that is shown: in one line, and cut where it is too long."""
    return cut_text(visible_text(text))


def read_note(text: str) -> str:
    """Lines that are shown."""
    return "\n".join(map(clean_text, text.splitlines()))


def read_listening_host(text: str) -> str:
    """A name or address of this machine; whether it is one is known when it is used."""
    try:
        text.encode("idna")
    except UnicodeError as error:
        raise BadValue(f"{text!r} is no address (127.0.0.1; 0.0.0.0 for all)") from error
    return text


def read_port(text: str) -> int:
    """A port of TCP."""
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= 65535):
        raise BadValue(f"{text!r} is no port (0 to 65535; 0 takes a free one)")
    return int(text)


def read_years(text: str) -> int:
    """How many calendar years are kept, the present one included."""
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= 100):
        raise BadValue(f"{text!r} is no number of years (1 to 100; 2: this and the last year)")
    return int(text)


def read_processing(disabled: str) -> bool:
    """Whether lines are counted. As offspot/metrics reads it: only `true` turns counting off."""
    return disabled.lower() != "true"


def _parts(text: str) -> list[str]:
    """The parts of a text that holds several, in order."""
    return [part for part in _SEPARATORS.split(text) if part]


def read_hosts(text: str) -> frozenset[str]:
    """Names of hosts in their `xn--` form, without scheme and port."""
    from engine.hosts import read_address

    hosts, problems = set(), []
    for part in _parts(text):
        try:
            hosts.add(read_address(part).host)
        except ValueError as error:
            problems.append(f"{part!r}: {error} (as in metrics.my-offspot.lan)")
    if problems:
        raise BadValue(*problems)
    return frozenset(hosts)


def read_origins(text: str) -> frozenset[str]:
    """Origins as browsers send them: lower case, without a path and without the usual port."""
    origins: set[str] = set()
    problems: list[str] = []
    for part in _parts(text):
        try:
            origins.add(part if part == ANY_ORIGIN else _origin(part))
        except BadValue as error:
            problems += error.args
    if problems:
        raise BadValue(*problems)
    return frozenset(origins)


def _origin(text: str) -> str:
    from engine.hosts import read_address

    try:
        scheme, host, port = read_address(text)
    except ValueError as error:
        raise BadValue(f"{text!r}: {error} (as in http://name)") from error
    if not scheme:
        raise BadValue(f"{text!r} is no origin (http://name, https://name or *)")
    shown = f"[{host}]" if ":" in host else host
    implied = ("", _DEFAULT_PORTS.get(scheme))
    return f"{scheme}://{shown}" + (f":{port}" if port not in implied else "")


def read_networks(text: str) -> tuple[Network, ...] | None:
    """Networks and addresses; none of them for `none`, None for no text."""
    parts = _parts(text)
    if not parts:
        return None
    if [part.lower() for part in parts] == ["none"]:
        return ()
    networks, problems = [], []
    for part in parts:
        try:
            networks.append(_network(part.strip("[]")))
        except ValueError:
            problems.append(
                f"{part!r} is neither an address (172.18.0.2) nor a network (172.18.0.0/16)"
            )
    if problems:
        raise BadValue(*problems)
    return tuple(networks)


def _network(text: str) -> Network:
    """A network; IPv4 in the form of IPv6 (`::ffff:10.0.0.1`) as the IPv4 that it is."""
    from ipaddress import ip_network

    network = ip_network(text, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < 96:
        return network
    return ip_network((mapped, network.prefixlen - 96))


def read_folder(text: str) -> Path | None:
    """A folder that can be listed; None for no text."""
    if not text:
        return None
    path = read_path(text)
    if not os.path.isdir(path):  # noqa: PTH112 (that of pathlib raises)
        raise BadValue(f"{text!r} is not a folder that this user can see")
    try:  # os.access knows nothing of capabilities
        with os.scandir(path):
            os.stat(f"{path}/.")  # noqa: PTH116 (pathlib drops the dot)
    except OSError as error:
        problem = f"folder {text!r} cannot be read ({error.strerror})"
        raise BadValue(f"{problem}: let this user list and enter it") from error
    return path
