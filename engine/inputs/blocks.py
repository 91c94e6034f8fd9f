"""The fast path: whole blocks of Caddy's usual lines at once. Same result as line by line.

In: a block of complete lines. Out: a count of equal requests, and the lines left over, each of
which is to be read by `caddy.parse_line`.

Contract: for every block, the requests counted here, put through `rules.inputs_of`, make the
same inputs at the same second as `parse_line` makes of the same lines one by one; a line that
this module cannot vouch for is left over. `tests/fastpath/` holds it to that by mutation.

How: one pattern, anchored on Caddy's fixed order of keys, runs over a part of the block in C and
gives of each line only what decides its inputs: second, method to beginning of the path, answer.
`Counter` then adds up equal ones, again in C. A line that the pattern does not know comes back
whole. What the pattern leaves unchecked, because looking closely at each byte would double
the cost, is settled by a second look at the part: with all plain characters deleted, each line must
leave the braces of its shape, no backslash and nothing but ASCII outside of its headers, no control
character, and its newline. A line that does not is odd.

Left over, always: escapes and non-ASCII outside of headers, DELETE, percent-encoding that hides
where the path leads, and lines of hosts whose `X-Tfm-Files-` headers count, if they may have one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from engine.inputs.caddy import MAX_LINE_BYTES, SHAPE, TEXT, read_headers
from engine.inputs.model import Request
from engine.inputs.rules import first_value

Usual = tuple[bytes, bytes, bytes, bytes]
"""(second, what was asked, answer, b""); of an odd line only the last, its text.

What was asked is the line's own text from the method to the beginning of the path, such as
`GET","host":"lib.box","uri":"/content/bees/`, with a quote, a question mark or a number sign behind
it where the path ends there. The answer is the status, of a redirect with its headers.
"""

PART_BYTES: Final = 128 * 1024

_QUICK: Final = rb'[^"]*+'  # in place of TEXT: what else that excludes, the second look finds
_SEGMENT = rb'[^/?#%"\\\x00-\x1f\x80-\xff]*+'
_CODED = rb'[^/?#"\\\x00-\x1f\x80-\xff]*+'
# Where a path leads is told by its first segment, and by the second one below /content/ or /api/.
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
    """Scans blocks of lines.

    Of `hosts` the response headers count, so their lines are read. `prefixes` may stand before the
    path of a ZIM.
    """

    def __init__(self, hosts: Iterable[str] = (), prefixes: Iterable[str] = ()) -> None:
        names = b"|".join(re.escape(host.encode()) for host in hosts)
        path = _path(list(prefixes))
        self._known: set[bytes] = {b""}  # what lines may leave behind the second look
        self._anyone = _pattern(b"", path)
        self._others = _pattern(rb"(?!(?i:" + names + rb"))", path) if names else self._anyone

    def scan(self, blocks: Iterable[bytes]) -> tuple[Counter[Usual], list[bytes]]:
        """Count the usual lines of blocks that end with a newline; the other lines as they are."""
        usual: Counter[Usual] = Counter()
        for block in blocks:
            begin = 0
            while begin < len(block):
                end = block.rfind(b"\n", begin, begin + PART_BYTES) + 1
                if not end:  # one line that is longer than a part
                    end = block.index(b"\n", begin) + 1
                usual.update(self._scan_part(block[begin:end], self._others))
                begin = end
        odd = []
        for key in [key for key in usual if key[3]]:
            n = usual.pop(key)
            found = self._look_again(key)
            if found[3]:
                odd += [found[3][:-1]] * n
            else:
                usual[found] += n
        return usual, odd

    def _look_again(self, odd: Usual) -> Usual:
        """A line of a host whose response headers count has seldom those that do."""
        line = odd[3]
        if self._others is self._anyone or _HEADER in line or _ESCAPED in line:
            return odd
        return self._scan_part(line, self._anyone)[0]

    def _scan_part(self, part: bytes, pattern: re.Pattern[bytes]) -> list[Usual]:
        if len(part) > MAX_LINE_BYTES + 1:
            return [(b"", b"", b"", part)]  # a line that is too long
        found: list[Usual] = pattern.findall(part)
        left = part.translate(None, _DELETED).split(b"\n")
        if len(left) != len(found) + 1:  # a cut line, and the next one taken for the rest of it
            lines = part.split(b"\n")[:-1]
            return [self._scan_part(line + b"\n", pattern)[0] for line in lines]
        doubtful = {rest for rest in set(left) - self._known if not self._is_right(rest)}
        if doubtful:
            lines = part.split(b"\n")
            for index, rest in enumerate(left):
                if rest in doubtful and not found[index][3]:
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
    percent-encoding there, which could make a prefix of them, a line is left over.
    """
    if not prefixes:
        return _PATH
    plain = [prefix.encode() for prefix in prefixes if _PLAIN_PREFIX.fullmatch(prefix)]
    longest_first = b"|".join(map(re.escape, sorted(plain, key=lambda prefix: -len(prefix))))
    more = max(prefix.count("/") for prefix in prefixes) - 1
    as_it_is = rb'(?!(?:/[^/?#"]*+){0,%d}/[^/?#"%%]*+%%)' % more
    return as_it_is + (rb"(?>(?:" + longest_first + rb")(?=/)|)" if plain else b"") + _PATH


def _pattern(host: bytes, path: bytes) -> re.Pattern[bytes]:
    """The pattern of a usual line, or of any; `host` says what a host may not be."""
    places = {
        # A fraction of nothing but nines would, as a float, be the next second.
        b"ts": rb"([1-3][0-9]{9})(?:\.(?!999999)[0-9]++)?",
        b"asked": rb'((?!DELETE")[A-Z]++","host":"'
        + (host + _QUICK + rb'","uri":"' + path)
        + (rb')(?>(?<=")|' + _QUICK + rb'")'),
        b"answer": rb'(?>((?:[1245-9][0-9]{2}|304)(?=,)|3[0-9]{2},"resp_headers":\{[^}]*+\}))'
        rb'(?>(?<=\})|,"resp_headers":\{[^}]*+\})',
    }
    return re.compile(rb"^" + SHAPE.replace(TEXT, _QUICK) % places + rb"\n|(.*\n)", re.M)


def redirect_of(answer: bytes) -> bytes:
    """The answer of a redirect without what does not matter: status and `Location`."""
    status, _, headers = answer.partition(b',"resp_headers":')
    values = read_headers(headers)
    request = Request(0, "", "", "", int(status), values)
    return status + first_value(request, "Location").encode("utf-8", "surrogatepass")


def request_of(asked: bytes, answer: bytes) -> Request:
    """A request that makes the same inputs as all lines that are counted as this one."""
    method, _, _, _, host, _, _, _, uri, *end = asked.decode("ascii").split('"')
    if not end and uri[-1] not in "?#":  # there is more, it does not matter what
        uri += "x"
    headers = {"Location": [answer[3:].decode("utf-8", "surrogatepass")]}
    return Request(0, method, host, uri, int(answer[:3]), headers)
