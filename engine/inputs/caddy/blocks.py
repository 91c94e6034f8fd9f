"""The fast path: whole blocks of Caddy's usual lines at once, with the same result as line by line.

For every block, the request keys counted here, put through `request_of` and `rules.inputs_of`, make
the same inputs at the same second as `parse_line` makes of the same lines one by one; a line for
which this module cannot vouch is a fallback line. `tests/fastpath/` proves it by mutation.

One pattern, anchored on Caddy's fixed order of keys, runs over a part of the block in C and takes
of each line only what decides its inputs: second, request (method to beginning of the path),
response. `Counter` then adds up equal ones, again in C. A line that the pattern does not match
comes back whole. What the pattern leaves unchecked, because looking closely at each byte would
double the cost, a second check of the part decides: with all plain characters deleted, each line
must leave the braces of its shape, no backslash and nothing but ASCII outside of its headers, no
control character, and its newline. A line that does not is a fallback line.

Always fallback lines: escapes and non-ASCII outside of headers, DELETE, percent-encoding that hides
where the path leads, and lines of hosts whose `X-Tfm-Files-` headers count, if they may have one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from engine.hosts import without_port
from engine.inputs.caddy.line import SHAPE, TEXT, read_headers
from engine.inputs.model import MAX_LINE_BYTES, Request
from engine.inputs.rules import first_value
from engine.packages import FILE_MANAGER, Packages

Found = tuple[bytes, bytes, bytes, bytes]
"""A request key (second, request, response, b""); of a fallback line only the last, its text.

