"""Log lines, valid, unusual and broken, generated from a seeded `random.Random`.

Each is the bytes of a line without its newline, sometimes with one inside (a torn line). Most begin
as what Caddy writes, with one of many kinds of requests; then none, one or a few mutations are
applied, to single bytes or to parts with a meaning.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final

SAMPLES: Final = Path(__file__).resolve().parents[2] / "samples"

PACKAGES: Final = """
packages:
  - {kind: zim, title: Bees, url: "//lib.box/viewer#bees_en_2026-05"}
  - {kind: zim, title: Old bees, url: "//lib.box/viewer#bees_en_2024-01"}
  - {kind: zim, title: Ants, url: "//lib.box/content/ants"}
  - {kind: zim, title: More ants, url: "//lib.box/viewer#ants"}
  - {kind: zim, title: Café, url: "//lib.box/viewer#caf%C3%A9 cr%C3%A8me"}
  - {kind: zim, title: Slashed, url: "//lib.box/viewer#apple"}
  - {kind: zim, title: Con, url: "//lib.box/viewer#con"}
  - {kind: zim, title: Api, url: "//lib.box/viewer#api"}
  - {kind: files, title: Games, url: "//games.box/"}
  - {kind: files, title: Both, url: "//lib.box/"}
  - {kind: app, title: Docs, url: "//docs.box/", ident: edupi.offspot.kiwix.org}
  - {kind: app, title: Share, url: "//share.box/", ident: file-manager.offspot.kiwix.org}
  - {kind: app, title: Share 8080, url: "//port.box:8080/", ident: file-manager.offspot.kiwix.org}
  - {kind: app, title: Maps, url: "//maps.box/", ident: maps.example.org}
"""

PREFIXED: Final = (
    PACKAGES
    + """
  - {kind: zim, title: Bees below, url: "//lib.box/kiwix/viewer#bees_en_2026-05"}
  - {kind: zim, title: Ants below, url: "//lib.box/kiwix/viewer#ants"}
  - {kind: zim, title: Deep, url: "//lib.box/kiwix/lib/content/ants"}
  - {kind: zim, title: Odd, url: "//lib.box/caf%C3%A9/viewer#ants"}
  - {kind: zim, title: Content, url: "//maps.box/content/viewer#ants"}
