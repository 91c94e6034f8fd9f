"""The fast path counts what the slow one does, on whatever bytes."""

from __future__ import annotations

import random
import re

import pytest

from engine.inputs import formats
from engine.inputs.caddy.blocks import PART_BYTES, Scanner
from engine.inputs.model import MAX_LINE_BYTES, Request
from engine.packages import Packages, parse_packages
from engine.pipeline import Pipeline
from tests.fastpath import lines, reference
from tests.support.sizes import quick

QUICK_LINES = 20_000
FULL_LINES = 1_200_000
LINES_PER_BLOCK = 400
SEED = 20260614


@pytest.fixture(scope="module")
def packages() -> Packages:
    return parse_packages(lines.PACKAGES.encode(), "packages.yml")


def test_mutated_lines_count_as_they_do_one_by_one(packages: Packages) -> None:
    """Twenty thousand mutated lines count in blocks as they do one by one."""
    compare(packages, SEED, QUICK_LINES)


@pytest.mark.parametrize("number", quick([QUICK_LINES, 2 * QUICK_LINES], QUICK_LINES))
def test_mutated_lines_below_a_prefix_count_as_they_do_one_by_one(number: int) -> None:
    """Where ZIMs have a prefix too (kiwix-serve's --urlRootLocation), on any host or none."""
    packages = parse_packages(lines.PREFIXED.encode(), "packages.yml")
    assert packages.prefixes == {"/kiwix", "/kiwix/lib", "/café", "/content"}
    compare(packages, SEED + 3, number)


def test_lines_below_a_prefix_take_the_fast_path() -> None:
    """All but those with percent-encoding where the prefix is."""
    packages = parse_packages(lines.PREFIXED.encode(), "packages.yml")
    scanner = Scanner(packages)
    line = (
        (lines.SAMPLES / "caddy-2.6.2-kiwix-serve-3.3.json")
        .read_bytes()
        .splitlines(keepends=True)[0]
    )
    uri = re.search(rb'"uri":"[^"]*"', line)
    assert uri
    for path, left in (("/kiwix/content/ants/a/b.png", 0), ("/x", 0), ("/kiwi%78/content/ants", 1)):
        made = line.replace(uri[0], b'"uri":"%b"' % path.encode())
        assert len(scanner.scan([made])[1]) == left, path


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_million_mutated_lines_count_as_they_do_one_by_one(packages: Packages) -> None:
    """More than a million mutated lines count in blocks as they do one by one."""
    compare(packages, SEED + 1, FULL_LINES)


def compare(packages: Packages, seed: int, number: int) -> None:
    """Count blocks both ways until `number` lines were seen; fail on a line that differs."""
    chance = random.Random(seed)
    pipeline = Pipeline(packages)
    while number > 0:
        block = b"".join(
            lines.make(chance) + b"\n" for _ in range(chance.randrange(1, LINES_PER_BLOCK * 2))
        )
        number -= block.count(b"\n")
        if not agree(block, packages, pipeline):
            for line in block.split(b"\n")[:-1]:
                assert agree(line + b"\n", packages, pipeline), line[:3000]
            pytest.fail(f"each line agrees, together they do not: {block[:3000]!r}")


def agree(block: bytes, packages: Packages, pipeline: Pipeline) -> bool:
    """Whether both ways say the same of a block."""
    fast = pipeline.count(block)
    slow = reference.count(block, packages)
    return (
        fast.states == slow.states
        and +fast.fates == slow.fates
        and fast.seconds == slow.seconds
        and fast.first_at == min(slow.seconds, default=None)
        and fast.last_at == max(slow.seconds, default=None)
    )


def test_lines_outside_of_a_span(packages: Packages) -> None:
    """Counting only what is outside of some seconds leaves out exactly the lines of these."""
    chance = random.Random(SEED + 2)
    pipeline = Pipeline(packages)
    span = range(1781388030, 1781388060)
    for _ in range(20):
        kept = [line for line in (lines.make(chance) for _ in range(100)) if b"\n" not in line]
        later = []
        for line in kept:
            parsed = formats.parse_line(line)
            if isinstance(parsed, Request) and parsed.at not in span:
                later.append(line)
        fast = pipeline.count(b"".join(line + b"\n" for line in kept), outside=span)
        slow = reference.count(b"".join(line + b"\n" for line in later), packages)
        assert fast.states == slow.states
        assert +fast.fates == slow.fates
        assert fast.seconds == slow.seconds


@pytest.mark.parametrize("number", quick([7_500, 15_000], 7_500))
def test_one_line_is_judged_as_ruled(number: int) -> None:
    """Caddy's exact shape counts without a look at header values; the rest must be strict JSON."""
    chance = random.Random(SEED + 3)
    seen = set()
    for _ in range(number):
        line = lines.make(chance).replace(b"\n", b"")
        verdict, read = reference.judge(line)
        parsed = formats.parse_line(line)
        seen.add(verdict)
        if verdict == "shape":
            assert isinstance(parsed, Request), line
            assert (parsed.method, parsed.host, parsed.uri, str(parsed.status)) == read[1:]
        elif verdict == "json":
            assert parsed not in ("not-json", "too-long"), line
        else:
            assert parsed == verdict, line
    assert seen >= {"shape", "json", "not-json"}


@pytest.mark.parametrize("limit", [PART_BYTES, MAX_LINE_BYTES])
def test_long_lines_at_every_limit(packages: Packages, limit: int) -> None:
    """A line as long as a part, or as a line may be, counts as it does by itself; so do others."""
    pipeline = Pipeline(packages)
    plain = lines.make_plain(random.Random(limit))
    for length in range(limit - 2, limit + 4):
        block = plain + b"\n" + lines.lengthened(plain, length) + b"\n" + plain + b"\n"
        assert agree(block, packages, pipeline), length


@pytest.mark.parametrize("depth", [10, 900, 1100, 100_000])
def test_deep_nesting_is_a_fate(packages: Packages, depth: int) -> None:
    """However deep a header's value is nested, both ways say the same and none raises."""
    pipeline = Pipeline(packages)
    line = lines.make_plain(random.Random(depth))
    nested = b'"headers":{"X":' + b"[" * depth + b"]" * depth + b","
    for block in (line, line.replace(b'"headers":{', nested), b"[" * depth):
        assert agree(block + b"\n", packages, pipeline)


def test_most_lines_take_the_fast_path(packages: Packages) -> None:
    """Of the recorded week at most one line in a hundred is read by itself."""
    week = b"".join(line + b"\n" for line in lines.week())
    keys, fallback = Scanner(packages).scan([week])
    assert len(fallback) < 0.01 * (keys.total() + len(fallback))
