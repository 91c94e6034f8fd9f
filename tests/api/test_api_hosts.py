"""Host names that are let in, and those that are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api.hosts import host_allowed, host_of_origin, names_of_hotspot
from engine.packages import parse_packages
from engine.runtime.service_status import ServiceStatus
from engine.settings import make_config

OURS = names_of_hotspot(
    "my.hotspot.example", frozenset({"metrics.School.org", "kiwix.org", "school.ac.ug", "lib.box"})
)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "192.168.144.1:8000",
        "[::1]",
        "[fe80::1]:80",
        "[::ffff:10.0.0.1]",
        "localhost",
        "LOCALHOST:80",
        "raspberrypi",
        "metrics",
        "pi.local",
        "pi.local.",
        "metrics.my-kiwix.hotspot",
        "my.hotspot.example",
        "metrics.my.hotspot.example:80",
        "a.b.my.hotspot.example",
        "metrics.school.org",
        "metrics.school.org:",
        "kiwix.org",
        "school.ac.ug.:8080",
    ],
)
def test_visitors_of_the_hotspot_get_in(host: str) -> None:
    """By address, by a name the public DNS cannot hold, by its own names, those below its fqdn."""
    assert host_allowed(host, OURS)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.com",
        "school.org",
        "notmetrics.school.org",
        "x.metrics.school.org",
        "evil.ac.ug",
        "ac.ug",
        "x.school.ac.ug",
        "metrics.org",
        "x.metrics.org",
        "metrics.kiwix.org",
        "evil.box",
        "metrics.lib.box",
        "hotspot.example",
        "evil.example",
        "my.hotspot.example.evil.com",
        "evil.com#my.hotspot.example",
        "evil.com/metrics.school.org",
        "127.0.0.1.evil.com",
        "127.1.evil.com",
        "local.evil.com",
        "a..local",
        ".local",
        "[::1",
        "[::1].evil.com",
        "[evil.com]",
        "localhost:80:80",
        "localhost:port",
        "localhost, evil.com",
        "user@localhost",
        "local host",
        "127.0.0.1\x00",
        "\u212aiwix.evil.com",
        "x" * 300,
        "256.1.1.1.com",
    ],
)
def test_names_that_others_own_stay_out(host: str) -> None:
    """S30: whatever a stranger can point at us in the public DNS, and whatever is no host at all;
    no name beside, above or below a package's host is let in because of that host.
    """
    assert not host_allowed(host, OURS)


def test_without_names_only_what_nobody_can_own_gets_in() -> None:
    """An unconfigured hotspot is reached by address and by local names."""
    assert host_allowed("10.0.0.1", frozenset())
    assert not host_allowed("metrics.school.org", frozenset())


@pytest.mark.parametrize(
    ("fqdn", "let_in", "kept_out"),
    [
        ("box.lan", ["metrics.lan", "a.b.lan"], ["metrics.home", "lan.evil.com"]),
        ("school.home.arpa", ["metrics.home.arpa"], ["metrics.arpa", "evil.in-addr.arpa"]),
        ("my.school.ug", ["metrics.my.school.ug"], ["school.ug", "x.school.ug", "evil.ug"]),
        ("my.kiwix.hotspot", ["metrics.other.hotspot"], ["hotspot.com"]),
        ("", [], ["metrics.lan", "x.example"]),
    ],
)
def test_the_top_level_of_the_offspot(fqdn: str, let_in: list[str], kept_out: list[str]) -> None:
    """S30: names beside `metadata.fqdn` get in where nobody can buy a name with that ending."""
    names = names_of_hotspot(fqdn, frozenset())
    assert [host for host in let_in if not host_allowed(host, names)] == []
    assert [host for host in kept_out if host_allowed(host, names)] == []


def test_the_names_of_a_packages_file() -> None:
    """S30: hosts of entries stand for themselves, the fqdn for what is below it, Unicode is one."""
    text = """
metadata: {fqdn: Ma.École.lan}
packages:
  - {kind: files, title: A, url: "//school.ac.ug:8080/"}
  - {kind: zim, title: B, url: "//kiwix.org/viewer#b"}
  - {kind: app, title: C, url: "//[fd00::1]:81/"}
"""
    config = make_config({}, {"ALLOWED_HOSTS": "http://metrics.gov:81"})
    status = ServiceStatus("0", config)
    status.use_packages(parse_packages(text.encode(), "packages.yml"))
    names = status.host_names
    for host in ("school.ac.ug", "kiwix.org:80", "x.ma.xn--cole-9oa.lan", "any.lan", "metrics.gov"):
        assert host_allowed(host, names), host
    for host in ("evil.ac.ug", "x.metrics.org", "metrics.org", "x.kiwix.org", "x.metrics.gov"):
        assert not host_allowed(host, names), host


@given(st.text(max_size=300))
def test_any_text_gets_a_verdict(host: str) -> None:
    """Nothing a client sends raises."""
    assert host_allowed(host, OURS) in (True, False)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://metrics.my.hotspot", "metrics.my.hotspot"),
        ("https://Metrics:8443", "metrics"),
        ("http://[::1]:80", ""),
        ("null", ""),
        ("", ""),
        ("http://a b", ""),
    ],
)
def test_the_host_of_an_origin(origin: str, host: str) -> None:
    """Where pages of ours come from, we may be asked under that name."""
    assert host_of_origin(origin) == host