"""
)
"""The same, with ZIMs whose paths have a prefix."""

_HOSTS: Final = (
    *("lib.box",) * 6,
    *("games.box", "docs.box", "share.box", "maps.box", "port.box:8080", "port.box"),
    *("LIB.box", "lib.box:80", "lib.box.", "Share.BOX", "share.box.:80", "SHARE.box:8000"),
    *("other.box", "share.boxes", "", "[::1]:80", "lib.box:", "é.box", "share.box\\u002e"),
)
_SEGMENTS: Final = (
    *("content",) * 8,
    *("kiwix", "kiwix", "kiwix/content", "kiwix/lib", "lib", "k%69wix", "kiwi%78", "kiwix%2Flib"),
    *("kiwix/content/ants", "kiwix/ants", "kiwix/lib/content/ants", "kiwix/content/bees_en"),
    *("bees_en_2026-05", "bees_en_2024-01", "bees_en", "ants", "ants_2026-01", "apple", "con"),
    *("api", "documents", "viewer", "raw", "search", "skin", "A", "index.html", "x.png", "7"),
    *("%63ontent", "c%6Fntent", "co%6etent", "conten%74", "contents", "Content", "content%2Fants"),
    *("%61nts", "a%6Ets", "ant%73", "ants%2F", "ants%2Fx", "%2Fants", "ants%3Fx", "ants%23"),
    *("caf%C3%A9%20cr%C3%A8me", "caf%C3%A9 crème", "caf%c3%a9", "%C3%A9", "%D0%92", "%E9t%E9"),
    *("a%70i", "ap%69", "%61pi", "documents%2F7", "documents%2F", "c%", "co%", "%", "%2", "%zz"),
    *("", "", ".", "..", "a b", "a+b", "%00", "%0A", "%7F", "%25", "%2525", "é", "api%2Fdocuments"),
    *("\\u0061nts", "a\\/b", "a\\\\b", 'a\\"b', "{", "}", "{}", "a:b", "a,b", "'", "\x7f"),
)
_ENDS: Final = ("", "", "", "/", "/", "?", "?x=/content/ants/", "/?q", "#", "#x", "//", "/?#", "%")
_DOCUMENTS: Final = (
    *(
        "/api/documents/",
        "/api/documents",
        "/api/documents/7",
        "/api/documents/7/",
        "/api/documents//",
    ),
    *(
        "/api/documents/7/8",
        "/api/documents/7//",
        "/api/documents/7?x",
        "/api/documents/?x",
        "/api/",
    ),
    *(
        "/api/documents%2F",
        "/api/documents%2F7",
        "/api/document%73/",
        "/%61pi/documents/",
        "/api%2F7",
    ),
    *("/api/documents/7%2F8", "/api/documents/%2F", "/api/documents/7#x", "//api/documents/"),
)
_METHODS: Final = ("GET",) * 12 + (
    "HEAD",
    "POST",
    "POST",
    "DELETE",
    "DELETE",
    "PUT",
    "get",
    "",
    "DELETED",
)
_STATUSES: Final = (
    *("200",) * 10,
    *("201", "204", "206", "301", "302", "302", "303", "304", "304", "307", "308", "399"),
    *("400", "404", "500", "199", "100", "99", "20", "2000", "0", "-200", "200.0", "2e2"),
    *('"200"', '"0x"', '"+200"', "null", "true", "0200", "1e400", "[200]", '"302"', '"٢٠٠"'),
)
_TIMES: Final = (
    *("1781388000.5", "1781388059.9999", "1781388060", "1781391599.999999", "1781391600.0000001"),
    *("1781388059.9999999", "1781388059.99999999999999", "1781388059.999999", "1781388059.9999989"),
    *("946684799.9", "946684800", "4102444800", "4102444801", "999999999.5", "10000000000", "1e9"),
    *("1.7813880005e9", "0", "-1781388000", "NaN", "Infinity", "-Infinity", "1" * 400, "1e999"),
    *('"1781388000.5"', '"2026-06-14T10:00:00Z"', '"2026-06-14T10:00:00.9+02:00"', '"now"', "null"),
    *("01781388000", "1781388000.", ".5", "1781388000.5e0", "true", "1" * 5000, "3999999999.5"),
    *(
        '"2026-06-14T06:42:00.123-0330"',
        '"2026-06-14T18:13:00+0800"',
        '"14/Jun/2026:10:00:00 +0000"',
    ),
    *("1781388000123.5", "1781388000123456789", '"2026/06/14 10:00:00"'),
)
_TFM: Final = (
    *('["1"]', '["3"]', '["100000"]', '["100001"]', '["0"]', '["-1"]', '["007"]', '["1.0"]'),
    *('[" 1"]', '["1","2"]', "[1]", '"1"', "[]", "null", '["٣"]', '["1",2]', '["\\u0031"]', "{}"),
    '["99999999999999999999"]',
)
_COUNTED: Final = (
    *("X-Tfm-Files-Added", "X-Tfm-Files-Added", "X-Tfm-Files-Deleted", "X-Tf\\u006d-Files-Added"),
    *("x-tfm-files-added", "\\u0058-Tfm-Files-Deleted", "X-Tfm-Files-Adde\\u0064"),
)
_LOCATIONS: Final = (
    *(
        "/content/ants/",
        "/content/ants",
        "/ants/",
        "/content/ants/A/x",
        "http://lib.box/content/ants",
    ),
    *("//lib.box/content/bees_en/", "/content/%61nts/?x", "", "/content/", "ants", "/viewer#ants"),
    *("/content/bees_en_2026-05/", "https://x/", "\\/content\\/ants", "/content/caf\\u00e9"),
)
_HEADERS: Final = (
    '"User-Agent":["Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"]',
    '"Accept":["*/*"]',
    '"Accept-Language":["fr-FR,fr;q=0.8,en;q=0.5"]',
    '"Referer":["http://lib.box/content/ants/"]',
    '"If-None-Match":["\\"5d8c72a5edda8\\""]',
    '"Cookie":[]',
    '"X-Note":["\\u00e9\\n\\t\\\\"]',
    '"X-Note":["{\\"status\\":200}"]',
    '"X-Note":["}},\\"user_id\\":\\"\\",\\"status\\":404,\\"resp_headers\\":{"]',
    '"X-Note":["\\ud800"]',
    '"X-Note":["é"]',
    '"X-Note":["\x7f"]',
    '"X-Note":["} {"]',
    '"X-Note":["{}"]',
    '"X-Note":["unclosed]',
    '"X-Note":[nothing]',
    '"X-Tfm-Files-Added":["9"]',
    '"status":500',
)
_TLS: Final = (
    '"tls":{"resumed":false,"version":772,"cipher_suite":4865,"proto":"h2","server_name":"lib.box"}'
)


def make(chance: random.Random) -> bytes:
    """One line, mutated or not."""
    roll = chance.random()
    line = _sample(chance) if roll < 0.3 else _request(chance)
    for _ in range(chance.choice((0, 0, 1, 1, 1, 2, 3))):
        line = chance.choice(MUTATIONS)(chance, line)
    return lengthened(line, _long(chance)) if roll > 0.9995 else line


def lengthened(line: bytes, length: int) -> bytes:
    """A line with another header, so that it has that length."""
    empty = line.replace(b'"headers":{', b'"headers":{"X":[""],', 1)
    return empty.replace(b'[""]', b'["' + b"x" * (length - len(empty)) + b'"]', 1)


def make_plain(chance: random.Random) -> bytes:
    """A line that Caddy has written."""
    return chance.choice(_samples())


def week() -> list[bytes]:
    """All lines of the recorded week."""
    packed = sorted((SAMPLES / "week").glob("*.json.gz"))
    return [line for path in packed for line in gzip.decompress(path.read_bytes()).splitlines()]


def _long(chance: random.Random) -> int:
    """A length about those where parts, blocks and lines end."""
    return chance.choice((1000, 128 * 1024, 1024 * 1024)) + chance.randrange(-9, 10)


@lru_cache(1)
def _samples() -> list[bytes]:
    packed = [*SAMPLES.glob("*.json.gz"), *sorted((SAMPLES / "week").glob("*.json.gz"))[::4]]
    found = [line for path in packed for line in gzip.decompress(path.read_bytes()).split(b"\n")]
    for path in SAMPLES.glob("*.json"):
        found += path.read_bytes().split(b"\n")
    return [line for line in found if line]


def _sample(chance: random.Random) -> bytes:
    """A recorded line, half of the time sent to a host of ours."""
    line = chance.choice(_samples())
    if chance.random() < 0.5:
        host = chance.choice(_HOSTS).encode()
        line = re.sub(rb'"host":"[^"]*"', lambda _: b'"host":"' + host + b'"', line, count=1)
    return line


def _headers(chance: random.Random, *more: str) -> str:
    usual = chance.randrange(3)
    chosen = chance.sample(_HEADERS[:5], usual)
    if chance.random() < 0.15:
        chosen.append(chance.choice(_HEADERS))
    chosen += more
    chance.shuffle(chosen)
    return "{" + ",".join(chosen) + "}"


def _request(chance: random.Random) -> bytes:
    """What Caddy would write of a request, or nearly."""
    uri = "/" + "/".join(chance.choice(_SEGMENTS) for _ in range(chance.choice((0, 1, 1, 2, 2, 3))))
    uri += chance.choice(_ENDS)
    if chance.random() < 0.05:
        uri = chance.choice(
            ("*", "", "http://lib.box/content/ants/", "lib.box:443", "/api/documents/")
        )
    host, method = chance.choice(_HOSTS), chance.choice(_METHODS)
    status = chance.choice(_STATUSES[:34]) if chance.random() < 0.95 else chance.choice(_STATUSES)
    if chance.random() < 0.1:
        host, uri = "docs.box", chance.choice(_DOCUMENTS)
        method, status = chance.choice((("POST", "201"), ("DELETE", "204"), (method, status)))
    ts = chance.choice(_TIMES[:5]) if chance.random() < 0.9 else chance.choice(_TIMES)
    more = []
    if status.startswith("3") or chance.random() < 0.05:
        more.append(f'"Location":["{chance.choice(_LOCATIONS)}"]')
    if chance.random() < 0.1:
        name = chance.choice(_COUNTED)
        more.append(f'"{name}":{chance.choice(_TFM)}')
    later = chance.random() < 0.5
    text = (
        f'{{"level":"{chance.choice(("info", "error"))}","ts":{ts},"logger":"http.log.access.log0",'
        '"msg":"handled request","request":{"remote_ip":"192.168.2.7","remote_port":"40000",'
        + ('"client_ip":"192.168.2.7",' if later else "")
        + f'"proto":"HTTP/1.1","method":"{method}",'
        f'"host":"{host}","uri":"{uri}","headers":{_headers(chance)}'
        + (f",{_TLS}" if chance.random() < 0.1 else "")
        + "},"
        + ('"bytes_read":0,' if later else "")
        + f'"user_id":"","duration":0.000{chance.randrange(1, 999999)},'
        f'"size":{chance.randrange(9)},"status":{status},"resp_headers":{_headers(chance, *more)}}}'
    )
    return text.encode("utf-8", "surrogatepass")


# --- mutations --------------------------------------------------------------------------------

Mutation = Callable[[random.Random, bytes], bytes]


def _place(chance: random.Random, line: bytes) -> int:
    return chance.randrange(len(line) + 1)


def _insert_byte(chance: random.Random, line: bytes) -> bytes:
    at = _place(chance, line)
    alphabet = b'{}[]",:\\/%?# \t\r\x00\x1f\x7f\x80\xc3\xff019eE.+-ntu'
    return line[:at] + bytes([chance.choice(alphabet)]) + line[at:]


def _insert_text(chance: random.Random, line: bytes) -> bytes:
    at = _place(chance, line)
    texts = [
        *(b"{}", b"}{", b'"}', b'\\"', b"\\u0041", b"\\ud83d", b"\xe2\x80\xa8", b"\xed\xa0\x80"),
        *(b',"status":200', b'"msg":"x",', b"X-Tfm-Files-Added", b"\\u00", b"\xef\xbb\xbf"),
        b"[" * 99,
    ]
    return line[:at] + chance.choice(texts) + line[at:]


def _remove(chance: random.Random, line: bytes) -> bytes:
    at = _place(chance, line)
    return line[:at] + line[at + chance.choice((1, 1, 1, 2, 5, 40)) :]


def _replace_byte(chance: random.Random, line: bytes) -> bytes:
    at = _place(chance, line)
    return line[:at] + bytes([chance.randrange(256)]) + line[at + 1 :]


def _cut(chance: random.Random, line: bytes) -> bytes:
    return line[: _place(chance, line)] if chance.random() < 0.5 else line[_place(chance, line) :]


def _tear(chance: random.Random, line: bytes) -> bytes:
    at = _place(chance, line)
    return line[:at] + b"\n" + line[at:]


def _join(chance: random.Random, line: bytes) -> bytes:
    other = _request(chance)
    return line[: _place(chance, line)] + other[_place(chance, other) :]


def _escape(chance: random.Random, line: bytes) -> bytes:
    """One character written as JSON's escape, wherever it is."""
    if not line:
        return line
    at = chance.randrange(len(line))
    return line[:at] + b"\\u%04x" % line[at] + line[at + 1 :]


