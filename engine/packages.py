"""The packages file: what the hotspot offers, and which title a host and a name lead to.

In: the dashboard's YAML file, of which `packages` and `metadata` are read.
Out: a frozen `Packages`, with one warning per entry that cannot be used.
It must not: touch logs, raise anything but ConfigError and its kin, or run what a file says
(aliases are refused, depth and size are bounded, nothing but text, lists and maps is made).
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import yaml

from engine.errors import ConfigError, InputUnreadable

MAX_FILE_BYTES: Final = 8 * 1024 * 1024  # a thousand packages with their icons; a bomb is more
MAX_DEPTH: Final = 20
MAX_NODES: Final = 50_000  # texts, lists and maps: of some two thousand packages, and 50 MiB
KINDS: Final = ("zim", "files", "app")
EDUPI: Final = "edupi.offspot.kiwix.org"
FILE_MANAGER: Final = "file-manager.offspot.kiwix.org"

_URL = re.compile(r"(?P<start>//|https?://)?(?P<host>[^/?#\s@\\]+)(?P<rest>[/?#].*)?", re.I | re.S)
_HOST = re.compile(r"(?:\[[0-9a-f:.%]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?", re.I)
_VIEWER = re.compile(r"(?:/[^?#]*)?/viewer(?:\?[^#]*)?#(?P<name>.*)", re.S)
_CONTENT = re.compile(r"/content/(?P<name>[^/?#]+)(?:[/?#].*)?", re.S)
_DATED = re.compile(r"(?P<undated>.+)_(?P<date>[0-9]{4}-[0-9]{2})", re.S)
# Controls, ends of lines, marks of direction, a mark of byte order, halves of a character.
_UNCLEAN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


@dataclass(frozen=True)
class Package:
    """One usable entry: `name` is the ZIM name of kind `zim`, else empty."""

    kind: str
    title: str
    host: str
    name: str = ""
    ident: str = ""


@dataclass(frozen=True)
class Site:
    """What one host of the hotspot serves; made from all entries that lead to it."""

    zims: Mapping[str, tuple[str, ...]]
    """ZIM name as in the packages file -> titles."""
    aliases: Mapping[str, tuple[str, ...]]
    """Undated name that no entry has -> titles of the newest date."""
    files: tuple[str, ...]
    apps: tuple[str, ...]
    idents: frozenset[str]

    def zim_titles(self, name: str) -> tuple[str, ...]:
        """The titles that a ZIM name in a log belongs to; empty for a name of no entry."""
        titles = self.zims.get(name) or self.aliases.get(name)
        if titles is None and (dated := _DATED.fullmatch(name)):
            titles = self.zims.get(dated["undated"])
        return titles or ()


@dataclass(frozen=True)
class Packages:
    """All entries that can be counted, and what the file says of the hotspot itself."""

    entries: tuple[Package, ...] = ()
    warnings: tuple[str, ...] = ()
    name: str = ""
    fqdn: str = ""
    _sites: dict[str, Site] = field(default_factory=dict, compare=False, repr=False)

    @property
    def titles(self) -> tuple[str, ...]:
        """Every title once, in the order of the file."""
        return tuple(dict.fromkeys(entry.title for entry in self.entries))

    def site(self, host: str) -> Site | None:
        """What a host as written in a log serves; None for a host of no entry."""
        key = normal_host(host)
        if key not in self._hosts:
            key = without_port(key)
        if key not in self._hosts:  # visitors choose hosts: nothing is remembered of these
            return None
        if key not in self._sites:
            bare = without_port(key)
            self._sites[key] = _make_site([e for e in self.entries if e.host in (key, bare)])
        return self._sites[key]

    @cached_property
    def _hosts(self) -> frozenset[str]:
        return frozenset(entry.host for entry in self.entries)

    def to_json(self) -> str:
        """A text from which `from_json` makes the same packages (kept in the database)."""
        return json.dumps(
            {
                "name": self.name,
                "fqdn": self.fqdn,
                "entries": [[e.kind, e.title, e.host, e.name, e.ident] for e in self.entries],
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Packages:
        """The packages that `to_json` wrote. Raises ConfigError for another text."""
        try:
            data = json.loads(text)
            entries = tuple(Package(*map(str, entry)) for entry in data["entries"])
            return cls(entries=entries, name=str(data["name"]), fqdn=str(data["fqdn"]))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigError("the packages kept in the database cannot be read") from error


def normal_host(host: str) -> str:
    """A host for comparison: lower case, no dot at the end; a port stays."""
    host = host.lower()
    if host.endswith("."):
        return host[:-1]
    return re.sub(r"\.(:[0-9]*)$", r"\1", host) if ":" in host else host


def without_port(host: str) -> str:
    """A normal host without its port (an IPv6 address keeps its brackets)."""
    return re.sub(r":[0-9]*$", "", host) if not host.endswith("]") else host


def clean_text(text: str) -> str:
    """A text that can be stored and shown: controls, direction marks, lone halves replaced."""
    return _UNCLEAN.sub("\ufffd", text)


def _make_site(entries: Iterable[Package]) -> Site:
    zims: dict[str, dict[str, None]] = {}
    files: dict[str, None] = {}
    apps: dict[str, None] = {}
    idents: set[str] = set()
    for entry in entries:
        if entry.kind == "zim":
            zims.setdefault(entry.name, {})[entry.title] = None
        elif entry.kind == "files":
            files[entry.title] = None
        else:
            apps[entry.title] = None
            idents.add(entry.ident)
    newest: dict[str, tuple[str, str]] = {}
    for name in zims:
        if dated := _DATED.fullmatch(name):
            undated, date = dated["undated"], dated["date"]
            if undated not in zims and date > newest.get(undated, ("", ""))[0]:
                newest[undated] = (date, name)
    return Site(
        zims={name: tuple(titles) for name, titles in zims.items()},
        aliases={undated: tuple(zims[name]) for undated, (_, name) in newest.items()},
        files=tuple(files),
        apps=tuple(apps),
        idents=frozenset(idents),
    )


def read_packages(path: Path) -> Packages:
    """The packages of a file.

    Raises ConfigError (missing, not YAML, empty, without `packages`, too large or too deep)
    and InputUnreadable (no permission); a single bad entry is only a warning.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(
            f"packages file {path} is not there",
            "give the hotspot's packages file with --packages FILE or PACKAGE_CONF_FILE",
        ) from error
    except PermissionError as error:
        raise InputUnreadable(
            f"packages file {path} may not be read",
            f"let this user read it: chmod a+r {path}",
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"packages file {path} cannot be opened: {getattr(error, 'strerror', None) or error}",
            "check the path that --packages or PACKAGE_CONF_FILE gives",
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # before fdopen, which refuses a folder
        os.close(descriptor)
        raise ConfigError(
            f"packages file {path} is not a regular file",
            "name the YAML file itself, not a folder or a device",
        )
    with os.fdopen(descriptor, "rb") as file:
        try:
            content = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise ConfigError(
                f"packages file {path} cannot be read: {error.strerror or error}",
                "copy it to another place and name that; is the card damaged?",
            ) from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(
            f"packages file {path} is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB",
            "is it the dashboard's packages file? remove what is not needed",
        )
    return parse_packages(content, str(path))


def parse_packages(content: bytes, origin: str) -> Packages:
    """The packages in a YAML text; `origin` names it in messages. Raises ConfigError."""
    try:
        document = yaml.load(content, Loader=_PackagesLoader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, UnicodeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"packages file {origin} is not YAML that we read: {_one_line(error)}",
            "mend that place; a YAML checker shows it",
        ) from error
    if document is None:
        raise ConfigError(
            f"packages file {origin} is empty", "it needs a list named packages (may be [])"
        )
    if not isinstance(document, dict) or "packages" not in document:
        raise ConfigError(
            f"packages file {origin} has no list named packages",
            "its top level must have a key packages (may be [])",
        )
    listed = document["packages"]
    if listed is None:
        listed = []
    if not isinstance(listed, list):
        raise ConfigError(
            f"packages file {origin}: packages is not a list", "write packages: [] or a list"
        )
    entries: list[Package] = []
    warnings: list[str] = []
    for number, entry in enumerate(listed, start=1):
        package = _read_entry(entry)
        if isinstance(package, Package):
            entries.append(package)
        else:
            warnings.append(f"packages file: {_name_of(number, entry)} is ignored: {package}")
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return Packages(
        entries=tuple(entries),
        warnings=tuple(warnings),
        name=_text(metadata.get("name")),
        fqdn=normal_host(_text(metadata.get("fqdn"))),
    )


def _read_entry(entry: Any) -> Package | str:
    """The package of an entry, or the first reason why it is none."""
    if not isinstance(entry, dict):
        return "it is not a mapping"
    url, title, kind = (_text(entry.get(key)) for key in ("url", "title", "kind"))
    if not url:
        return "it has no url"
    if not title:
        return "it has no title"
    match = _URL.fullmatch(url)
    host = normal_host(match["host"]) if match else ""
    rest = (match["rest"] or "") if match else ""
    named = _HOST.fullmatch(host)
    if not match or not named or not (match["start"] or rest.startswith("/")):
        return f"its url {url[:100]!r} is not of the form //host/..."
    if named["port"] and int(named["port"]) > 65535:
        return f"its url {url[:100]!r} has an impossible port"
    if kind not in KINDS:
        return (
            f"its kind is {kind[:50]!r}, not one of {', '.join(KINDS)}"
            if kind
            else "it has no kind"
        )
    name = ""
    if kind == "zim":
        name = _zim_name(rest)
        if not name:
            return f"its url {url[:100]!r} names no ZIM (//host/viewer#NAME or /content/NAME)"
    return Package(kind, title, host, name, _text(entry.get("ident")))


def _zim_name(rest: str) -> str:
    if match := _VIEWER.fullmatch(rest):
        return unquote(match["name"].split("/", 1)[0])
    if match := _CONTENT.fullmatch(rest):
        return unquote(match["name"])
    return ""


def _text(value: Any) -> str:
    """A scalar as clean text; nothing, a list or a mapping as the empty text."""
    return clean_text(value) if isinstance(value, str) and value.strip() else ""


def _name_of(number: int, entry: Any) -> str:
    title = _text(entry.get("title")) if isinstance(entry, dict) else ""
    return f"entry {number} ({title[:100]})" if title else f"entry {number}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


class _PackagesLoader(yaml.SafeLoader):
    """A safe loader without aliases, of bounded depth, that keeps scalars as they are written."""

    depth = 0
    nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not read", self._mark())
        self.depth += 1
        self.nodes += 1
        if self.depth > MAX_DEPTH or self.nodes > MAX_NODES:
            deep = self.depth > MAX_DEPTH
            problem = f"more than {MAX_DEPTH} levels deep" if deep else "too much for one file"
            raise yaml.composer.ComposerError(None, None, problem, self._mark())
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _mark(self) -> Any:
        return self.peek_event().start_mark  # type: ignore[no-untyped-call]  # (its stubs)


# Only nothing stays nothing: `title: 1984` and `title: yes` are the texts that were written.
_PackagesLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# Also where a tag asks for a number or a date, which need not be one: `!!int "x"` is the text x.
_PackagesLoader.yaml_constructors = yaml.SafeLoader.yaml_constructors | {
    f"tag:yaml.org,2002:{tag}": yaml.SafeLoader.construct_yaml_str
    for tag in ("bool", "int", "float", "timestamp", "binary")
}
