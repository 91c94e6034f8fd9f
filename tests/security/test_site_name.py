"""The name of the hotspot, from `--site` or `SITE_NAME`, is as fit to be shown as any title."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.packages import Packages, parse_packages
from engine.runtime.service_status import ServiceStatus
from engine.settings import make_config
from tests.security.cases import Serve

FILE = parse_packages(b"metadata: {name: From the file}\npackages: []\n", "packages.yml")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("School 7", "School 7"),
        ("  School \n 7\t", "School 7"),
        ("a\x1b[31mb\x00c\x9bd", "a\ufffd[31mb\ufffdc\ufffdd"),
        ("\u202eevil", None),
        ("\udce9cole", "\ufffdcole"),
        ("\ud83d\ude00 Bees", "\U0001f600 Bees"),
        ("x" * 1000, "x" * 299 + "\u2026"),
        ("\u200b\u2800\u3164", "From the file"),
        (" ", "From the file"),
    ],
)
def test_a_site_is_cleaned_like_a_title(given: str, shown: str | None) -> None:
    """S35: white space, control characters, halves of pairs, length; one that cannot be seen is
    none. What is done to a title of the packages file is done to it.
    """
    for options, environment in (({"site": given}, {}), ({}, {"SITE_NAME": given})):
        status = ServiceStatus("0", make_config(options, environment))
        status.use_packages(FILE)
        entry = {"kind": "files", "title": given, "url": "//a.box/"}
        text = json.dumps({"packages": [entry]})
        titles = parse_packages(text.encode(), "packages.yml").titles
        expected = titles[0] if titles else FILE.name
        assert status.site_name == expected
        assert shown is None or expected == shown
    assert ServiceStatus("0", make_config({}, {})).packages == Packages()


def test_the_page_is_given_the_clean_name(tmp_path: Path) -> None:
    """By the real program, in the status that the page and its exports use."""
    with Serve(tmp_path, more=["--site", " a\x1b[2J\u2028b "]) as serve:
        assert serve.status["site"]["name"] == "a\ufffd[2J b"
        assert serve.stop() == 0