def _escape_header(chance: random.Random, line: bytes) -> bytes:
    """The same in the name of a header that counts."""
    found = [m.start() for m in re.finditer(rb"X-Tfm-Files-|Location", line)]
    if not found:
        return line
    at = chance.choice(found) + chance.randrange(8)
    return line[:at] + b"\\u%04x" % line[at] + line[at + 1 :]


def _percent(chance: random.Random, line: bytes) -> bytes:
    """One character of the uri percent-encoded."""
    found = re.search(rb'"uri":"([^"]*)"', line)
    if not found or not found[1]:
        return line
    at = chance.randrange(found.start(1), found.end(1))
    return line[:at] + b"%%%02X" % line[at] + line[at + 1 :]


def _reorder(chance: random.Random, line: bytes) -> bytes:
    """The same object with its keys in another order, or written with spaces."""
    try:
        data = json.loads(line)
        request = data["request"]
        items, inner = list(data.items()), list(request.items())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return line
    if chance.random() < 0.5:
        chance.shuffle(items)
    else:
        chance.shuffle(inner)
    result = dict(items) | {"request": dict(inner)}
    compact = chance.random() < 0.7
    separators = (",", ":") if compact else (", ", ": ")
    try:
        text = json.dumps(result, ensure_ascii=chance.random() < 0.5, separators=separators)
    except ValueError:
        return line
    return text.encode("utf-8", "surrogatepass")