The request is the line's own text from the method to the beginning of the path, such as
`GET","host":"lib.box","uri":"/content/bees/`, with a quote, a question mark or a number sign behind
it where the path ends there. The response is the status, of a redirect with its headers.
"""

PART_BYTES: Final = 128 * 1024

_QUICK: Final = rb'[^"]*+'  # in place of TEXT: what else that excludes, the second check finds
_SEGMENT = rb'[^/?#%"\\\x00-\x1f\x80-\xff]*+'
_CODED = rb'[^/?#"\\\x00-\x1f\x80-\xff]*+'
# Where a path leads is decided by its first segment, and below /content/ or /api/ by the second.
# Percent-encoding may be in what is taken, unless it could make "content", "api" or a slash of it.
_PATH = (
    rb"(?>/(?:content/" + _CODED + rb"|api/" + _CODED + rb"|"
    rb"(?!%[0-7]|c%|co%|con|a%|ap)" + _CODED + rb"|" + _SEGMENT + rb"(?!%))"
    rb'/?(?:["?#]|))'
)
_PLAIN_PREFIX = re.compile(r"(?:/[!$&-.0-9:-<=>@-\[\]^_`a-z{|}~]*)+")
_DELETED: Final = bytes(byte for byte in range(0x20, 0x80) if byte not in b"{}\\")
_LEFT: Final = re.compile(
    rb"\{\{\{[\\\x80-\xff]*+\}(?:\{[\\\x80-\xff]*+\})?\}\{[\\\x80-\xff]*+\}\}"
)
_MAX_KNOWN: Final = 1000
_HEADER: Final = b"X-Tfm-Files-"
_ESCAPED: Final = b"\\u00"  # a letter of that name, written in another way


class Scanner:
    """Scans blocks of lines for one packages file."""

    def __init__(self, packages: Packages) -> None:
        path = _path(list(packages.prefixes))
        shares = (entry.host for entry in packages.entries if entry.ident == FILE_MANAGER)
        # An IPv6 address can be written in many ways: lines of any of them are checked.
        hosts = {"[" if host.startswith("[") else without_port(host) for host in shares}
        names = b"|".join(re.escape(host.encode()) for host in hosts)
        self._known: set[bytes] = {b""}  # what lines may leave after the second check
        self._any_host = _pattern(b"", path)
        # Of file managers the response headers count, so their lines are parsed.
        self._others = _pattern(rb"(?!(?i:" + names + rb"))", path) if names else self._any_host

    def scan(self, blocks: Iterable[bytes]) -> tuple[Counter[Found], list[bytes]]:
        """Count lines by request key; the fallback lines, each with its newline."""
        keys: Counter[Found] = Counter()
        for block in blocks:
            begin = 0
            while begin < len(block):
                end = block.rfind(b"\n", begin, begin + PART_BYTES) + 1
                if not end:  # one line that is longer than a part
                    end = block.index(b"\n", begin) + 1
                keys.update(self._scan_part(block[begin:end], self._others))
                begin = end
        fallback = []
        for key in [key for key in keys if key[3]]:
            n = keys.pop(key)
            found = self._scan_again(key)
            if found[3]:
                fallback += [found[3]] * n
            else:
                keys[found] += n
        return keys, fallback

    def shortened(self, response: bytes) -> bytes:
        """The response of a redirect without what decides nothing: status and `Location`."""
        status, _, headers = response.partition(b',"resp_headers":')
        values = read_headers(headers)
        request = Request(0, "", "", "", int(status), values)
        return status + first_value(request, "Location").encode("utf-8", "surrogatepass")

    def request_of(self, request: bytes, response: bytes) -> Request:
        """A request that makes the same inputs as all lines that are counted as this one."""
        method, _, _, _, host, _, _, _, uri, *end = request.decode("ascii").split('"')
        if not end and uri[-1] not in "?#":  # there is more, it does not matter what
            uri += "x"
        headers = {"Location": [response[3:].decode("utf-8", "surrogatepass")]}
        return Request(0, method, host, uri, int(response[:3]), headers)

    def _scan_again(self, fallback: Found) -> Found:
        """A line of a host whose response headers count rarely has those that do."""
        line = fallback[3]
        if self._others is self._any_host or _HEADER in line or _ESCAPED in line:
            return fallback
        return self._scan_part(line, self._any_host)[0]

    def _scan_part(self, part: bytes, pattern: re.Pattern[bytes]) -> list[Found]:
        if len(part) > MAX_LINE_BYTES + 1:
            return [(b"", b"", b"", part)]  # a line that is too long
        found: list[Found] = pattern.findall(part)
        left = part.translate(None, _DELETED).split(b"\n")
        if len(left) != len(found) + 1:  # a cut line, and the next one taken for the rest of it
            lines = part.split(b"\n")[:-1]
            return [self._scan_part(line + b"\n", pattern)[0] for line in lines]
        wrong = {rest for rest in set(left) - self._known if not self._is_right(rest)}
        if wrong:
            lines = part.split(b"\n")
            for index, rest in enumerate(left):
                if rest in wrong and not found[index][3]:
                    found[index] = (b"", b"", b"", lines[index] + b"\n")
        return found

    def _is_right(self, rest: bytes) -> bool:
        if not _LEFT.fullmatch(rest):
            return False
        if len(self._known) < _MAX_KNOWN:  # there are few, unless someone makes many
            self._known.add(rest)
        return True


def _path(prefixes: list[str]) -> bytes:
    """The pattern of as much of a path as decides its meaning, where ZIMs have these prefixes.

    The first segments of a path, as many as a prefix can have, are only taken as they are: with
    percent-encoding there, which could make a prefix of them, a line is a fallback line.
    """
    if not prefixes:
        return _PATH
    plain = [prefix.encode() for prefix in prefixes if _PLAIN_PREFIX.fullmatch(prefix)]
    longest_first = b"|".join(map(re.escape, sorted(plain, key=lambda prefix: -len(prefix))))
    more = max(prefix.count("/") for prefix in prefixes) - 1
    as_it_is = rb'(?!(?:/[^/?#"]*+){0,%d}/[^/?#"%%]*+%%)' % more
    return as_it_is + (rb"(?>(?:" + longest_first + rb")(?=/)|)" if plain else b"") + _PATH


def _pattern(host: bytes, path: bytes) -> re.Pattern[bytes]:
    """The pattern of a usual line, else of any line; `host` excludes hosts."""
    places = {
        # A fraction of nothing but nines would, as a float, be the next second.
        b"ts": rb"([1-3][0-9]{9})(?:\.(?!999999)[0-9]++)?",
        b"request": rb'((?!DELETE")[A-Z]++","host":"'
        + (host + _QUICK + rb'","uri":"' + path)
        + (rb')(?>(?<=")|' + _QUICK + rb'")'),
        b"response": rb'(?>((?:[1245-9][0-9]{2}|304)(?=,)|3[0-9]{2},"resp_headers":\{[^}]*+\}))'
        rb'(?>(?<=\})|,"resp_headers":\{[^}]*+\})',
    }
    return re.compile(rb"^" + SHAPE.replace(TEXT, _QUICK) % places + rb"\n|(.*\n)", re.M)
