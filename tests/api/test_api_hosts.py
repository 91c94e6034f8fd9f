"""Host names that are let in, and those that are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api.hosts import host_allowed, host_of_origin

OURS = frozenset({"My.Hotspot.example", "metrics.school.org"})


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
    ],
)
def test_visitors_of_the_hotspot_get_in(host: str) -> None:
    """By address, by a name the public DNS cannot hold, by its own names and those below."""
    assert host_allowed(host, OURS)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.com",
        "school.org",
        "notmetrics.school.org",
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
    """Whatever a stranger can point at us in the public DNS, and whatever is no host at all."""
    assert not host_allowed(host, OURS)


def test_without_names_only_what_nobody_can_own_gets_in() -> None:
    """An unconfigured hotspot is reached by address and by local names."""
    assert host_allowed("10.0.0.1", frozenset())
    assert not host_allowed("metrics.school.org", frozenset())


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