def _repeat_key(chance: random.Random, line: bytes) -> bytes:
    """A key a second time, at some comma, with the same value, a counterfeit, or another's."""
    commas = [m.start() for m in re.finditer(rb",", line)]
    members: list[bytes] = re.findall(rb'"[a-z_]+":(?:"[^"]*"|[0-9.]+)', line)
    if not commas or not members:
        return line
    at = chance.choice(commas)
    counterfeits = [
        *(b'"ts":1', b'"status":404', b'"uri":"/"', b'"host":"lib.box"', b'"method":"POST"'),
        *(b'"request":{}', b'"headers":{}', b'"resp_headers":{}', b'"resp_headers":[]', b'"msg":0'),
    ]
    return line[:at] + b"," + chance.choice([*members, *counterfeits]) + line[at:]


def _look_alike(chance: random.Random, line: bytes) -> bytes:
    """A whole line within another: in a header's value, escaped or not, or as a member."""
    other = _request(chance)
    form = chance.randrange(3)
    if form == 0:
        other = b'"X":[%s],' % json.dumps(other.decode("utf-8", "replace")).encode()
    elif form == 1:
        other = b'"X":[%s],' % other
    else:
        other = b'"X":["%s"],' % other
    return line.replace(b'"headers":{', b'"headers":{' + other, 1)


