"""`LOG_FORMAT=json`: what `serve` says on standard error is one JSON object a line."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.cases import Program, invoke

ROOT = Path(__file__).resolve().parents[2]
KEYS = ["time", "level", "message", "thread"]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ODD_TITLE = 'a "b" \\x1b[31m\\n\\u202e\\\\ é'


def objects(text: str) -> list[dict[str, Any]]:
    """Each line is an object with the four keys."""
    found = [json.loads(line) for line in text.splitlines()]
    for one in found:
        assert list(one) == KEYS
        assert TIME.fullmatch(one["time"])
        assert all(isinstance(value, str) for value in one.values())
    return found


def test_all_that_serve_says_is_json(program: Program, place: Path) -> None:
    """From the first message to the last, with titles and names that nothing can be done with."""
    packages = place / "packages.yml"
    title = ODD_TITLE.replace('"', '\\"')
    packages.write_text(f'packages:\n  - {{kind: "{title}", title: "{title}", url: "//a.box/"}}\n')
    logs = place / "logs\n\x1b[31m"
    logs.mkdir()
    command = program.command("serve", "--port", "0", "--reader", "tail", "--packages", packages)
    environment = {"LOG_FORMAT": "JSON", "LOG_LEVEL": "DEBUG", "OFFSPOT_METRICS_PROT": "1"}
    with subprocess.Popen(
        [*command, "--logs", logs, "--database", place / "m.db"],
        stderr=subprocess.PIPE,
        env=program.environment | environment,
        cwd=program.home,
        text=True,
        encoding="utf-8",
    ) as child:
        assert child.stderr is not None
        said = ""
        while "Dashboard: " not in said:
            line = child.stderr.readline()
            assert line, said
            said += line
        child.send_signal(signal.SIGTERM)
        said += child.stderr.read()
        assert child.wait(timeout=30) == 0
    found = objects(said)
    levels = {one["message"].partition(":")[0]: one["level"] for one in found}
    assert levels["OFFSPOT_METRICS_PROT is not read; is PORT meant?"] == "WARNING"
    assert levels["Dashboard"] == "INFO"
    assert any("kind" in one["message"] for one in found if one["level"] == "WARNING")
    assert "\x1b" not in said
    assert "\u202e" not in said


def test_what_stands_in_the_way_of_a_start_is_json(place: Path, monkeypatch: Any) -> None:
    """Wrong settings, wrong usage and a port in use: with the way out in the same object."""
    monkeypatch.setenv("LOG_FORMAT", "json")
    monkeypatch.setenv("PORT", "eighty")
    monkeypatch.setenv("READER", "eyes")
    result = invoke("serve")
    [wrong] = objects(result.err)
    assert (result.code, wrong["level"]) == (78, "ERROR")
    assert len(wrong["message"].splitlines()) == 3
    assert wrong["message"].splitlines()[2].startswith("see ")
    monkeypatch.delenv("PORT")
    monkeypatch.delenv("READER")
    [wrong] = objects(invoke("serve", "--prot", "1").err)
    assert wrong["message"].endswith("\ntry: offspot-metrics serve --help")
    folder = place / "in the way"
    folder.mkdir()
    result = invoke("serve", "--database", folder, "--port", "0")
    [wrong] = objects(result.err)
    assert result.code
    assert wrong["level"] == "ERROR"


def test_other_commands_and_the_default_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """People read what they say, also in a container whose `serve` logs JSON."""
    monkeypatch.setenv("LOG_FORMAT", "json")
    invoke("kpis").failed(66, "is not there")
    monkeypatch.setenv("PORT", "eighty")
    monkeypatch.delenv("LOG_FORMAT")
    invoke("serve").failed(78, "PORT")
    monkeypatch.setenv("LOG_FORMAT", "xml")
    invoke("serve").failed(78, "LOG_FORMAT: 'xml' is not one of text, json")


def test_lines_of_the_log_are_whole() -> None:
    """A message that is too long is cut inside of the object; a failure has its traceback; threads
    are named; of one kind ten a minute are written, then their number.
    """
    code = (
        "import logging, threading; from engine.runtime import logs; logs.set_up('INFO', 'json')\n"
        "log = logging.getLogger('offspot-metrics')\n"
        "log.info('a' + '\\n\"\\u00e9\\U0001f41d\\\\' * 4000)\n"
        "def fail():\n"
        "    try: raise ValueError('of a\\nthread')\n"
        "    except ValueError: log.exception('it %s', 'failed')\n"
        "thread = threading.Thread(target=fail, name='reader'); thread.start(); thread.join()\n"
        "for number in range(12): log.warning('title %s', 'a\\x1b[31m\\n')\n"
        "handler = logging.getLogger().handlers[0]\n"
        "handler._minute = -1\n"
        "log.warning('next minute')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert max(len(line.encode()) for line in done.stderr.splitlines()) < 4000
    found = objects(done.stderr)
    assert len(found) == 1 + 1 + 10 + 1 + 1
    assert found[0]["message"].startswith('a | "é🐝\\ | ')
    assert len(json.dumps(found[0], ensure_ascii=False).encode()) > 3900
    assert found[1]["thread"] == "reader"
    assert found[1]["message"].startswith("it failed\nTraceback")
    assert found[1]["message"].endswith("ValueError: of a\nthread")
    assert found[2]["message"] == "title a\\x1b[31m\\n"
    assert "2 more messages" in found[12]["message"]
    assert {one["thread"] for one in found} == {"MainThread", "reader"}
