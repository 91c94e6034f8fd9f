"""`doctor` on lines with a visitor in them: nothing of them leaves it, whatever the line is."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest

from engine.inputs import formats, masking
from tests.cli.cases import Program, SetUp, invoke, lines, visits

SECRETS = (
    *("203.0.113.77", "198.51.100.9", "2001:db8::beef", "fe80::aaaa:1", "192.0.2.200"),
    *("marieke", "hunter2", "s3cr3t", "fever", "c00kie", "deadbeefcafe", "zanele@example.org"),
)
TIME = "2026-06-14T10:00:00Z"


def full(**changes: Any) -> dict[str, Any]:
    """A line of Caddy's with a visitor wherever there can be one."""
    line = lines(f"{TIME} GET lib.box/content/bees_en/A?q=fever 200")
    data: dict[str, Any] = json.loads(line)
    data["user_id"] = "marieke"
    data["request"] |= {
        "remote_ip": "203.0.113.77",
        "client_ip": "203.0.113.77",
        "remote_port": "50122",
        "headers": {
            "X-Forwarded-For": ["198.51.100.9, 2001:db8::beef"],
            "Forwarded": ["for=192.0.2.200"],
            "Cookie": ["session=c00kie"],
            "Authorization": ["Basic deadbeefcafe"],
            "Referer": ["http://lib.box/search?q=fever"],
        },
    }
    for name, value in changes.items():
        at = data["request"] if name in {"host", "uri", "method"} else data
        if value is None:
            at.pop(name)
        else:
            at[name] = value
    return data


JSON_LINES = [
    full(),
    full(uri="/content/bees_en/A%3Fq%3Dfever?s3cr3t"),
    full(uri="/content/marieke@x/?q=fever", status=404),
    full(uri="/content/203.0.113.77/A"),
    full(uri="/~marieke/s3cr3t", host="games.box"),
    full(uri="/u/marieke/hunter2", host="share.box"),
    full(uri="http://marieke:hunter2@lib.box/"),
    full(uri="//marieke:hunter2@lib.box/"),
    full(uri="?q=fever"),
    full(uri="lib.box:443", method="CONNECT"),
    full(method="marieke"),
    full(host="marieke:hunter2@elsewhere.box"),
    full(host="203.0.113.77"),
    full(host="203.0.113.77:8080"),
    full(host="elsewhere.box"),
    full(host="q=fever"),
    full(status=None),
    full(status="s3cr3t"),
    full(ts="marieke 203.0.113.77"),
    full(ts=12),
    full(uri=None),
    full(msg="http: TLS handshake error from 203.0.113.77:50122: EOF"),
    full(msg="http: TLS handshake error from [2001:db8::beef]:50122: marieke s3cr3t"),
    full(msg="login of marieke with hunter2"),
    full(msg={"from": "203.0.113.77"}),
    full(msg=None),
    {"level": "error", "ts": 1.5, "msg": "aborting", "remote": "203.0.113.77", "user": "marieke"},
    {"log": '203.0.113.77 - marieke "GET /?q=fever HTTP/1.1"\n', "stream": "out", "time": TIME},
    {"MESSAGE": "Accepted for marieke from 203.0.113.77", "_HOSTNAME": "s3cr3t"},
    {"message": "GET /?q=fever", "client": {"ip": "2001:db8::beef"}, "marieke": "hunter2"},
    {"203.0.113.77": {"marieke": "hunter2"}},
    ["203.0.113.77", "marieke"],
    "203.0.113.77 marieke",
]
TEXT_LINES = [
    '203.0.113.77 - marieke [14/Jun/2026:10:00:00 +0000] "GET /?q=fever HTTP/1.1" 200 12',
    '2001:db8::beef - marieke [14/Jun/2026:10:00:00 +0000] "GET /s3cr3t HTTP/1.1" 200 12 "c00kie"',
    '2026/06/14 10:00:00.000\tINFO\thttp.log.access\thandled request\t{"user_id": "marieke"}',
    "2026/06/14 10:00:00 http: TLS handshake error from 203.0.113.77:50122: EOF",
    "2026/06/14 10:00:00 http: TLS handshake error from [fe80::aaaa:1%wlan0]:50122: EOF",
    "marieke",
    "203.0.113.77",
    "zanele@example.org fever",
    "\x1b[33m203.0.113.77\x1b[0m marieke",
    '{"level":"info","ts":1781431200.5,"request":{"remote_ip":"203.0.113.77","user":"marieke',
    'kie","remote_ip":"203.0.113.77","user_id":"marieke"}',
    "\0\0\0203.0.113.77\0marieke\0\0\0\0\0\0\0\0\0\0\0",
    "x" * 1_100_000 + " 203.0.113.77 marieke",
]


def log_of(setup: SetUp, kept: bytes = b"") -> int:
    content = [json.dumps(data) for data in JSON_LINES] + TEXT_LINES
    setup.log(kept + "\n".join(content).encode() + b"\n")
    return len(content)


