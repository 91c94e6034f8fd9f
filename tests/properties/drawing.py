"""What the properties are tried on: packages, lines of all kinds, logs, and ways to cut them.

In come Hypothesis' choices; out go bytes that a hotspot could have, or that it should never have.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.packages import Packages, parse_packages
from engine.pipeline import Pipeline
from engine.store.database import MEMORY
from engine.store.store import Store
from tests.support.sizes import quick

Test = Callable[..., None]

QUICK = settings(
    max_examples=100,
    deadline=None,  # a Raspberry Pi's card, or a busy machine; pytest has a limit for hanging
    print_blob=True,  # a failure prints the line that repeats it
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def examples(number: int, *strategies: st.SearchStrategy[Any]) -> Callable[[Test], Test]:
    """A test of so many random examples in full, of half as many in the quick run."""

    def sized(test: Test) -> Test:
        of_size = {
            size: settings(QUICK, max_examples=size)(given(*strategies)(test))
            for size in (number // 2, number)
        }

        @pytest.mark.parametrize("size", quick(of_size, number // 2))
        def run(size: int) -> None:
            of_size[size]()

        run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
        return run

    return sized


"""Bounded and quick; each run draws new examples."""

PACKAGES: Packages = parse_packages(
    b"""
packages:
  - {kind: zim, title: Bees, url: "//lib.box/viewer#bees_en"}
  - {kind: zim, title: Ants, url: "//lib.box/viewer#ants_en_2024-05"}
  - {kind: zim, title: Ants too, url: "//lib.box/viewer#ants_en_2024-05"}
  - {kind: files, title: Games, url: "//games.box/"}
  - {kind: app, title: Share, url: "//share.box/", ident: file-manager.offspot.kiwix.org}
  - {kind: app, title: Edupi, url: "//share.box/", ident: edupi.offspot.kiwix.org}
""",
    "packages.yml",
)
BASE = 1_781_388_000
"""2026-06-13T22:00:00Z, the beginning of a day in Paris."""

seconds = st.integers(BASE - 90_000, BASE + 90_000)
hosts = st.sampled_from(["lib.box", "LIB.box:80", "games.box", "share.box", "other.box"])
uris = st.sampled_from(
    [
        "/content/bees_en/",
        "/content/bees_en",
        "/content/ants_en/A",
        "/content/ants_en_2024-05/",
        "/content/wasps/",
        "/bees_en/A?b=c",
        "/",
        "/skin/x.js",
        "/api/documents/",
        "/api/documents/7",
        "/content/b%65es_en/",
    ]
)
headers = st.sampled_from(
    [
        {},
        {"Server": ["Caddy"]},
        {"Location": ["/content/bees_en/"]},
        {"X-Tfm-Files-Added": ["3"]},
        {"X-Tfm-Files-Deleted": ["x"]},
    ]
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A line of Caddy, with its newline."""
    status = draw(st.sampled_from([200, 201, 204, 206, 302, 304, 404, 500]))
    data: dict[str, Any] = {
        "level": "info",
        "ts": draw(seconds) + draw(st.integers(0, 999)) / 1000,
        "logger": "http.log.access",
        "msg": "handled request",
        "request": {
            "remote_ip": "10.0.0.7",
            "remote_port": str(draw(st.integers(1024, 65535))),
            "proto": "HTTP/1.1",
            "method": draw(st.sampled_from(["GET", "GET", "POST", "DELETE", "HEAD"])),
            "host": draw(hosts),
            "uri": draw(uris),
            "headers": {"User-Agent": [draw(st.sampled_from(["a", "é", '"']))]},
        },
        "user_id": "",
        "duration": 0.00123,
        "size": 12,
        "status": status,
        "resp_headers": draw(headers),
    }
    return (
        json.dumps(data, separators=(",", ":"), ensure_ascii=draw(st.booleans())).encode() + b"\n"
    )


garbage = st.sampled_from([b"\n", b"{}\n", b'{"msg":"started"}\n', b"\xff\x00\n", b"[1]\n", b"{\n"])
log_lines = st.one_of(requests(), requests(), requests(), garbage)


@st.composite
def logs(draw: st.DrawFn, most: int = 60, number: int = 0) -> bytes:
    """A log; its first line is its own by its number, as it is by the microsecond on a hotspot."""
    first = json.loads(draw(requests()))
    first["duration"] = number + 0.5
    begin = json.dumps(first, separators=(",", ":")).encode() + b"\n"
    return begin + b"".join(draw(st.lists(log_lines, max_size=most)))


@st.composite
def several_logs(draw: st.DrawFn, most: int = 20) -> list[bytes]:
    """Up to four logs, no two of which begin alike."""
    return [draw(logs(most, number)) for number in range(draw(st.integers(1, 4)))]


Row = tuple[int, int, str, int, int | None]
"""Hour, indicator, dimension, value, minutes."""


def records_of(store: Store) -> list[Row]:
    """Every record, after the running hour was made one too."""
    store.commit({})
    rows = store.connection.execute(
        "SELECT hour, indicator_id, value0, value, minutes FROM record "
        "JOIN dimension ON dimension.id = dimension_id"
    ).fetchall()
    return sorted(rows)


def records_at_once(log: bytes) -> list[Row]:
    """The records of a log that is counted in one go."""
    with closing(Store.open(MEMORY)) as store:
        store.commit(Pipeline(PACKAGES).count(log).states)
        return records_of(store)
