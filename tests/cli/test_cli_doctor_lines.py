"""`doctor` on lines: what each counts as, why not, and what to do about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli import meanings
from engine.inputs.formats import parse_line
from engine.inputs.model import Reason
from engine.inputs.reasons import explain
from engine.packages import parse_packages
from tests.cli.cases import PACKAGES, invoke, lines, visits, write

FOUND = parse_packages(PACKAGES.encode(), "packages.yml")
TIME = "2026-06-14T10:00:00Z"


def changed(field: str, value: object) -> bytes:
    """A good line with a field set to JSON, or taken out (None)."""
    data = json.loads(visits(600, 1))
    at = data["request"] if field.startswith("request.") else data
    name = field.removeprefix("request.")
    if value is None:
        del at[name]
    else:
        at[name] = value
    return json.dumps(data).encode()


def one(text: str) -> bytes:
    """One line without its newline."""
    return lines(f"{TIME} {text}")[:-1]


CASES: list[tuple[str, bytes, str, Reason | None, str]] = [
    ("a visit", one("GET lib.box/content/bees_en/ 200"), "counted", None, ""),
    ("another host", one("GET Kiwix.LAN:80/ 200"), "unmatched", Reason.HOST, "kiwix.lan:80"),
    ("not found", one("GET lib.box/content/bees_en/x 404"), "unmatched", Reason.STATUS, "404"),
    ("not changed", one("GET lib.box/content/bees_en/x 304"), "counted", None, ""),
    ("the shell", one("GET lib.box/viewer 200"), "unmatched", Reason.KIWIX_WORD, "viewer"),
    (
        "its settings",
        one("GET lib.box/viewer_settings.js 200"),
        "unmatched",
        Reason.KIWIX_WORD,
        "viewer_settings.js",
    ),
    ("the welcome", one("GET lib.box/?lang=fr 200"), "unmatched", Reason.NO_NAME, "/"),
    (
        "a ZIM of no package",
        one("GET lib.box/content/wasps%20en/A 200"),
        "unmatched",
        Reason.ZIM_UNKNOWN,
        "wasps en",
    ),
    (
        "a redirect",
        one("GET lib.box/bees_en/A 302 Location=/content/bees_en/A"),
        "unmatched",
        Reason.REDIRECT,
        "bees_en",
    ),
    ("nothing", b"", "not-json", Reason.EMPTY, ""),
    ("a cut line", one("GET lib.box/ 200")[:300], "not-json", Reason.BROKEN, ""),
    ("a list", b"[1, 2]", "not-json", Reason.NO_OBJECT, ""),
    (
        "Apache",
        b'10.0.0.1 - - [14/Jun/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 12',
        "not-json",
        Reason.COMMON_LOG,
        "",
    ),
    (
        "Caddy's console",
        b"2026/06/14 10:00:00.000\tINFO\thttp.log.access\thandled request\t{}",
        "not-json",
        Reason.COMMON_LOG,
        "",
    ),
    ("noise", bytes(range(256)).replace(b"\n", b""), "not-json", Reason.BINARY, ""),
    ("a long line", b"x" * 1_100_000, "too-long", Reason.TOO_LONG, "1,100,000 bytes"),
    (
        "a start message",
        b'{"level":"info","ts":1.5,"msg":"server running"}',
        "not-access-log",
        Reason.ANOTHER_MESSAGE,
        "server running",
    ),
    ("no status", changed("status", None), "incomplete", Reason.FIELD_MISSING, "status"),
    ("a wordy status", changed("status", "OK"), "incomplete", Reason.FIELD_WRONG, "status"),
    ("no time", changed("ts", None), "incomplete", Reason.FIELD_MISSING, "ts"),
    (
        "a wall time",
        changed("ts", "2026/06/14 10:00:00"),
        "incomplete",
        Reason.FIELD_WRONG,
        "ts",
    ),
    ("no host", changed("request.host", None), "incomplete", Reason.FIELD_MISSING, "request.host"),
    ("a flat request", changed("request", "GET /"), "incomplete", Reason.FIELD_WRONG, "request"),
    (
        "odd headers",
        changed("resp_headers", [1]),
        "incomplete",
        Reason.FIELD_WRONG,
        "resp_headers",
    ),
    ("1970", changed("ts", 12.5), "bad-time", Reason.BAD_TIME, "12.5"),
    ("not a time", changed("ts", float("nan")), "bad-time", Reason.BAD_TIME, "nan"),
    *(
        (f"ts in {unit}", changed("ts", value), "bad-time", Reason.TIME_FORMAT, unit)
        for value, unit in (
            (1781431500123.25, "milliseconds"),  # unix_milli_float
            (1781431500123456789, "nanoseconds"),  # unix_nano
            (1781431500123456, "microseconds"),
            ("1781431500123", "milliseconds"),
        )
    ),
    *(
        (f"ts of {form}", changed("ts", value), "incomplete", Reason.FIELD_WRONG, "ts")
        for form, value in (
            ("wall", "2026/06/14 10:00:00"),
            ("wall_milli", "2026/06/14 10:00:00.123"),
            ("wall_nano", "2026/06/14 10:00:00.123456789"),
            ("common_log", "14/Jun/2026:10:00:00 +0000"),
            ("no zone", "2026-06-14T10:00:00"),
        )
    ),
    *(
        (f"ts of {form}", changed("ts", value), "counted", None, "")
        for form, value in (
            ("unix_seconds_float", 1781431500.123456),
            ("iso8601", "2026-06-10T08:00:00.123-0330"),
            ("iso8601 of UTC", "2026-06-10T08:00:00.123Z"),
            ("rfc3339", "2026-06-10T08:00:00+05:45"),
            ("rfc3339_nano", "2026-06-10T08:00:00.123456789-03:30"),
        )
    ),
    (
        "Docker",
        b'{"log":"{\\"msg\\":\\"handled request\\"}\\n","stream":"stderr","time":"2026-06-14"}',
        "not-access-log",
        Reason.COMMON_LOG,
        "",
    ),
    (
        "journalctl -o json",
        b'{"MESSAGE":"{}","__REALTIME_TIMESTAMP":"1781431500123456","PRIORITY":"6"}',
        "not-access-log",
        Reason.COMMON_LOG,
        "",
    ),
    (
        "another proxy",
        b'{"time":"2026-06-14T10:00:00Z","level":"info","msg":"","RequestPath":"/"}',
        "not-access-log",
        Reason.COMMON_LOG,
        "",
    ),
    (
        "Node",
        b'{"level":30,"time":1781431500123,"pid":1,"hostname":"x","msg":"request completed"}',
        "not-access-log",
        Reason.COMMON_LOG,
        "",
    ),
    ("a renamed msg", changed("msg", None), "not-access-log", Reason.FIELD_MISSING, "msg"),
]


@pytest.mark.parametrize(
    ("line", "fate", "reason", "detail"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_the_reason_of_a_line(line: bytes, fate: str, reason: Reason | None, detail: str) -> None:
    """The fate is the one that counting gives it; the reason names what decided."""
    found = explain(line, FOUND)
    assert (found.fate, found.reason, found.detail) == (fate, reason, detail)
    parsed = parse_line(line)
    assert fate == parsed if isinstance(parsed, str) else fate in {"counted", "unmatched"}


def test_a_time_format_is_taken_out_and_not_the_clock_set(packages: Path, place: Path) -> None:
    """Whatever Caddy's `time_format` is that does not count, that is what doctor says of it."""
    for value in (1781431500123.25, 1781431500123456789, "2026/06/14 10:00:00", "1781431500123"):
        found = doctor(packages, place, changed("ts", value) + b"\n")
        [reason] = found["reasons"]
        assert "remove `time_format`" in reason["remedy"]
        assert "clock" not in reason["remedy"]
        assert "2026/06/14" not in json.dumps(found["reasons"])


