"""Long addresses, many addresses and slow clients together, against one real program."""

from __future__ import annotations

import contextlib
import json
import random
import re
from pathlib import Path
from time import monotonic

import pytest

from tests.security.cases import (
    MEGABYTE,
    NOON,
    SECONDS,
    MemoryWatch,
    Serve,
    line,
    proxy_log,
)
from tests.security.crowd import Crowd, Visitor
from tests.support.measured import measured

BEFORE = "2026-06-13"
MAX_RESIDENT = 150 * MEGABYTE
MAX_WAIT = 1.0
LONG = 900_000
AHEAD = 30_000
PATHS = [
    "/",
    f"/api/v1/kpis/2001/values?agg_kind=D&agg_value={BEFORE}",
    "/api/v1/aggregations/W",
    "/api/v1/periods",
    "/api/v1/status",
]


def sockets_of(pid: int) -> int:
    """How many sockets a process has open."""
    found = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found += str(link.readlink()).startswith("socket:")
    return found


def largest_script(serve: Serve) -> str:
    """The path of the dashboard's script."""
    found = re.search(r'src="\.?(/?[^"]+\.js)"', serve.get("/").decode())
    assert found
    return "/" + found[1].lstrip("/")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("reader", "steps"),
    [
        ("filebeat", 500),
        pytest.param("filebeat", 10_000, marks=[pytest.mark.full, pytest.mark.timeout(3600)]),
        pytest.param("tail", 10_000, marks=[pytest.mark.full, pytest.mark.timeout(3600)]),
    ],
)
def test_everything_at_once(tmp_path: Path, reader: str, steps: int) -> None:
    """S2, S3 and S14: bounded memory, others answered within a second, each line counted."""
    seed = 20_260_613
    print(f"seed {seed}")
    chance = random.Random(seed)
    with Serve(tmp_path, reader=reader) as serve, proxy_log(serve.log) as log:
        log.write(line(at=NOON - 86400) * 3, 3)
        serve.wait_for(lambda: serve.figures(2001, BEFORE) is not None, "first figures", SECONDS)
        sockets = sockets_of(serve.pid)
        saves = serve.metric("saves_total")
        crowd = Crowd(serve.port, slow=500, non_reading=30, large=largest_script(serve))
        visitor = Visitor(serve.port, PATHS)
        with MemoryWatch(serve.pid) as memory, crowd:
            serve.wait_for(lambda: crowd.all_there, "the crowd", SECONDS)
            began = monotonic()
            with visitor:
                for step in range(steps):
                    block = [
                        line(f"/content/bees_en/{step}-{n}-{chance.random()}") for n in range(98)
                    ]
                    block += [line(f"/?{step}", host="games.box"), line(host=f"{step}.example")]
                    log.write(b"".join(block), 100)
                    if step % 10 == 0:
                        log.write(line("/content/bees_en/" + "x" * LONG + str(step)))
                    answered = visitor.answers
                    serve.wait_for_soon(
                        lambda answered=answered: visitor.answers > answered,  # type: ignore[misc]
                        "an answer for the visitor",
                    )
                    if step % 100 == 99:
                        serve.wait_for_lines(log.lines - AHEAD)
                serve.wait_for_lines(log.lines)
            rate = log.lines / (monotonic() - began)
            status = serve.status
        serve.wait_for(lambda: sockets_of(serve.pid) <= sockets + 1, "the crowd is gone", 60)
        after = Visitor(serve.port, PATHS)
        after.waits = [after.ask(path) for path in PATHS * 4]
        # By bytes, each two seconds at most: long before the minute.
        serve.wait_for(lambda: serve.metric("saves_total") >= saves + 2, "saved on the way", 10)
        saves = serve.metric("saves_total") - saves
        assert serve.stop() == 0
        said = serve.said()
    with Serve(tmp_path, reader=reader) as again:
        found, lines = again.figures(2001), again.lines
        assert again.stop() == 0
    measured(
        reader=reader,
        lines=log.lines,
        megabytes=log.written / MEGABYTE,
        lines_per_second=rate,
        connections=crowd.opened,
        closed=crowd.closed_by_server,
        own_mb=memory.own / MEGABYTE,
        all_mb=memory.all / MEGABYTE,
        answers=visitor.answers,
        median_ms=visitor.percentile(0.5) * 1000,
        p95_ms=visitor.percentile(0.95) * 1000,
        worst_ms=visitor.percentile(1) * 1000,
        after_ms=after.percentile(0.95) * 1000,
        saves=saves,
        stored=serve.stored_bytes(),
    )
    assert visitor.failures == after.failures == []
    assert visitor.percentile(0.95) < MAX_WAIT
    assert memory.own <= MAX_RESIDENT
    assert memory.all <= MAX_RESIDENT
    [body] = visitor.bodies[PATHS[1]]
    assert json.loads(body)["value"]["totalVisits"] == 3
    assert lines["read"] == log.lines
    assert lines["unmatched"] == steps
    assert status["loss"] == {"bytes": 0, "atLeast": False, "logs": 0}
    assert {item["package"]: item["visits"] for item in found["items"]} == {"Games": steps}
    assert found["totalVisits"] == steps
    assert lines["counted"] == log.lines - steps
    assert len(said) < 10_000, "our own log is not theirs to fill"
