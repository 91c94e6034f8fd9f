"""Which copy is sent: nothing when unchanged, compressed where taken, from memory when it holds."""

import gzip
import threading
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from engine.api.app import ApiSettings
from engine.report import Report
from engine.store.reader import Reader
from tests.api.web import HOUR, NOON, Client, Hotspot, an_app, an_hour

FIGURES = [
    "/api/v1/aggregations",
    "/api/v1/aggregations/D",
    "/api/v1/kpis/2004/values?agg_kind=D&agg_value=2026-06-14",
    "/api/v1/periods",
    "/api/v1/periods/D/2026-06-14",
]
FIXED = ["/", "/api/v1/", "/api/v1/openapi.json", "/api/v1/documentation.css"]


class CountingReport(Report):
    """A real report that counts what it is asked."""

    asked: ClassVar[list[str]] = []

    def aggregation(self, kind: str) -> dict[str, Any]:
        """Counted."""
        self.asked.append(kind)
        return super().aggregation(kind)


def counting(hotspot: Hotspot) -> Callable[[], CountingReport]:
    CountingReport.asked = []
    return lambda: CountingReport(Reader.open(hotspot.path))


@pytest.mark.parametrize("target", FIGURES + FIXED)
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_an_unchanged_answer_is_a_304(client: Client, target: str, encoding: str) -> None:
    """The tag of the copy that was sent comes back; then no body, and the same tag again."""
    first = client.get(target, Accept_Encoding=encoding)
    assert first.status == 200
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get(target, Accept_Encoding=encoding, If_None_Match=known)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["vary"] == "Accept-Encoding"
        assert not {"content-length", "content-type", "content-encoding"} & set(again.headers)
    assert client.get(target, Accept_Encoding=encoding, If_None_Match='"other"').status == 200
    head = client.ask("HEAD", target, {"Accept-Encoding": encoding, "If-None-Match": tag})
    assert head.status == 304


@pytest.mark.parametrize("target", ["/health", "/metrics", "/api/v1/status", "/api/v1/nothing"])
def test_what_is_made_anew_is_never_a_304(client: Client, target: str) -> None:
    """No tag, not to be stored; even `*` gets the answer."""
    reply = client.get(target, If_None_Match="*")
    assert reply.status != 304
    assert "etag" not in reply.headers
    assert reply.headers["cache-control"] == "no-store"


def test_a_save_changes_the_tag_only_where_it_changed_the_answer(
    hotspot: Hotspot, client: Client
) -> None:
    """Pollers of a week pay nothing for a minute of uptime in another one."""
    day, week = "/api/v1/periods/D/2026-06-14", "/api/v1/periods/D/2026-06-01"
    before = [client.get(target).headers["etag"] for target in (day, week)]
    hotspot.save({(NOON, 1004, ""): 1}, running_hour=NOON)
    after = [client.get(target).headers["etag"] for target in (day, week)]
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_tags_survive_a_restart(hotspot: Hotspot) -> None:
    """They name the content: another process, another connection, the same tag."""
    tags = {
        Client(an_app(hotspot.open_report)).get("/api/v1/aggregations/D").headers["etag"]
        for _ in range(2)
    }
    assert len(tags) == 1