def test_a_foreign_format_is_named_as_one(packages: Path, place: Path) -> None:
    """A wrapped log is another format, with what Caddy must be told, in doctor and in replay."""
    line = b'{"log":"{}\\n","stream":"stderr","time":"2026-06-14T10:00:00.1Z"}\n'
    [reason] = doctor(packages, place, line * 3)["reasons"]
    assert (reason["meaning"], reason["remedy"]) == ("another log format", meanings.CADDY_JSON)
    said = invoke("replay", "-q", "--packages", packages, place / "caddy_access_logs.json").err
    assert "no line counts: is it the right file?" in said
    assert "3 of the first 3 lines: another log format" in said
    assert "format json" in said


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        (changed("ts", 1781431500123456789), "the time is in nanoseconds"),
        (changed("status", None), "the field status is missing"),
        (one("GET elsewhere.box/ 200"), "no package at host elsewhere.box"),
        (b"x" * 1_100_000, "a line of 1,"),
        (b"", "an empty line"),
    ],
)
def test_replay_says_why_no_line_counts_whatever_the_fate(
    packages: Path, place: Path, line: bytes, meaning: str
) -> None:
    """Said when none of them counts, and not when one does."""
    write(place, log__json=(line + b"\n") * 70)
    result = invoke("replay", "-q", "--packages", packages, place / "log.json")
    assert result.code == 0
    assert "no line counts: is it the right file?" in result.err
    assert meaning in result.err
    write(place, log__json=visits(600, 1) + (line + b"\n") * 70)
    assert invoke("replay", "-q", "--packages", packages, place / "log.json").err == ""


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words(reason: Reason) -> None:
    """A reason that nobody explains would be a riddle; the detail is put where it belongs."""
    meaning, remedy = meanings.REASONS[reason]
    assert meaning
    assert "{" not in meanings.meaning_of(reason.value, "x")
    assert "{" not in remedy
    harmless = {Reason.KIWIX_WORD, Reason.NO_NAME, Reason.REDIRECT}
    assert bool(remedy) == (reason not in harmless)


