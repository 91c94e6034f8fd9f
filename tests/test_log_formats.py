"""A new log format is a folder in `engine/inputs/` and a line in its list."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.metrics import Metrics
from tests.recipes.tree import Copy

COLUMNS = '''"""Three columns: the second, host and path, the status."""

from __future__ import annotations

import re

from engine.inputs.model import Reason, Request
from engine.packages import Packages
from engine.times import EARLIEST_AT, LATEST_AT

_LINE = re.compile(r"([0-9]{10}) ([^ /]+)(/[^ ]*) ([1-9][0-9]{2})", re.ASCII)

field_names: frozenset[str] = frozenset()


def parse_line(line: bytes) -> Request | str:
    match = _LINE.fullmatch(line.decode("utf-8", "replace"))
    if match is None:
        return "not-json"
    at, host, uri, status = match.groups()
    if not EARLIEST_AT <= int(at) <= LATEST_AT:
        return "bad-time"
    return Request(int(at), "GET", host, uri, int(status), {})


def scanner(packages: Packages) -> None:
    return None


def second_of(line: bytes) -> int | None:
    return int(line[:10]) if line[:10].isdigit() and line[10:11] == b" " else None


def time_mark(second: int) -> bytes:
    return b"%d " % second


def explain(line: bytes, fate: str) -> tuple[Reason, str]:
    if fate == "bad-time":
        return Reason.BAD_TIME, line[:10].decode("ascii")
    return Reason.COMMON_LOG, ""


def visitor_of(line: bytes) -> str:
    return ""
'''

START_AT = 1_781_388_000
PACKAGES = """packages:
  - {kind: app, title: Maps, url: "//maps.box/"}
  - {kind: zim, title: Bees, url: "//lib.box/viewer#bees"}