@pytest.mark.parametrize("target", ["/api/v1/aggregations/D", "/api/v1/", "/api/v1/openapi.json"])
def test_gzip_where_it_is_taken(client: Client, target: str) -> None:
    """The same bytes inside, another tag outside, and a length that is true."""
    plain = client.get(target)
    packed = client.get(target, Accept_Encoding="br, gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["etag"] != plain.headers["etag"]
    assert len(packed.body) * 3 < len(plain.body)
    assert client.get(target, Accept_Encoding="gzip;q=0").body == plain.body
    assert client.get(target, If_None_Match=packed.headers["etag"]).status == 200


def test_small_answers_are_not_compressed(client: Client) -> None:
    """A `Content-Encoding` would cost more than it saves."""
    reply = client.get("/health", Accept_Encoding="gzip")
    assert "content-encoding" not in reply.headers
    assert reply.headers["vary"] == "Accept-Encoding"


def test_figures_are_computed_once_per_save(hotspot: Hotspot) -> None:
    """Everything in between comes from memory, in any encoding, with or without a query."""
    client = Client(an_app(counting(hotspot)))
    for target in ("/api/v1/aggregations/D", "/api/v1/aggregations/D?cache=buster"):
        for encoding in ("identity", "gzip"):
            assert client.get(target, Accept_Encoding=encoding).status == 200
    assert CountingReport.asked == ["D"]
    hotspot.save(an_hour(NOON - HOUR))
    client.get("/api/v1/aggregations/D")
    client.get("/api/v1/aggregations/D")
    assert CountingReport.asked == ["D", "D"]


def test_what_depends_on_the_time_holds_for_a_minute(hotspot: Hotspot) -> None:
    """`elapsedMinutes` goes on without a save; `complete` turns at the end of the period."""
    clock = [NOON]
    client = Client(an_app(hotspot.open_report, now=lambda: clock[0]))
    target = "/api/v1/periods/D/2026-06-14"
    first = client.get(target)
    clock[0] = NOON + 59
    assert client.get(target, If_None_Match=first.headers["etag"]).status == 304
    clock[0] = NOON + 60
    later = client.get(target, If_None_Match=first.headers["etag"])
    assert later.json["elapsedMinutes"] == first.json["elapsedMinutes"] + 1
    assert [client.get("/api/v1/periods").json["periods"][0]["complete"]] == [False]
    clock[0] = NOON + 12 * HOUR
    newest = client.get("/api/v1/periods").json["periods"]
    assert next(p for p in newest if p["aggKind"] == "D")["complete"] is True
    clock[0] = NOON
    assert client.get(target).body == first.body


def test_every_thread_sees_every_save(hotspot: Hotspot) -> None:
    """Threads with connections of their own, saves in between: no answer is ever an old one."""
    app = an_app(hotspot.open_report)
    target = "/api/v1/kpis/2001/values?agg_kind=Y&agg_value=2026"
    turn, done = threading.Barrier(5), threading.Barrier(5)
    seen: list[list[int]] = []

    def visitor() -> None:
        client = Client(app)
        for _ in range(20):
            turn.wait(30)
            reply = client.get(target)
            seen[-1].append(reply.json["value"]["totalVisits"])
            done.wait(30)

    threads = [threading.Thread(target=visitor) for _ in range(4)]
    for thread in threads:
        thread.start()
    expected = Client(app).get(target).json["value"]["totalVisits"]
    for number in range(20):
        hotspot.save({(NOON - HOUR, 1001, "Bees"): number % 3})
        expected += number % 3
        seen.append([])
        turn.wait(30)
        done.wait(30)
        assert seen[-1] == [expected] * 4
    for thread in threads:
        thread.join(30)


def test_at_most_eight_answers_are_computed_at_once(hotspot: Hotspot) -> None:
    """The ninth gets 503 and when to come back; what is in memory is served all the while."""
    started, go_on = threading.Semaphore(0), threading.Event()

    class SlowReport(Report):
        def aggregation(self, kind: str) -> dict[str, Any]:
            started.release()
            assert go_on.wait(30)
            return super().aggregation(kind)

    app = an_app(lambda: SlowReport(Reader.open(hotspot.path)))
    client = Client(app)
    assert client.get("/api/v1/aggregations").status == 200
    replies: list[int] = []
    open_now = threading.Barrier(9)

    def visitor() -> None:
        visiting = Client(app)
        visiting.get("/api/v1/aggregations")
        open_now.wait(30)
        open_now.wait(30)
        replies.append(visiting.get("/api/v1/aggregations/D").status)

    threads = [threading.Thread(target=visitor) for _ in range(8)]
    for thread in threads:
        thread.start()
    open_now.wait(30)
    assert client.get("/api/v1/aggregations").status == 200
    open_now.wait(30)
    for _ in threads:
        assert started.acquire(timeout=30)
    refused = client.get("/api/v1/aggregations/W")
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert client.get("/api/v1/aggregations").status == 200
    assert client.get("/health").status == 200
    assert client.get("/").status == 200
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert replies == [200] * 8
    assert client.get("/api/v1/aggregations/W").status == 200


def test_what_is_kept_is_bounded(hotspot: Hotspot) -> None:
    """Twice as many periods asked for as are kept, 256 in 4 MiB: memory stays, answers right."""
    app = an_app(hotspot.open_report, settings=ApiSettings(max_computations=1))
    client = Client(app)
    first = date(2001, 1, 1)
    for days in range(2 * 256):
        label = (first + timedelta(days=days)).isoformat()
        assert client.get(f"/api/v1/periods/D/{label}").status == 200
    cache = app.cache
    assert len(cache._cached) <= 256
    assert 0 < cache._cached_bytes <= 4 * 1024 * 1024
    assert cache._cached_bytes == sum(
        len(kept.answer.body) + len(kept.answer.compressed()) for kept in cache._cached.values()
    )


def test_refusals_are_not_kept(hotspot: Hotspot) -> None:
    """A 404 of today may be a 200 of tomorrow, and strangers can ask for any number of them."""
    app = an_app(hotspot.open_report)
    for label in ("nonsense", "2026-13-01"):
        assert Client(app).get(f"/api/v1/periods/D/{label}").status == 404
    assert app.cache._cached == {}


class Broken:
    """A report that fails while `fail` is set, and counts how often it is opened and closed."""

    def __init__(self, hotspot: Hotspot) -> None:
        self.hotspot = hotspot
        self.tried = self.opened = self.closed = 0
        self.fail_open = self.fail_read = False

    def open(self) -> Report:
        self.tried += 1
        if self.fail_open:
            raise OSError("gone: /secret/path")
        self.opened += 1
        outer = self

        class FailingReport(Report):
            def version(self) -> str:
                if outer.fail_read:
                    raise RuntimeError("broken: /secret/path")
                return super().version()

            def close(self) -> None:
                outer.closed += 1
                super().close()

        return FailingReport(Reader.open(self.hotspot.path))


def test_a_report_that_fails_is_opened_again(hotspot: Hotspot) -> None:
    """Once at once; then 503 with when to come back, and nothing of why; then all is well again."""
    source = Broken(hotspot)
    app = an_app(source.open)
    client = Client(app)
    assert client.get("/api/v1/aggregations/D").status == 200
    source.fail_read = True
    for target in ("/api/v1/aggregations/D", "/api/v1/aggregations/W"):
        reply = client.get(target)
        assert (reply.status, reply.headers["retry-after"]) == (503, "5")
        assert b"secret" not in reply.body
    source.fail_open = True
    assert client.get("/api/v1/aggregations/D").status == 503
    tried = source.tried
    assert not client.at_hand("/api/v1/aggregations/D")
    assert source.tried == tried
    assert client.get("/").status == 200
    source.fail_open = source.fail_read = False
    assert client.get("/api/v1/aggregations/D").status == 200
    assert source.opened == source.closed + 1


def test_a_database_that_was_replaced_is_opened_anew(hotspot: Hotspot, tmp_path: Path) -> None:
    """After `reopen` nobody reads the file that was set aside."""
    fresh_folder = tmp_path / "fresh"
    fresh_folder.mkdir()
    fresh = Hotspot(fresh_folder)
    current = [hotspot]
    app = an_app(lambda: current[0].open_report())  # noqa: PLW0108  the hotspot changes
    client = Client(app)
    assert client.get("/api/v1/aggregations").json["aggregations"]
    current[0] = fresh
    app.cache.reopen()
    assert client.get("/api/v1/aggregations").json == {"aggregations": []}
    fresh.close()


def test_what_is_in_memory_is_known_before_it_is_asked_for(hotspot: Hotspot) -> None:
    """The server answers these itself: files, errors, kept figures; all else goes to a worker."""
    client = Client(an_app(hotspot.open_report))
    assert client.at_hand("/")
    assert client.at_hand("/no.thing")
    for target in ("/api/v1/aggregations/D", "/health", "/metrics", "/api/v1/status"):
        assert not client.at_hand(target)
    client.get("/api/v1/aggregations/D")
    assert client.at_hand("/api/v1/aggregations/D")
    assert client.at_hand("/api/v1/aggregations/D?x=1")
    hotspot.save(an_hour(NOON))
    assert not client.at_hand("/api/v1/aggregations/D")