def doctor(packages: Path, place: Path, log: bytes, *more: object) -> Any:
    """What doctor says of a folder with this log, as JSON."""
    write(place, caddy_access_logs__json=log)
    options = ["--packages", packages, "--logs", place, "--database", place / "m.db"]
    return invoke("doctor", "--format", "json", *options, *more).json


def test_the_newest_lines_come_last_and_count_as_they_would(packages: Path, place: Path) -> None:
    """Ten unless --lines says otherwise, each with its fate and what it counts as."""
    log = visits(600, 20) + lines(
        f"{TIME} GET games.box/ 200",
        f"{TIME} POST share.box/up 200 X-Tfm-Files-Added=2",
    )
    found = doctor(packages, place, log)
    assert len(found["lines"]) == 10
    assert [line["text"] for line in found["lines"][-3:]] == [
        "Bees: request and visit",
        "Games: request and visit",
        "Share: request; 2 files added",
    ]
    assert [len(doctor(packages, place, log, "--lines", n)["lines"]) for n in (0, 1, 99)] == [
        0,
        1,
        22,
    ]


def test_a_last_line_without_its_end_is_shown_as_such(packages: Path, place: Path) -> None:
    """No reader would take it yet; doctor looks at it all the same, and does not count it."""
    found = doctor(packages, place, visits(600, 3) + visits(700, 1)[:-1])
    assert [line["complete"] for line in found["lines"]] == [True, True, True, False]
    assert found["linesLookedAt"] == 3
    assert found["lines"][-1]["fate"] == "counted"


def test_lines_do_not_show_who_asked(packages: Path, place: Path) -> None:
    """No address, no agent, no login: what helps is time, method, host, path and answer."""
    write(place, caddy_access_logs__json=visits(600, 3))
    options = ["--packages", packages, "--logs", place, "--database", place / "m.db"]
    for how in ("json", "table"):
        said = invoke("doctor", "--format", how, *options).out
        assert "lib.box/content/bees_en/" in said
        assert "10.0.0.7" not in said
        assert "MMMM" not in said


def test_hosts_of_the_log_stand_beside_those_of_the_packages(packages: Path, place: Path) -> None:
    """The most frequent first: a renamed hotspot shows at once."""
    log = lines(
        *[f"{TIME} GET kiwix.lan/content/bees_en/ 200"] * 3, f"{TIME} GET Games.LAN.:80/ 200"
    )
    found = doctor(packages, place, log)
    assert found["hosts"] == {
        "log": {"kiwix.lan": 3, "games.lan": 1},
        "packages": ["lib.box", "games.box", "share.box"],
    }
    assert found["reasons"][0] == {
        "fate": "unmatched",
        "reason": "host",
        "detail": "kiwix.lan",
        "lines": 3,
        "meaning": "no package at host kiwix.lan",
        "remedy": meanings.REASONS[Reason.HOST].remedy,
    }


def test_a_visitor_cannot_steer_the_terminal(packages: Path, place: Path) -> None:
    """Escapes in a path are shown, not obeyed."""
    log = changed("request.uri", "/content/\x1b[31m\u202exyz") + b"\n\x1b]0;owned\x07\n"
    write(place, caddy_access_logs__json=log)
    options = ["--packages", packages, "--logs", place, "--database", place / "m.db"]
    said = invoke("doctor", *options).out
    assert "\x1b" not in said
    assert "\u202e" not in said
