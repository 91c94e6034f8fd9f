"""What of a log line may be shown in a report of `doctor`: nothing that identifies a visitor.

Hosts, names of packages, methods and statuses are shown as they are, because they are known to be
the hotspot's own. Everything else is shown with its letters as `a` and its digits as `0`, so that
no address, login, cookie or query of a visitor can be in it, whatever the line is.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from engine.hosts import normal_host
from engine.inputs.model import Request
from engine.inputs.rules import KIWIX_WORDS
from engine.packages import Packages

HIDDEN: Final = "…"
MAX_SHOWN: Final = 100
MAX_NAME: Final = 200
KIWIX_FILES: Final = frozenset(["viewer_settings.js", "favicon.ico", "robots.txt"])

_METHODS: Final = frozenset(
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "PROPFIND"]
)
_OURS: Final = KIWIX_WORDS | KIWIX_FILES | {"", "api", "documents"}
_QUERY = re.compile(r"[?#]")
_ADDRESS = re.compile(r"\.*(?:[0-9]+\.){3}[0-9]+\.*")
_HOST = re.compile(r"(?:[\w-]+(?:\.[\w-]+)*\.?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")
_NAME = re.compile(r"[\w.+ ()'-]{1,200}")
_PERSONAL = re.compile(
    r"(?:(?<![0-9a-f])[0-9a-f]{2}[-_. ]){5}[0-9a-f]{2}(?![0-9a-f])"  # an address of a network card
    r"|(?<![0-9])\+?[0-9](?:[ ()-]?[0-9]){8,}(?![0-9])"  # a telephone number
    r"|(?<![0-9a-z])(?<!xn--)(?=[a-z]*[0-9])[0-9a-z]{20,}",  # a token
    re.I,
)
"""What has the characters of a name of a ZIM or host, and identifies a person."""
_WORD = re.compile(r"[^\W_]+(?:[_@.-]+[^\W_]+)*")
_RUN = re.compile(r"[^\W_]+")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")


def shape(line: bytes, field_names: frozenset[str]) -> str:
    """How a line that is no request begins: `0.0.0.0 - a [0/a/0:0:0:0 +0] "a / a/0.0" 0 0`.

    Of its words only names of fields are shown as they are, and only where JSON has them.
    """
    text = _UNPRINTABLE.sub("?", line[:2000].decode("utf-8", "replace").translate(_FOLDED))
    cut = _WORD.sub(lambda found: _masked(found, text, field_names), text)
    return cut[:MAX_SHOWN] + HIDDEN * (len(cut) > MAX_SHOWN or len(line) > len(text))


class _Folded(dict[int, str]):
    """Letters and digits of any script as ASCII ones."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character.isascii():
            return character
        return "a" if character.isalpha() else "0" if character.isdigit() else "?"


_FOLDED: Final = _Folded()


def _masked(found: re.Match[str], text: str, field_names: frozenset[str]) -> str:
    is_field = text.startswith('"', found.start() - 1) and text.startswith('":', found.end())
    if is_field and found[0] in field_names:
        return found[0]
    return _RUN.sub(lambda run: "0" if run[0].isdigit() else "a", found[0])


def host(requested: str, visitor: object = "") -> str:
    """The normal form of a host in a log; hidden when it is none, or a visitor's address."""
    normal = normal_host(requested)[:MAX_NAME]
    bare = re.sub(r":[0-9]*$", "", normal).strip("[]")
    hidden = bare == visitor or _PERSONAL.search(bare) or not _HOST.fullmatch(normal)
    return HIDDEN if hidden else normal


def name(text: str) -> str:
    """A name that a ZIM could have; anything else hidden."""
    hidden = _ADDRESS.fullmatch(text) or _PERSONAL.search(text) or not _NAME.fullmatch(text)
    return HIDDEN if hidden else text[:MAX_NAME]


def path(request: Request, packages: Packages) -> str:
    """The path of a request, as far as it is the hotspot's own: `/content/bees_en/…`."""
    if not request.uri.startswith("/"):
        return "*" if request.uri == "*" else HIDDEN
    site = packages.site(request.host)
    libraries = site.libraries if site else ()
    ours = _OURS.union(*(library.prefix.split("/") for library in libraries))
    shown = ""
    for segment in unquote(_QUERY.split(request.uri, maxsplit=1)[0]).split("/")[1:]:
        if segment not in ours and not any(library.titles(segment) for library in libraries):
            return f"{shown}/{HIDDEN}"
        shown += f"/{segment}"
    return shown if len(shown) <= MAX_NAME else f"{shown[:MAX_NAME]}{HIDDEN}"


def request(parsed: Request, packages: Packages, visitor: object = "") -> str:
    """A request without its time: method, host and path, status."""
    method = parsed.method if parsed.method in _METHODS else HIDDEN
    where = host(parsed.host, visitor) + path(parsed, packages)
    return f"{method} {where} {parsed.status}"
