"""Loads a packages file: `packages` and `metadata` of the dashboard's own YAML file.

Raises ConfigError and its kin for a file that cannot be used; one bad entry is only a warning.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import unquote

from engine.errors import ConfigError, InputUnreadable
from engine.hosts import host_of_url, why_impossible, without_port
from engine.packages.model import PACKAGE_KINDS, Package, Packages
from engine.regular_file import NotRegularFile, open_regular
from engine.text import MAX_TEXT_LENGTH, MAX_TITLE_LENGTH, clean_scalar, cut_text, visible_text

MAX_FILE_BYTES: Final = 8 * 1024 * 1024  # a thousand packages with their icons; a bomb is more

_URL = re.compile(r"(?P<start>//|https?://)?(?P<host>[^/?#\s@\\]+)(?P<rest>[/?#].*)?", re.I | re.S)
_BYTES = re.compile(r"[0-9]{1,18}", re.A)
_PLACEHOLDER = re.compile(r"\{(?:(?P<name>[a-z0-9]+(?:-[a-z0-9]+)*)-)?fqdn\}", re.I)
_VIEWER = re.compile(r"(?P<prefix>(?:/[^?#]*)?)/viewer(?:\?[^#]*)?#(?P<name>.*)", re.S)
_CONTENT = re.compile(r"(?P<prefix>(?:/[^?#]*?)?)/content/(?P<name>[^/?#]+)(?:[/?#].*)?", re.S)


def read_packages(path: Path) -> Packages:
    """The packages of a file.

    Raises ConfigError (missing, not YAML, empty, without `packages`, too large or too deep)
    and InputUnreadable (no permission); a single bad entry is only a warning.
    """
    with _open(path) as file:
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


def _open(path: Path) -> BinaryIO:
    try:
        return open_regular(path)
    except NotRegularFile as error:
        raise ConfigError(
            f"packages file {path} is not a regular file",
            "name the YAML file itself, not a folder or a device",
        ) from error
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


def parse_packages(content: bytes, origin: str) -> Packages:
    """The packages in a YAML text; `origin` names it in messages. Raises ConfigError."""
    document = _load(content, origin)
    listed = document["packages"]
    if listed is None:
        listed = []
    if not isinstance(listed, list):
        raise ConfigError(
            f"packages file {origin}: packages is not a list", "write packages: [] or a list"
        )
    warnings: list[str] = []
    name, fqdn = _read_metadata(document.get("metadata"), warnings)
    entries: list[Package] = []
    for number, entry in enumerate(listed, start=1):
        title = visible_text(entry.get("title")) if isinstance(entry, dict) else ""
        named = f"packages file: entry {number}" + (f" ({title[:100]})" if title else "")
        package = _read_entry(entry, title, fqdn)
        if isinstance(package, Package):
            entries.append(package)
            if package.title != title:
                warnings.append(f"{named}: its title is cut to {MAX_TITLE_LENGTH} characters")
        else:
            warnings.append(f"{named} is ignored: {package}")
    return Packages(tuple(entries), tuple(warnings), name, without_port(fqdn))


def _load(content: bytes, origin: str) -> dict[Any, Any]:
    """The document, which has `packages`."""
    import yaml

    from engine.packages.document import load_document

    try:
        document = load_document(content)
    except (yaml.YAMLError, UnicodeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"packages file {origin} is not YAML that we read: {_one_line(error)}",
            "correct the file at that place, or have the dashboard write it again",
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
    return document


def _read_metadata(metadata: Any, warnings: list[str]) -> tuple[str, str]:
    """The hotspot's name, and its domain name, which takes the place of `{fqdn}` in URLs."""
    if not isinstance(metadata, dict):
        return "", ""
    name = visible_text(metadata.get("name"))
    if len(name) > MAX_TITLE_LENGTH:
        warnings.append(f"packages file: metadata.name is cut to {MAX_TITLE_LENGTH} characters")
    fqdn = host_of_url(clean_scalar(metadata.get("fqdn")))
    if fqdn and (why := why_impossible(fqdn)):
        warnings.append(f"packages file: metadata.fqdn {fqdn[:100]!r} is ignored: {why}")
        fqdn = ""
    return cut_text(name), fqdn


def _read_entry(entry: Any, title: str, fqdn: str) -> Package | str:
    """The package of an entry, or the first reason why it cannot be used."""
    if not isinstance(entry, dict):
        return "it is not a mapping"
    url, kind = clean_scalar(entry.get("url")), clean_scalar(entry.get("kind"))
    if not url:
        return "it has no url"
    if not title:
        return "it has no title"
    if len(entry["url"]) > MAX_TEXT_LENGTH:
        return f"its url has more than {MAX_TEXT_LENGTH:,} characters"
    host, rest, problem = _read_url(url, fqdn)
    if problem:
        return f"its url {url[:100]!r} {problem}"
    if kind not in PACKAGE_KINDS:
        return (
            f"its kind is {kind[:50]!r}, not one of {', '.join(PACKAGE_KINDS)}"
            if kind
            else "it has no kind"
        )
    prefix, name = _zim_path(rest) if kind == "zim" else ("", "")
    if kind == "zim" and not name:
        return f"its url {url[:100]!r} names no ZIM (//host/viewer#NAME or /content/NAME)"
    ident, size = clean_scalar(entry.get("ident")), _size_of(entry.get("download"))
    return Package(kind, cut_text(title), host, name, ident, prefix, size)


def _size_of(download: Any) -> int | None:
    """The bytes that `download` says a package takes; None where it does not, or no number."""
    size = clean_scalar(download.get("size")) if isinstance(download, dict) else ""
    return int(size) if _BYTES.fullmatch(size) else None


def _read_url(url: str, fqdn: str) -> tuple[str, str, str]:
    """(host, what comes after it, what is wrong with them) of a URL."""
    if _PLACEHOLDER.search(url):
        if not fqdn:
            return "", "", "needs the hotspot's name: give it as fqdn in metadata"
        url = _fill_in(url, fqdn)
    match = _URL.fullmatch(url)
    rest = (match["rest"] or "") if match else ""
    if not match or not (match["start"] or rest.startswith("/")):
        return "", "", "is not of the form //host/..."
    host = host_of_url(match["host"])
    why = why_impossible(host)
    return host, rest, f"has the host {host[:100]!r}, which cannot exist: {why}" if why else ""


def _fill_in(url: str, fqdn: str) -> str:
    """A URL whose `{fqdn}` is the hotspot's name, and `{browse-fqdn}` is `browse.` and that name.

    This is what the dashboard makes of it.
    """
    return _PLACEHOLDER.sub(lambda found: f"{found['name']}.{fqdn}" if found["name"] else fqdn, url)


def _zim_path(rest: str) -> tuple[str, str]:
    """The prefix of a ZIM's paths, and its name; the name is empty when there is none."""
    if match := _VIEWER.fullmatch(rest) or _CONTENT.fullmatch(rest):
        return unquote(match["prefix"]).rstrip("/"), unquote(match["name"].split("/", 1)[0])
    return "", ""


def _one_line(error: Exception) -> str:
    """What is wrong and where, without the lines around it."""
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return " ".join(f"{problem or error}{place}".split())[:300] or type(error).__name__