@pytest.mark.parametrize("how", ["table", "json"])
@pytest.mark.parametrize("there", [True, False], ids=["packages", "no packages"])
def test_nothing_of_a_visitor_is_shown(setup: SetUp, how: str, there: bool) -> None:
    """Addresses, logins, cookies and queries stay where they are, whatever the line's form."""
    number = log_of(setup)
    if not there:
        setup.packages.unlink()
    for lines_shown in (number, 0):
        result = invoke("doctor", "--format", how, "--lines", lines_shown, *setup.options)
        said = result.out + result.err
        for secret in (*SECRETS, "50122", "marie", "hunter"):
            assert secret not in said, (secret, [t for t in said.split("\n") if secret in t])


def test_each_line_alone_shows_nothing_of_a_visitor(setup: SetUp) -> None:
    """Nor does its reason."""
    for text in [*map(json.dumps, JSON_LINES), *TEXT_LINES]:
        setup.log(text.encode() + b"\n")
        said = invoke("doctor", "--format", "json", *setup.options).out
        assert not [secret for secret in SECRETS if secret in said], text[:300]


def test_what_helps_is_shown_all_the_same(setup: SetUp) -> None:
    """File and offset, the shape of a foreign line, host and package of a request, the answer."""
    log_of(setup, visits(600, 1))
    found = invoke("doctor", "--format", "json", "--lines", 100, *setup.options).json
    shown = {line["offset"]: line for line in found["lines"]}
    assert shown[0]["line"].endswith(" GET lib.box/content/bees_en/ 200")
    texts = [line["line"] for line in found["lines"]]
    assert texts[1].endswith(" GET lib.box/content/bees_en/… 200")
    content = (setup.logs / "caddy_access_logs.json").read_bytes()
    for offset, line in shown.items():
        assert offset == 0 or content[offset - 1 : offset] == b"\n"
        assert line["file"] == "caddy_access_logs.json"
    assert '0.0.0.0 - a [0/a/0:0:0:0 +0] "a /?a=a a/0.0" 0 0' in texts
    assert any(text.startswith('{"log": "0.0.0.0') and '"stream": "a"' in text for text in texts)
    details = [reason["detail"] for reason in found["reasons"]]
    assert "http: TLS handshake error from … EOF" in details
    assert "elsewhere.box" in details
    assert "elsewhere.box" in found["hosts"]["log"]


def test_the_shape_of_a_line_has_no_letter_or_digit_of_it() -> None:
    """Whatever the bytes: nothing but `a`, `0`, punctuation and names of fields comes out."""
    chance = random.Random(20260614)
    fields = formats.field_names()
    for _ in range(3000):
        line = bytes(chance.choices(range(256), k=chance.randrange(200)))
        if chance.random() < 0.5:
            line = chance.choice(TEXT_LINES)[:300].encode() + line
        shown = masking.shape(line, fields)
        for word in re.findall(r"\w+", shown):
            assert set(word) <= set("a0_") or word in fields, (line, shown)
        assert all(" " <= letter <= "~" or letter == "…" for letter in shown)


def test_a_path_cannot_steer_who_reads_the_findings(program: Program, setup: SetUp) -> None:
    """No raw control character or direction mark of a path, a host or a name, in JSON neither."""
    bad = "\x9b31m\u202egnp\x1b]0;x\x07\x85\u2028"
    setup.log(
        json.dumps(full(uri=f"/content/{bad}")).encode()
        + b"\n"
        + json.dumps(full(uri=f"/content/{bad}", status=404)).encode()
        + b"\n"
        + json.dumps(full(host=f"x{bad}.box")).encode()
        + b"\n"
    )
    setup.log(b"x\n", f"caddy_access_logs-{bad}.json")
    setup.log(b"x\n", f"other-{bad}.json")
    for how in ("json", "table"):
        said = program.run("doctor", "--format", how, *setup.options).out
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", said)


@pytest.mark.parametrize(
    "personal",
    [
        "aa-bb-cc-dd-ee-ff",
        "AA_BB_CC_DD_EE_F0",
        "256772991337",
        "772-991-337-04",
        "4fd1a9c0b77e4d2b9f3a6a1b2c3d4e5f",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0",
    ],
)
def test_what_has_the_characters_of_a_name_and_is_none_is_hidden(personal: str) -> None:
    """An address of a network card, a telephone number or a token, as a ZIM or in a host."""
    assert masking.name(personal) == masking.name(f"of {personal}") == masking.HIDDEN
    assert masking.host(f"{personal}.lan") == masking.host(f"{personal}:80") == masking.HIDDEN


@pytest.mark.parametrize(
    "name",
    [
        *("wikipedia_en_all_maxi_2026-05", "stackoverflow.com_en_all_2026-05a", "2048"),
        *("internationalencyclopaedia", "mdwiki_2026-05-10", "bees 20260510"),
    ],
)
def test_names_of_zims_are_shown(name: str) -> None:
    """With their dates, long words and numbers: they are what the operator looks for."""
    assert masking.name(name) == name


@pytest.mark.parametrize(
    "host", ["xn--mgberp4a5d4a87g0abc1.example", "192.168.144.1:8080", "[2001:db8::1]", "box-2.lan"]
)
def test_hosts_are_shown(host: str) -> None:
    """Addresses that were asked for and names in Unicode among them."""
    assert masking.host(host) == host
