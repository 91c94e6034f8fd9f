"""A real kiwix-serve below a prefix (`--urlRootLocation`), and homes that lead to themselves."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from lab.browser import Browser
from lab.caddy import Caddy
from lab.kiwix import KiwixServe
from lab.processes import missing_programs
from lab.zims import zim
from tests.cli.cases import day_of, invoke

PACKAGES = """
packages:
  - {kind: zim, title: Bees, url: "//lib.box/kiwix/viewer#bees_en"}
  - {kind: zim, title: Ants, url: "//lib.box/old/lib/viewer#ants_en"}
  - {kind: files, title: Games, url: "//games.box/"}
"""
SITE = """
@kiwix path /kiwix/*
handle @kiwix {{
  reverse_proxy 127.0.0.1:{kiwix}
}}
@old path /old/lib/*
handle @old {{
  reverse_proxy 127.0.0.1:{old}
}}
@games host games.box
handle @games {{
  @first not query again=*
  handle @first {{
    redir https://games.box/?again=yes 308
  }}
  handle {{
    respond "games" 200
  }}
}}
handle {{
  respond 404
}}
"""


def test_zims_below_a_prefix_and_homes_that_lead_to_themselves(tmp_path: Path) -> None:
    """Each ZIM's visits count below the prefix of its own url, and a redirect to https is no
    visit of a files host, what follows it is.
    """
    assert not missing_programs("caddy", "kiwix-serve", "zimwriterfs")
    pages = {"index.html": "<html><head><title>Home</title></head><body>Home</body></html>"}
    bees = zim(tmp_path / "bees_en.zim", name="bees_en", title="Bees", pages=pages)
    ants = zim(tmp_path / "ants_en_2026-05.zim", name="ants_en", title="Ants", pages=pages)
    log = tmp_path / "logs" / "caddy_access_logs.json"
    with ExitStack() as stack:
        kiwix = stack.enter_context(KiwixServe(tmp_path / "kiwix", [bees], root="/kiwix"))
        old = stack.enter_context(KiwixServe(tmp_path / "old", [ants], root="/old/lib"))
        site = SITE.format(kiwix=kiwix.port, old=old.port)
        caddy = stack.enter_context(Caddy(tmp_path / "caddy", site, log))
        with Browser(caddy.address) as browser:
            assert browser.follow("lib.box", "/kiwix/bees_en/")[-1] == "/kiwix/bees_en/index.html"
            assert browser.get("lib.box", "/kiwix/search?content=bees_en&pattern=x").status == 200
            assert browser.follow("lib.box", "/old/lib/ants_en/")[-1].endswith("/index.html")
            assert browser.get("lib.box", "/bees_en/").status == 404
            assert browser.get("games.box", "/").status == 308
            assert browser.get("games.box", "/?again=yes").status == 200
    packages = tmp_path / "packages.yml"
    packages.write_text(PACKAGES)
    result = invoke("replay", "--format", "json", "--packages", packages, log)
    assert result.code == 0, result.err
    day = next(p["aggValue"] for p in result.json["periods"] if p["aggKind"] == "D")
    visits = {i["package"]: i["visits"] for i in day_of(result, day)[2001]["items"]}
    assert visits == {"Ants": 1, "Bees": 1, "Games": 1}
