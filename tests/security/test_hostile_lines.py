"""Log lines that want to break what reads them: JSON (S4), forged headers (S5), mutations (S24)."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.indicators.model import States
from engine.packages import parse_packages
from engine.pipeline import Pipeline, Tally
from engine.store.store import Store
from tests.cli.cases import invoke, kpis_of
from tests.security.cases import DAY, MEGABYTE, NOON, PACKAGES, line, resident
from tests.support.golden import FATES
from tests.support.measured import measured

CREATED, DELETED = "X-Tfm-Files-Added", "X-Tfm-Files-Deleted"
WHEN = re.compile(rb'(?<="ts":)[0-9.]+')
HEAD, REST = line().split(b'"uri":"/content/bees_en/"')
MAX_GROWTH = 16 * MEGABYTE


def of(uri: bytes) -> bytes:
    """A line with these bytes where the address is."""
    return HEAD + b'"uri":' + uri + REST


def ts(value: bytes) -> bytes:
    """A line with this time."""
    return WHEN.sub(value, line(), count=1)


def status(value: bytes) -> bytes:
    """A line with this status."""
    return line().replace(b'"status":200', b'"status":' + value)


def doubled(key: bytes, value: bytes) -> bytes:
    """A line that has a key twice; the last one counts, as in all JSON readers."""
    return line().replace(b'"resp_headers"', key + b":" + value + b',"resp_headers"')


HORRORS: dict[str, tuple[bytes, str]] = {
    "nested lists": (b"[" * 100_000 + b"]" * 100_000 + b"\n", "not-json"),
    "nested lists in the address": (of(b"[" * 100_000 + b"]" * 100_000), "not-json"),
    "nested objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n", "not-json"),
    "lists that never close": (b"[" * 500_000 + b"\n", "not-json"),
    "a status of 5000 digits": (status(b"2" * 5000), "not-json"),
    "a time of 5000 digits": (ts(b"1" * 5000), "not-json"),
    "a time of 4000 digits": (ts(b"1" * 4000), "bad-time"),
    "a time of 400 digits": (ts(b"1" * 400), "bad-time"),
    "2**63 as a time": (ts(str(2**63).encode()), "bad-time"),
    "2**63 as a status": (status(str(2**63).encode()), "unmatched"),
    "-2**64 as a status": (status(str(-(2**64)).encode()), "unmatched"),
    "1e999 as a time": (ts(b"1e999"), "bad-time"),
    "-1e999 as a time": (ts(b"-1e999"), "bad-time"),
    "1e400 as a status": (status(b"1e400"), "incomplete"),
    "NaN as a time": (ts(b"NaN"), "bad-time"),
    "Infinity as a time": (ts(b"Infinity"), "bad-time"),
    "NaN as a status": (status(b"NaN"), "incomplete"),
    "true as a status": (status(b"true"), "incomplete"),
    "an address that is a number": (of(b"5"), "incomplete"),
    "an address that is an object": (of(b'{"a":1}'), "incomplete"),
    "half a character, escaped": (of(rb'"/content/bees_en/\ud800"'), "counted"),
    "half a character as the name": (of(rb'"/content/\ud800/"'), "unmatched"),
    "half a character as the host": (
        line().replace(b"lib.box", rb"lib.box\udfff"),
        "unmatched",
    ),
    "half a character, raw": (of(b'"/content/bees_en/\xed\xa0\x80"'), "not-json"),
    "no UTF-8": (of(b'"/content/bees_en/\xff"'), "not-json"),
    "a zero byte": (of(b'"/content/bees_en/\x00"'), "not-json"),
    "a zero byte, escaped": (of(rb'"/content/bees_en/\u0000"'), "counted"),
    "an overlong slash": (of(b'"/content\xc0\xafbees_en/"'), "not-json"),
    "a mark of byte order": (b"\xef\xbb\xbf" + line(), "not-json"),
    "a key twice": (doubled(b'"status"', b"404"), "unmatched"),
    "a key twice, then of another type": (doubled(b'"status"', b"[]"), "incomplete"),
    "a request twice": (doubled(b'"request"', b"{}"), "incomplete"),
    "a hundred thousand keys": (
        b"{" + b",".join(b'"k%d":0' % n for n in range(60_000)) + b"}\n",
        "not-access-log",
    ),
    "one key a hundred thousand times": (
        b"{" + b'"k":0,' * 100_000 + b'"k":0}\n',
        "not-access-log",
    ),
    "only text": (b'"handled request"\n', "not-json"),
    "only null": (b"null\n", "not-json"),
    "nothing": (b"\n", "not-json"),
    "only a carriage return": (b"\r\n", "not-json"),
    "zero bytes": (b"\x00" * 4096 + b"\n", "not-json"),
    "headers that are a list": (
        line().replace(b'"resp_headers":{"Server":["Caddy"]}', b'"resp_headers":[]'),
        "incomplete",
    ),
    "just over 1 MiB": (of(b'"/content/bees_en/' + b"x" * (1 << 20) + b'"'), "too-long"),
    "64 MiB": (b"x" * (1 << 26) + b"\n", "too-long"),
}


@pytest.mark.parametrize("name", HORRORS)
def test_a_horror_is_one_line_of_one_fate(name: str, tmp_path: Path) -> None:
    """S4: it is counted under its reason, and the good lines around it count and are saved."""
    horror, fate = HORRORS[name]
    packages, log, database = (tmp_path / n for n in ("packages.yml", "log.json", "metrics.db"))
    packages.write_text(PACKAGES)
    good = [line(at=NOON + second) for second in range(3)]
    log.write_bytes(good[0] + horror + good[1] + horror + good[2])
    options = ["--packages", packages, "--format", "json", "--database", database]
    result = invoke("replay", *options, log)
    assert result.code == 0, result.err
    lines = {name: n for name, n in result.json["lines"].items() if n and name != "read"}
    assert lines == dict(Counter(["counted"] * 3 + [fate] * 2))
    kept = invoke("kpis", "--period", DAY, "--format", "json", "--database", database)
    assert kpis_of(kept.json)[2001]["totalVisits"] == 3
    assert "Traceback" not in result.err + kept.err


def forged(value: str, name: str = CREATED) -> bytes:
    """A line of the file manager with a header of this JSON value."""
    return line("/", host="share.box", method="POST", more=f',"{name}":{value}')


FORGED = {
    '["7"]': 7,
    '["007"]': 7,
    '["100000"]': 100_000,
    '["100001"]': 0,
    '["1000000000"]': 0,
    '["99999999999999999999999999"]': 0,
    '["0"]': 0,
    '["-1"]': 0,
    '["+1"]': 0,
    '["1.0"]': 0,
    '["1e3"]': 0,
    '["0x10"]': 0,
    '["1_000"]': 0,
    '[" 1"]': 0,
    '["1\\n"]': 0,
    '["٣"]': 0,
    '["x"]': 0,
    '[""]': 0,
    "[]": 0,
    "[7]": 0,
    '"7"': 0,
    "7": 0,
    '{"a":"7"}': 0,
    "null": 0,
    '["7",7]': 0,
    json.dumps(["7"] * 100): 7,
    json.dumps(["x"] + ["7"] * 99): 0,
    json.dumps(["9" * 100_000]): 0,
    json.dumps(["0" * 100_000 + "7"]): 7,
}


@pytest.mark.parametrize("value", FORGED, ids=range(len(FORGED)))
def test_forged_numbers_of_files_are_bounded(value: str) -> None:
    """S5: from 1 to 100,000 files count; any other value spoils the header, not the line."""
    pipeline = Pipeline(parse_packages(PACKAGES.encode(), "here"))
    tally = pipeline.count(forged(value) + forged(value, DELETED))
    shared = {key[2]: n for key, n in tally.states.items() if key[1] == 1003}
    wanted = FORGED[value]
    assert shared == ({"FILE_CREATED": wanted, "FILE_DELETED": wanted} if wanted else {})
    assert tally.fates == {"counted": 2}


def test_only_the_file_manager_is_believed() -> None:
    """S5: the headers count on its host alone, in their own spelling, and of good answers."""
    pipeline = Pipeline(parse_packages(PACKAGES.encode(), "here"))
    others = [
        line("/", host=host, method="POST", more=f',"{CREATED}":["7"]')
        for host in ("lib.box", "docs.box", "games.box", "share.box.evil", "evil.share.box")
    ]
    others.append(line("/", host="share.box", more=f',"{CREATED.lower()}":["7"]'))
    others.append(line("/", host="share.box", status=404, more=f',"{CREATED}":["7"]'))
    tally = pipeline.count(b"".join(others))
    assert not [key for key in tally.states if key[1] == 1003]


SHORT = (
    b'{"ts":"2026-06-14T10:00:00Z","msg":"handled request","status":"200","request":{'
    b'"method":"GET","host":"lib.box","uri":"/content/bees_en/"}}\n'
)
SEEDS = [
    line(),
    line("/content/bees_en/A/Bee.html?x=1#y"),
    line("/api/documents/", host="docs.box", method="POST", status=201),
    line("/api/documents/5", host="docs.box", method="DELETE", status=204),
    forged('["3"]'),
    line("/bees_en/A/x", status=302, more=',"Location":["/content/bees_en/x"]'),
    line("/%63ontent/bees_en/%00", host="LIB.box:80"),
    SHORT,
]
PIECES = [
    *(b"\x00", b"\xff", b"\\u", rb"\ud800", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\r", b"%"),
    *(b"1e999", b"NaN", b"-", b"9" * 40, b"null", b'"ts":', b'"status":0,', b"\xe2\x80\xa8"),
    *(b'"request":', b"X-Tfm-Files-Added", b"/content/", b"[[[[[[[[", b"\xed\xa0\x80", b"\x85"),
]


PLAIN = bytes(range(256)) + bytes(range(32, 127)) * 10


def mutated(chance: random.Random) -> bytes:
    """A line with some bytes changed, cut out, doubled or put in; never with an end of line."""
    data = bytearray(chance.choice(SEEDS)[:-1])
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(7):
            case 0 | 6:
                data[at : at + 1] = bytes([chance.choice(PLAIN)])
            case 1:
                del data[at : at + chance.randint(1, 40)]
            case 2:
                data[at:at] = chance.choice(PIECES) * chance.randint(1, 3)
            case 3:
                data[at:at] = data[at : at + chance.randint(1, 60)]
            case 4:
                data[at:at] = chance.choice(SEEDS)[: chance.randint(1, 300)]
            case _:
                data[at : at + 1] = (
                    bytes([data[at] ^ 1 << chance.randrange(8)]) if data[at:] else b""
                )
    return bytes(data).replace(b"\n", b" ") + b"\n"


@pytest.mark.parametrize(
    "count",
    [20_000, pytest.param(1_000_000, marks=[pytest.mark.full, pytest.mark.timeout(600)])],
)
def test_mutated_lines(count: int, tmp_path: Path) -> None:
    """S24: each has one fate, all can be saved, no exception comes out, memory stays flat."""
    seed = 20_260_614
    print(f"seed {seed}")
    chance = random.Random(seed)
    pipeline = Pipeline(parse_packages(PACKAGES.encode(), "here"))
    fates: Counter[str] = Counter()
    warm, growth, saved = 0, 0, 0
    store = Store.open(tmp_path / "metrics.db", ZoneInfo("UTC"))
    try:
        for begin in range(0, count, 1000):
            tally = pipeline.count(b"".join(mutated(chance) for _ in range(1000)))
            assert tally.fates.total() == 1000
            fates += tally.fates
            saved += sum_of(tally)
            store.commit(tally.states, meta={"saved_at": NOON})
            if begin == count // 4:
                warm = resident(_ourselves())
            growth = max(growth, resident(_ourselves()) - warm) if warm else 0
        assert sum_in(store) == saved
    finally:
        store.close()
    measured(lines=count, fates=dict(fates), growth_mb=growth / MEGABYTE)
    assert set(fates) <= set(FATES)
    assert fates["not-json"] > count // 10 < fates["counted"], "neither all broken nor all whole"
    assert growth < MAX_GROWTH


def _ourselves() -> int:
    return int(Path("/proc/self").readlink().name)


def sum_of(tally: Tally) -> int:
    """The visits of a tally."""
    return _visits(tally.states)


def _visits(states: States) -> int:
    return sum(n for key, n in states.items() if key[1] == 1001)


def sum_in(store: Store) -> int:
    """The visits of all records."""
    rows = store.connection.execute("SELECT value FROM record WHERE indicator_id = 1001")
    return sum(value for (value,) in rows)