def _change_member(chance: random.Random, line: bytes) -> bytes:
    """Another value, of a right type or a wrong one, for a member that is read."""
    name = chance.choice((b"ts", b"status", b"msg", b"method", b"host", b"uri", b"level"))
    values = (*_TIMES, *_STATUSES, '""', '"handled request"', '"/content/ants/"', "{}", "[]", "-0")
    value = chance.choice(values).encode()
    pattern = b'"' + name + rb'":(?:"[^"]*"|[-0-9.eE+]+)'
    return re.sub(pattern, lambda _: b'"' + name + b'":' + value, line, count=1)


def _drop_member(chance: random.Random, line: bytes) -> bytes:
    members: list[bytes] = re.findall(rb'"[a-z_]+":(?:"[^"]*"|[0-9.]+|\{[^{}]*\}),?', line)
    return line.replace(chance.choice(members), b"", 1) if members else line


def _control_in_header(chance: random.Random, line: bytes) -> bytes:
    what = bytes([chance.randrange(32)]) if chance.random() < 0.7 else b"\x7f"
    return line.replace(b'":["', b'":["' + what, chance.randrange(1, 4))


def _brace_in_header(chance: random.Random, line: bytes) -> bytes:
    what = chance.choice((b"{", b"}", b"{}", b"}{", b"{{}}"))
    return line.replace(b'":["', b'":["' + what, chance.randrange(1, 4))


def _swap_brace(chance: random.Random, line: bytes) -> bytes:
    """A brace too many in one place and too few in another."""
    places = [m.start() for m in re.finditer(rb"[{}]", line)]
    if not places:
        return line
    at = chance.choice(places)
    rest = line[:at] + line[at + 1 :]
    put = _place(chance, rest)
    return rest[:put] + line[at : at + 1] + rest[put:]


def _carriage_return(_: random.Random, line: bytes) -> bytes:
    return line + b"\r"


def _spaces(chance: random.Random, line: bytes) -> bytes:
    return chance.choice((b" ", b"\t", b"\r", b"\x0c", b"\xef\xbb\xbf")) + line


def _latin1(_: random.Random, line: bytes) -> bytes:
    return line.replace(b'":["', b'":["\xe9t\xe9', 1)


def _tls(_: random.Random, line: bytes) -> bytes:
    return re.sub(rb'\},("bytes_read"|"user_id")', rb"," + _TLS.encode() + rb"},\1", line, count=1)


def _count_header(chance: random.Random, line: bytes) -> bytes:
    name = chance.choice((*_COUNTED, "Location"))
    member = f'"{name}":{chance.choice(_TFM)}'.encode()
    comma = b"" if b'"resp_headers":{}' in line else b","
    where = b'"resp_headers":{' if chance.random() < 0.8 else b'"headers":{'
    return line.replace(where, where + member + comma, 1)


def _huge_number(chance: random.Random, line: bytes) -> bytes:
    digits = b"9" * chance.choice((19, 20, 309, 4300, 4301, 6000))
    return re.sub(
        rb'"(size|bytes_read|duration|status)":[0-9.]+', rb'"\1":' + digits, line, count=1
    )


def _nothing_left(chance: random.Random, _: bytes) -> bytes:
    return chance.choice(
        (b"", b"{}", b"[]", b"null", b'"x"', b"\x00", b"{" * 9, b'{"msg":1}', b"\r")
    )


MUTATIONS: Final[tuple[Mutation, ...]] = (
    *(_insert_byte, _insert_text, _remove, _replace_byte, _cut, _tear, _join, _escape) * 2,
    *(_escape_header, _percent, _percent, _reorder, _reorder, _repeat_key, _repeat_key),
    *(_look_alike, _look_alike, _change_member, _change_member, _drop_member, _control_in_header),
    *(_brace_in_header, _swap_brace, _swap_brace, _carriage_return, _spaces, _latin1, _tls),
    *(_count_header, _count_header, _huge_number, _nothing_left),
)
