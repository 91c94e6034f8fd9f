"""Which copy a client takes, and which it has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.http.negotiation import accepts_gzip, etag_matches


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("*", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("gzip ; q = 0.5", True),
        ("gzip;q=0.001", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip;Q=0", False),
        ("*;q=0", False),
        ("gzip;q=0, *;q=1", False),
        ("*;q=1, gzip;q=0", False),
        ("gzip;q=2", False),
        ("gzip;q=-1", False),
        ("gzip;q=", False),
        ("gzipped", False),
        (", ,;,;;=", False),
        ("br, " * 100 + "gzip", True),
    ],
)
def test_gzip_is_sent_to_those_who_ask_for_it(header: str, accepted: bool) -> None:
    """`q=0` means no, in every spelling; what is no quality means no too."""
    assert accepts_gzip(header) is accepted


@pytest.mark.parametrize(
    ("header", "matches"),
    [
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", "abc"', True),
        ('"x" ,W/"abc"', True),
        ("*", True),
        (" * ", True),
        ('"ab"', False),
        ('"abcd"', False),
        ("abc", False),
        ('"abc', False),
        ('""', False),
        ("", False),
        ('"*"', False),
    ],
)
def test_a_known_copy_is_recognised(header: str, matches: bool) -> None:
    """In lists, weak or strong, and by the star; never by a part of a tag."""
    assert etag_matches(header, "abc") is matches


@given(st.text())
def test_any_header_gets_a_verdict(header: str) -> None:
    """Nothing a client sends raises."""
    assert accepts_gzip(header) in (True, False)
    assert etag_matches(header, "abc") in (True, False)
