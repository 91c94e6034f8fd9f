"""Who may ask, what is never said, which headers always come along."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api.app import ApiSettings
from tests.api.web import STRICT_POLICY, Client, Hotspot, Reply, an_app

ALWAYS = {
    "content-security-policy": STRICT_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
USUAL_HEADERS = "Accept, Cache-Control, Content-Type, If-None-Match"
ORIGINS = frozenset({"http://metrics", "http://metrics.my.hotspot.example"})


def every_kind_of_answer(client: Client) -> dict[str, Reply]:
    asked = {
        target: client.get(target)
        for target in (
            "/",
            "/home",
            "/x.js",
            "/api",
            "/api/v1/",
            "/api/v1/aggregations",
            "/api/v1/aggregations/X",
            "/api/v1/kpis/1/values?agg_kind=D&agg_value=2026",
            "/api/v1/status",
            "/health",
            "/metrics",
            "/..%2f",
        )
    }
    asked["304"] = client.get("/", If_None_Match="*")
    asked["405"] = client.ask("POST", "/")
    asked["OPTIONS"] = client.ask("OPTIONS", "/api/v1/aggregations")
    asked["421"] = client.get("/", Host="evil.com")
    return asked


def test_every_answer_has_the_headers_that_protect(client: Client) -> None:
    """Errors, redirects and 304 too; none tells what runs here."""
    for target, reply in every_kind_of_answer(client).items():
        assert reply.headers.items() >= ALWAYS.items(), target
        assert "vary" in reply.headers, target
        assert not {"server", "via", "x-powered-by"} & set(reply.headers), target


PATHS_OUT = [
    "//etc/passwd",
    "/..%2f",
    "/../etc/passwd",
    "/%2e%2e/",
    "/.",
    "/./index.html",
    "/a/../index.html",
    "/\\etc\\passwd",
    "/..\\..\\x",
    "/\x00",
    "/index.html\x00.js",
    "/static/../../data/metrics.db",
    "/assets//etc/passwd",
    "/%252e%252e/x",
    "/%c0%ae%c0%ae/",
    "/\xc0\xae\xc0\xae/x",
    "/\r\nSet-Cookie: a=b",
    "/a\tb",
    "/\u2028".encode().decode("latin-1"),
    "/\u202e".encode().decode("latin-1"),
    "/proc/self/environ.txt",
    "/index.html/x.js",
    "/data:text.html",
]
"""Paths that would lead out of what is served, were they names of files."""


@pytest.mark.parametrize("path", PATHS_OUT)
def test_paths_that_want_out_are_not_found(client: Client, path: str) -> None:
    """The files are a fixed list: nothing is looked up, whatever the path looks like."""
    reply = client.ask("GET", "/", raw_path=path)
    assert (reply.status, reply.body) == (404, b'{"detail":"Not Found"}')


@given(path=st.text(st.characters(max_codepoint=255), max_size=60))
def test_any_path_is_answered(path: str) -> None:
    """A page, a 404 or a redirect; never a failure (S24 at the level of WSGI)."""
    client = Client(_WITHOUT_FIGURES)
    for target in (f"/{path}", f"/api/{path}", f"/api/v1/periods/{path}"):
        reply = client.ask("GET", "/", raw_path=target)
        assert reply.status in (200, 307, 404, 422, 503)


@pytest.mark.parametrize("host", ["evil.com", "", "metrics.school.org", "a, b", "[::1"])
def test_strange_hosts_are_misdirected(client: Client, host: str) -> None:
    """421 in JSON, on every path and method, before anything else is looked at."""
    for method, target in (("GET", "/"), ("GET", "/api/v1/aggregations"), ("POST", "/")):
        reply = client.ask(method, target, {"Host": host})
        assert reply.status == 421
        assert "hotspot" in reply.json["detail"]
        assert host not in reply.body.decode() or not host


def test_the_names_of_the_hotspot_may_change_while_it_runs(hotspot: Hotspot) -> None:
    """The packages file is read again each minute; names of allowed origins count as ours."""
    names = [frozenset[str]()]
    settings = ApiSettings(allowed_origins=ORIGINS, allowed_hosts=lambda: names[0])
    client = Client(an_app(hotspot.open_report, settings=settings))
    assert client.get("/", Host="metrics.school.org").status == 421
    assert client.get("/", Host="metrics.my.hotspot.example").status == 200
    names[0] = frozenset({"metrics.school.org"})
    assert client.get("/", Host="metrics.school.org").status == 200


@pytest.mark.parametrize("origin", sorted(ORIGINS))
def test_listed_origins_may_read(hotspot: Hotspot, origin: str) -> None:
    """The dashboard of another host of this hotspot gets its answers, errors too."""
    settings = ApiSettings(allowed_origins=ORIGINS)
    client = Client(an_app(hotspot.open_report, settings=settings))
    for target in ("/api/v1/aggregations", "/api/v1/aggregations/X"):
        reply = client.get(target, Origin=origin)
        assert reply.headers["access-control-allow-origin"] == origin
        assert reply.headers["access-control-expose-headers"] == "ETag, Retry-After"
        assert reply.headers["vary"] == "Accept-Encoding, Origin"
        assert "access-control-allow-credentials" not in reply.headers
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    preflight = client.ask("OPTIONS", "/api/v1/aggregations", asked)
    assert (preflight.status, preflight.body) == (204, b"")
    assert preflight.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert "If-None-Match" in preflight.headers["access-control-allow-headers"]


def test_a_preflight_allows_the_headers_that_it_asks_for(hotspot: Hotspot) -> None:
    """As offspot/metrics does for its origins; a list that is none is not repeated."""
    settings = ApiSettings(allowed_origins=ORIGINS)
    client = Client(an_app(hotspot.open_report, settings=settings))
    for asked, allowed in (
        ("x-requested-with, If-None-Match", "x-requested-with, If-None-Match"),
        ("authorization", "authorization"),
        ("<script>", USUAL_HEADERS),
        ("a\r\nSet-Cookie: b", USUAL_HEADERS),
        (", ".join(["x-long"] * 1000), USUAL_HEADERS),
    ):
        headers = {"Origin": "http://metrics", "Access-Control-Request-Headers": asked}
        reply = client.ask("OPTIONS", "/api/v1/aggregations", headers)
        assert reply.headers["access-control-allow-headers"] == allowed
        headers["Origin"] = "http://evil.com"
        reply = client.ask("OPTIONS", "/api/v1/aggregations", headers)
        assert "access-control-allow-headers" not in reply.headers


def test_a_star_is_every_origin(hotspot: Hotspot) -> None:
    """`ALLOWED_ORIGINS=*`: any page may read, none learns of a name, and Host stays checked."""
    settings = ApiSettings(allowed_origins=frozenset({"*"}))
    client = Client(an_app(hotspot.open_report, settings=settings))
    for origin in ("http://evil.com", "null", "https://[::1]:8443"):
        reply = client.get("/api/v1/aggregations", Origin=origin)
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in reply.headers
    assert "access-control-allow-origin" not in client.get("/api/v1/aggregations").headers
    assert client.get("/", Host="evil.com", Origin="http://evil.com").status == 421


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "*",
        "http://evil.com",
        "http://metrics.evil.com",
        "https://metrics",
        "http://METRICS",
    ],
)
@pytest.mark.parametrize("origins", [ORIGINS, frozenset[str]()])
def test_others_learn_nothing(hotspot: Hotspot, origin: str, origins: frozenset[str]) -> None:
    """No header for them, no star for anyone; a cache is told that the answer depends on it."""
    client = Client(an_app(hotspot.open_report, settings=ApiSettings(allowed_origins=origins)))
    for method in ("GET", "OPTIONS"):
        reply = client.ask(method, "/api/v1/aggregations", {"Origin": origin})
        assert not [name for name in reply.headers if name.startswith("access-control")]
        assert reply.headers["vary"] == (
            "Accept-Encoding, Origin" if origins else "Accept-Encoding"
        )


def test_a_failure_shows_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    """500 in JSON; the reason is in our own log, not in the answer."""

    def failing() -> list[str]:
        raise RuntimeError("secret in /home/operator")

    client = Client(an_app(_no_figures, health=failing))
    with caplog.at_level(logging.ERROR):
        reply = client.get("/health")
    assert (reply.status, reply.json) == (500, {"detail": "Internal Server Error"})
    assert reply.headers.items() >= ALWAYS.items()
    assert "secret" in caplog.text


def test_errors_never_repeat_what_was_sent(client: Client) -> None:
    """Not in the body, not in a header: nothing for a page or a log to trip over."""
    mark = "<script>alert(7331)</script>"
    for target in (
        f"/api/v1/aggregations/{mark.replace('/', '')}",
        f"/api/v1/kpis/{mark.replace('/', '')}/values",
        f"/api/v1/kpis/1/values?agg_kind={mark}&agg_value={mark}",
        f"/api/v1/{mark}",
        f"/{mark}.html",
    ):
        reply = client.get(target, Host="localhost", Origin=f"http://{mark}")
        assert reply.status in (404, 422)
        assert b"7331" not in reply.body
        assert "7331" not in str(reply.headers)
        assert reply.headers["content-type"] == "application/json"


def _no_figures() -> None:
    raise OSError("no database here")


_WITHOUT_FIGURES = an_app(_no_figures)
