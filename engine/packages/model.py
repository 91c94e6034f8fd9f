"""Packages: what the hotspot offers, and which titles a host and a ZIM name lead to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from engine.errors import ConfigError
from engine.hosts import IMPLIED_PORTS, normal_host, without_port
from engine.text import clean_text, cut_text

PACKAGE_KINDS: Final = ("zim", "files", "app")
EDUPI: Final = "edupi.offspot.kiwix.org"
FILE_MANAGER: Final = "file-manager.offspot.kiwix.org"

# As kiwix-serve does it: a second ZIM of a month has a letter behind its date, aa comes after z.
_DATED = re.compile(r"(?P<undated>.+)_(?P<month>[0-9]{4}-[0-9]{2})(?P<letters>[a-z]*)", re.S)
_Date = tuple[str, int, str]


@dataclass(frozen=True)
class Package:
    """One usable entry."""

    kind: str
    title: str
    host: str
    name: str = ""
    """The ZIM name of kind `zim`, else empty."""
    ident: str = ""
    prefix: str = ""
    """What stands before `/content/` in the paths of a ZIM (kiwix-serve's --urlRootLocation)."""
    size: int | None = None
    """Bytes that it takes, where the packages file says (`download.size`)."""


@dataclass(frozen=True)
class Library:
    """The ZIMs below one prefix of a host, as one kiwix-serve has them."""

    prefix: str
    zims: Mapping[str, tuple[str, ...]]
    """ZIM name as in the packages file -> titles."""
    aliases: Mapping[str, tuple[str, ...]]
    """Undated name that no entry has -> titles of the newest date."""

    def titles(self, name: str) -> tuple[str, ...]:
        """The titles that a ZIM name in a log belongs to; empty for a name of no entry."""
        titles = self.zims.get(name) or self.aliases.get(name)
        if titles is None and (dated := _DATED.fullmatch(name)):
            titles = self.zims.get(dated["undated"])
        return titles or ()


@dataclass(frozen=True)
class Site:
    """What one host of the hotspot serves; made from all entries that lead to it."""

    libraries: tuple[Library, ...]
    """The longest prefix first."""
    files: tuple[str, ...]
    apps: tuple[str, ...]
    idents: frozenset[str]


@dataclass(frozen=True)
class Packages:
    """All entries that can be counted, and the name and domain name of the hotspot."""

    entries: tuple[Package, ...] = ()
    warnings: tuple[str, ...] = ()
    name: str = ""
    fqdn: str = ""
    _sites: dict[frozenset[str], Site] = field(default_factory=dict, compare=False, repr=False)

    @property
    def titles(self) -> tuple[str, ...]:
        """Every title once, in the order of the file."""
        return tuple(dict.fromkeys(entry.title for entry in self.entries))

    @property
    def prefixes(self) -> frozenset[str]:
        """Every prefix that paths of a ZIM have, on whatever host; not the empty one."""
        return frozenset(entry.prefix for entry in self.entries if entry.prefix)

    def site(self, host: str) -> Site | None:
        """What a host as written in a log serves; None for a host of no entry."""
        named = normal_host(host)
        bare = without_port(named)
        ports = IMPLIED_PORTS if named == bare else ()
        hosts = self._hosts.intersection((named, bare, *(bare + port for port in ports)))
        if not hosts:  # visitors choose hosts: these are not cached
            return None
        if hosts not in self._sites:
            self._sites[hosts] = _make_site([e for e in self.entries if e.host in hosts])
        return self._sites[hosts]

    @cached_property
    def _hosts(self) -> frozenset[str]:
        return frozenset(entry.host for entry in self.entries)

    def to_json(self) -> str:
        """A text from which `from_json` makes the same packages (stored in the database)."""
        entries = [
            [e.kind, e.title, e.host, e.name, e.ident, e.prefix, e.size] for e in self.entries
        ]
        data = {"name": self.name, "fqdn": self.fqdn, "entries": entries}
        return json.dumps(data, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Packages:
        """The packages that a `to_json` wrote, of older versions too. Raises ConfigError."""
        try:
            data = json.loads(text)
            entries = tuple(_restored(*entry) for entry in data["entries"])
            return cls(entries=entries, name=str(data["name"]), fqdn=str(data["fqdn"]))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigError("the packages stored in the database cannot be read") from error


def _restored(kind: object, title: object, host: object, *rest: object) -> Package:
    """Older versions did not trim titles, stored hosts in Unicode, and had no sizes."""
    name, ident, prefix, size = (*rest, None, None, None, None)[:4]
    return Package(
        kind=str(kind),
        title=cut_text(clean_text(str(title))),
        host=normal_host(str(host)),
        name=str(name or ""),
        ident=str(ident or ""),
        prefix=str(prefix or ""),
        size=None if size is None else int(str(size)),
    )


def _make_site(entries: Iterable[Package]) -> Site:
    zims: dict[str, dict[str, dict[str, None]]] = {}
    files: dict[str, None] = {}
    apps: dict[str, None] = {}
    idents: set[str] = set()
    for entry in entries:
        if entry.kind == "zim":
            zims.setdefault(entry.prefix, {}).setdefault(entry.name, {})[entry.title] = None
        elif entry.kind == "files":
            files[entry.title] = None
        else:
            apps[entry.title] = None
            idents.add(entry.ident)
    longest_first = sorted(zims, key=lambda prefix: (-len(prefix), prefix))
    return Site(
        libraries=tuple(_make_library(prefix, zims[prefix]) for prefix in longest_first),
        files=tuple(files),
        apps=tuple(apps),
        idents=frozenset(idents),
    )


def _make_library(prefix: str, zims: Mapping[str, Iterable[str]]) -> Library:
    newest: dict[str, tuple[_Date, str]] = {}
    for name in zims:
        if dated := _DATED.fullmatch(name):
            undated = dated["undated"]
            date = dated["month"], len(dated["letters"]), dated["letters"]
            if undated not in zims and (undated not in newest or date > newest[undated][0]):
                newest[undated] = (date, name)
    return Library(
        prefix=prefix,
        zims={name: tuple(titles) for name, titles in zims.items()},
        aliases={undated: tuple(zims[name]) for undated, (_, name) in newest.items()},
    )
