"""What of a log line may be shown to whoever asks for help: nothing that tells of a visitor.

Only what is known to be ours is let through: hosts, names of packages, methods, answers, the words
of the proxy's own messages. Of everything else the shape is shown, letters as `a` and digits as
`0`, so that no address, login, cookie or query of a visitor can be in it, whatever the line is.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from engine.inputs.model import Request
from engine.inputs.rules import KIWIX_WORDS
from engine.packages import Packages, normal_host

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
"""What is in nobody's name of a ZIM or host, but has the characters of one."""
_WORD = re.compile(r"[^\W_]+(?:[_@.-]+[^\W_]+)*")
_RUN = re.compile(r"[^\W_]+")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_FIELDS: Final = frozenset(
    re.findall(
        "[A-Za-z_]+",
        """
        level ts logger msg request status size duration user_id resp_headers bytes_read error
        remote_ip remote_port client_ip remote_addr proto method host uri headers tls log stream
        time MESSAGE message timestamp PRIORITY SYSLOG_IDENTIFIER attrs severity event type
        """,
    )
)
_WORDS: Final = frozenset(
    re.findall(
        "[a-z0-9/]+",
        """
        server running serving initial configuration using config from file adjacent
        caddyfile adapted to json endpoint started disabled enabling http/3 listener
        automatic tls certificate management autosaved load with resume flag is
        listening only on the http port so no https will be applied this but has
        connection policies adding one enable completely for shutting down shutdown
        complete apps then terminating exiting nop background maintenance stopped
        storage cleaning happened too recently skipping now unit finished units input
        not formatted run fmt overwrite fix inconsistencies maxprocs leaving cpu quota
        undefined updated redirected default logger unchanged received request stopping
        current previous handshake error eof requested unsupported application protocols
        http2 reading preface timeout aborting incomplete response dial tcp connect
        connection refused reset by peer upstreams available context canceled failed
        sufficiently increase receive buffer size obtain obtaining renewing renewed
        lookup such host handled access log unable open permission denied write writing
        disk full deadline exceeded panic aborted invalid remote the a an of in and or
        was were be
        """,
    )
)


def message(text: object) -> str:
    """A message of a program: the words that the proxy uses itself, and nothing in between."""
    if not isinstance(text, str):
        return ""
    shown: list[str] = []
    for token in text[:1000].split():
        known = token.lower().strip(".,:;()'\"!") in _WORDS and token.isascii()
        word = token if known else HIDDEN
        if word != HIDDEN or shown[-1:] != [HIDDEN]:
            shown.append(word)
    return " ".join(shown)[:MAX_SHOWN]


def shape(line: bytes) -> str:
    """How a line that is no request begins: `0.0.0.0 - a [0/a/0:0:0:0 +0] "a / a/0.0" 0 0`."""
    text = _UNPRINTABLE.sub("?", line[:2000].decode("utf-8", "replace").translate(_FOLDED))
    cut = _WORD.sub(lambda found: _masked(found, text), text)
    return cut[:MAX_SHOWN] + HIDDEN * (len(cut) > MAX_SHOWN or len(line) > len(text))


class _Folded(dict[int, str]):
    """Letters and digits of any script as ASCII ones."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character.isascii():
            return character
        return "a" if character.isalpha() else "0" if character.isdigit() else "?"


_FOLDED: Final = _Folded()


def _masked(found: re.Match[str], text: str) -> str:
    is_field = text.startswith('"', found.start() - 1) and text.startswith('":', found.end())
    if is_field and found[0] in _FIELDS:
        return found[0]
    return _RUN.sub(lambda run: "0" if run[0].isdigit() else "a", found[0])


def host(asked: str, visitor: object = "") -> str:
    """A host as the log has it, in its normal form; what cannot be one, or is a visitor, hidden."""
    known = normal_host(asked)[:MAX_NAME]
    bare = re.sub(r":[0-9]*$", "", known).strip("[]")
    hidden = bare == visitor or _PERSONAL.search(bare) or not _HOST.fullmatch(known)
    return HIDDEN if hidden else known


def name(text: str) -> str:
    """A name that a ZIM could have; anything else hidden."""
    hidden = _ADDRESS.fullmatch(text) or _PERSONAL.search(text) or not _NAME.fullmatch(text)
    return HIDDEN if hidden else text[:MAX_NAME]


def path(request: Request, packages: Packages) -> str:
    """What was asked for, as far as it is ours: `/content/bees_en/…`."""
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
    """A request without its time: method, host and path, answer."""
    method = parsed.method if parsed.method in _METHODS else HIDDEN
    where = host(parsed.host, visitor) + path(parsed, packages)
    return f"{method} {where} {parsed.status}"
