"""Thousands of connections to the port itself: others are answered within a second (S27)."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.security.cases import MEGABYTE, ROOT, SECONDS, MemoryWatch, Serve, line
from tests.security.crowd import Visitor
from tests.security.test_hostile_load import PATHS
from tests.support.measured import measured

KINDS = ["silent", "slow", "polite", "reopening"]
ANSWERS = 100
MAX_WAIT = 1.0
MAX_RESIDENT = 150 * MEGABYTE


@contextlib.contextmanager
def mob(port: int, kind: str, count: int, addresses: int) -> Iterator[dict[str, Any]]:
    """So many clients of a kind; at the end, what they did is in the dictionary."""
    command = [sys.executable, "-m", "tests.security.mob"]
    command += [str(port), kind, str(count), str(addresses)]
    seen: dict[str, Any] = {}
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "all there\n"
            yield seen
        finally:
            child.stdin.close()
            seen |= json.loads(child.stdout.readline() or "{}")
            child.wait(SECONDS)


def visit(tmp_path: Path, kind: str, count: int, addresses: int, trusted: str) -> Visitor:
    """What an honest visitor sees while the mob is there."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TRUSTED_PROXIES", trusted)
        with Serve(tmp_path) as serve:
            serve.log.write_bytes(line())
            serve.wait_for_lines(1)
            visitor = Visitor(serve.port, [path for path in PATHS if "kpis" not in path])
            with MemoryWatch(serve.pid) as memory, mob(serve.port, kind, count, addresses) as seen:
                began = monotonic()
                with visitor:
                    serve.wait_for_soon(lambda: visitor.answers >= ANSWERS, "answers")
                seconds = monotonic() - began
            assert serve.stop() == 0
            said = serve.said()
    measured(
        kind=kind,
        connections=count,
        addresses=addresses,
        there=seen["there"],
        closed=seen["ended"],
        asked_per_second=visitor.answers / seconds,
        median_ms=visitor.percentile(0.5) * 1000,
        worst_ms=visitor.percentile(1) * 1000,
        own_mb=memory.own / MEGABYTE,
    )
    assert visitor.failures == []
    assert "Traceback" not in said
    assert memory.own <= MAX_RESIDENT
    return visitor


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "count",
    [1000, pytest.param(2000, marks=pytest.mark.full), pytest.param(4000, marks=pytest.mark.full)],
)
def test_others_are_answered_in_a_crowd(tmp_path: Path, kind: str, count: int) -> None:
    """S27: 1,000 to 4,000 connections from 32 addresses, none above its share; one visitor asks
    again and again, each time over a new connection.
    """
    assert visit(tmp_path, kind, count, 32, "none").percentile(1) < MAX_WAIT


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_one_address_has_no_more_than_its_share(tmp_path: Path, kind: str) -> None:
    """S27: 1,000 connections from two addresses: others are answered as if they were not there."""
    assert visit(tmp_path, kind, 1000, 2, "none").percentile(1) < MAX_WAIT


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["silent", "slow", "polite"])
def test_a_crowd_behind_a_trusted_proxy(tmp_path: Path, kind: str) -> None:
    """S27: where addresses tell nothing apart, those that wait still make room."""
    assert visit(tmp_path, kind, 1000, 32, "127.0.0.0/8").percentile(1) < MAX_WAIT
