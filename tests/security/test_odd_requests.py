"""Odd characters in requests through a real Caddy (S1, S6), and in titles (S1)."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.packages import parse_packages
from engine.text import clean_text
from lab.browser import Browser
from lab.caddy import Caddy
from lab.processes import missing_programs
from tests.security.cases import CURRENT, SECONDS, Serve
from tests.support.measured import measured

OURS = '{"level":"info","ts":1781388000.5,"msg":"handled request","status":200}'
ODD = {
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "next line": "\u0085",
    "byte order mark": "\ufeff",
    "right to left": "\u202e\u2067\u200f\u061c",
    "zero width": "\u200b\u200d\u2060",
    "no character": "\uffff\ufffe",
    "quotes": "\"'`\\",
    "braces": '}}{"}],[{',
    "escapes": "\\u0000\\ud800\\n",
    "coded line end": "%0a%0d%00%0b%0c%1b[2J",
    "coded line of ours": "%0a" + OURS.replace('"', "%22"),
    "a line of ours": OURS.replace(" ", "%20"),
    "markup": "<script>alert(1)</script>",
    "template": "{{7*7}}${7*7}",
    "broken percent": "%%%zz%",
}
RAW = {
    "no UTF-8": b"\xff\xfe\x80\xc0\xaf\xed\xa0\x80",
    "half a character": b"\xe2\x80",
}
REFUSED = {
    "vertical tab": b"\x0b",
    "form feed": b"\x0c",
    "zero byte": b"\x00",
    "escape": b"\x1b[2J",
    "tab": b"\t",
}


@pytest.fixture
def caddy(tmp_path: Path) -> Iterator[Caddy]:
    """A proxy that answers everything."""
    assert not missing_programs("caddy")
    with Caddy(tmp_path / "caddy", 'respond "ok" 200', tmp_path / "logs" / CURRENT) as running:
        yield running


def test_odd_requests_make_one_line_each(caddy: Caddy, tmp_path: Path) -> None:
    """S1, S6: what gets past the proxy is one line in its log, and is counted once."""
    targets = [f"/content/bees_en/{text}".encode() for text in ODD.values()]
    targets += [b"/content/bees_en/" + text for text in [*RAW.values(), *REFUSED.values()]]
    targets += [f"/content/bees_en/?{text}".encode() for text in ODD.values()]
    targets += [b"//content/../x", b"http://lib.box/content/bees_en/", b"/content/bees_en/"]
    passed, expected = 0, 0
    with Browser(caddy.address) as browser:
        for target in targets:
            agent = "x" + OURS
            status = browser.get("lib.box", target, [("User-Agent", agent)]).status
            assert status in {200, 400}, target
            passed += status == 200
            expected += status == 200 and b"content/bees_en/" in target
        for host in ("LIB.box", "lib.box.", "lib.box:80", "xn--lib.box", "lib.box:99999"):
            passed += browser.get(host, "/content/bees_en/").status == 200
        for method in ("FOO", "get", "PROPFIND"):
            passed += browser.ask(method, "lib.box", "/content/bees_en/").status == 200
            expected += 1
    refused = len(targets) + 8 - passed
    assert refused >= len(REFUSED), "the proxy itself stops control characters"
    with Serve(tmp_path / "serve") as serve:
        written = caddy.log.read_bytes()
        assert written.count(b"\n") == passed
        serve.log.write_bytes(written)
        serve.wait_for_lines(passed, SECONDS)
        lines = serve.lines
        assert lines["read"] == passed
        assert lines["read"] == lines["counted"] + lines["unmatched"]
        assert lines["counted"] >= expected
        assert serve.stop() == 0
    separators = sum(len(line.splitlines()) > 1 for line in written.decode().split("\n"))
    measured(sent=len(targets) + 8, refused_by_proxy=refused, lines=passed, split=separators)
    assert separators >= 3, "splitting at other ends of lines would have gone wrong"


@pytest.mark.parametrize("name", [*ODD, "controls", "halves"])
def test_titles_are_cleaned(name: str) -> None:
    """S1: what of a title cannot be printed or turns what follows it around becomes U+FFFD."""
    odd = {**ODD, "controls": "\x00\x07\x1b[2J\x7f\x9b", "halves": "\ud800x\udfff"}[name]
    content = f'packages: [{{kind: files, url: "//g.box/", title: {json.dumps("a" + odd)}}}]'
    [entry] = parse_packages(content.encode(), "here").entries
    for found in (entry.title, clean_text("a" + odd)):
        assert len(found) == len(("a" + odd).rstrip())
        assert not {unicodedata.category(c) for c in found} & {"Cc", "Cs", "Zl", "Zp"}
        assert not {unicodedata.bidirectional(c) for c in found} & {
            *("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"),
        }
        found.encode()