"""
REQUESTS = [
    (START_AT, "maps.box", "/", 200),
    (START_AT + 65, "lib.box", "/content/bees/", 200),
    (START_AT + 130, "lib.box", "/content/bees/honey", 200),
    (START_AT + 131, "elsewhere.box", "/", 200),
    (START_AT + 4000, "maps.box", "/map", 404),
    (START_AT + 4000, "maps.box", "/map", 200),
]


def columns(requests: list[tuple[int, str, str, int]]) -> str:
    """Requests as the new format writes them."""
    return "".join(f"{at} {host}{uri} {status}\n" for at, host, uri, status in requests)


def caddys(requests: list[tuple[int, str, str, int]]) -> str:
    """The same requests as Caddy writes them."""
    lines = []
    for at, host, uri, status in requests:
        request = {"remote_ip": "10.0.0.2", "method": "GET", "host": host, "uri": uri}
        line = {"level": "info", "ts": at + 0.5, "msg": "handled request", "request": request}
        line |= {"status": status, "resp_headers": {}}
        lines.append(json.dumps(line, separators=(",", ":")) + "\n")
    return "".join(lines)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The tree with another log format."""
    copy = Copy(tmp_path_factory.mktemp("tree"))
    before = copy.files()
    listed = copy.root / "engine/inputs/formats.py"
    text = listed.read_text("utf-8")
    for old, new in (
        ("from engine.inputs import caddy\n", "from engine.inputs import caddy, columns\n"),
        ("] = (caddy,)\n", "] = (caddy, columns)\n"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    listed.write_text(text, "utf-8")
    (copy.root / "engine/inputs/columns").mkdir()
    (copy.root / "engine/inputs/columns/__init__.py").write_text(COLUMNS, "utf-8")
    after = copy.files()
    assert {name for name in after if before.get(name) != after[name]} == {
        "engine/inputs/columns/__init__.py",
        "engine/inputs/formats.py",
    }
    (copy.root / "packages.yml").write_text(PACKAGES, "utf-8")
    return copy


def replayed(tree: Copy, folder: Path, *logs: str) -> Any:
    """What `replay` prints of logs of these contents."""
    paths = [folder / f"{number}.log" for number, _ in enumerate(logs)]
    for path, text in zip(paths, logs, strict=True):
        path.write_text(text, "utf-8")
    options = ("--packages", "packages.yml", "--database", str(folder / "metrics.db"))
    zone = ("--timezone", "UTC", "--format", "json")
    return json.loads(tree.run("offspot_metrics.py", "replay", *options, *zone, *map(str, paths)))


def test_replay_counts_a_new_format_as_it_does_caddys(tree: Copy, tmp_path: Path) -> None:
    """Equal requests make equal figures and fates; lines of both formats may be in one log."""
    found = {}
    for name, log in (
        ("columns", columns(REQUESTS)),
        ("caddy", caddys(REQUESTS)),
        ("mixed", columns(REQUESTS[:2]) + caddys(REQUESTS[2:4]) + columns(REQUESTS[4:])),
    ):
        (tmp_path / name).mkdir()
        found[name] = replayed(tree, tmp_path / name, log)
    assert found["columns"]["lines"]["counted"] == 4
    assert found["columns"]["lines"]["unmatched"] == 2
    assert found["columns"] == found["caddy"] == found["mixed"]


def test_replay_knows_a_log_of_a_new_format_again(tree: Copy, tmp_path: Path) -> None:
    """A log that has grown counts what is new, and one joined to others is found in them."""
    replayed(tree, tmp_path, columns(REQUESTS[:3]))
    grown = replayed(tree, tmp_path, columns(REQUESTS))
    assert grown["lines"]["read"] == len(REQUESTS) - 3
    later = [(at + 86_400, host, uri, status) for at, host, uri, status in REQUESTS]
    joined = replayed(tree, tmp_path, columns(later) + columns(REQUESTS))
    assert joined["lines"]["read"] == len(REQUESTS)


def test_the_time_of_a_line_is_found_in_any_format(tree: Copy) -> None:
    """By a quick look, as logs are told apart by when they began."""
    found = []
    for line in (columns(REQUESTS[:1]), caddys(REQUESTS[:1]), "something else"):
        code = f"from engine.inputs.formats import second_of; print(second_of({line.encode()!r}))"
        found.append(tree.run("-c", code).strip())
    assert found == [str(START_AT), str(START_AT), "None"]


def test_doctor_explains_lines_of_a_new_format(tree: Copy, tmp_path: Path) -> None:
    """Requests are shown as they are of any format; of a bad line the format gives the reason."""
    bad = "0000000001 maps.box/ 200\n"
    (tmp_path / "box.log").write_text(columns(REQUESTS) + bad + "something else\n", "utf-8")
    options = ("--packages", "packages.yml", "--database", str(tmp_path / "metrics.db"))
    where = ("--logs", str(tmp_path), "--pattern", "*.log", "--lines", "20")
    code = (
        "import sys, offspot_metrics; sys.argv[0] = 'offspot-metrics'; "
        "offspot_metrics.main(sys.argv[1:])"  # its exit code is that of the whole set-up
    )
    command = ("doctor", "--format", "json", *options, *where)
    found = json.loads(tree.run("-c", code, *command))
    assert found["lines"][0]["line"].endswith(" GET maps.box/ 200")
    assert [line["fate"] for line in found["lines"]] == [
        *("counted", "counted", "counted", "unmatched", "unmatched", "counted"),
        *("bad-time", "not-json"),
    ]
    reasons = {(one["fate"], one["reason"], one["detail"]) for one in found["reasons"]}
    assert ("bad-time", "bad-time", "0000000001") in reasons
    assert ("unmatched", "host", "elsewhere.box") in reasons


def test_serve_counts_a_new_format(tree: Copy, tmp_path: Path) -> None:
    """Live, as lines are written."""
    program = tmp_path / "offspot-metrics"
    entry = tree.root / "offspot_metrics.py"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{entry}" "$@"\n', "utf-8")
    program.chmod(0o755)
    logs = tmp_path / "logs"
    logs.mkdir()
    options = ["--packages", str(tree.root / "packages.yml"), "--logs", str(logs)]
    options += ["--database", str(tmp_path / "metrics.db"), "--reader", "tail"]
    options += ["--pattern", "*.log", "--timezone", "UTC"]
    with Metrics(program, options, tmp_path) as metrics:
        with (logs / "box.log").open("a", encoding="utf-8") as log:
            log.write(columns(REQUESTS[:3]))
            log.flush()
            metrics.wait_for(lambda: lines(metrics)["counted"] == 3, "three lines", 30)
            log.write(columns(REQUESTS[3:]))
        metrics.wait_for(lambda: lines(metrics)["counted"] == 4, "all lines", 30)
        assert lines(metrics)["unmatched"] == 2
        assert metrics.stop() == 0


def lines(metrics: Metrics) -> dict[str, int]:
    """Lines by fate, as the running program reports them."""
    counted: dict[str, int] = metrics.api("/api/v1/status")["lines"]
    return counted
