"""The rules of the verdict, each at its limit, and the words of each code."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.inputs.model import Reason as LineReason
from engine.times import MADE_AT
from engine.verdict import Code, Evidence, LineCount, Probe, State, judge
from engine.verdict.evidence import Silence
from engine.verdict.model import EFFECTS

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_795_000_000
HOUR = 3600
WELL = Evidence(NOW, since_start=LineCount(30, 30), silence=Silence(NOW - HOUR))
"""A hotspot that counts."""


def codes(**changed: Any) -> list[Code]:
    """The codes for a hotspot that counts but for what is changed."""
    return [reason.code for reason in judge(replace(WELL, **changed)).reasons]


def test_a_hotspot_that_counts() -> None:
    """There is no reason to doubt it, and every route of health is fine."""
    verdict = judge(WELL)
    assert (verdict.state, verdict.reasons) == (State.COUNTING, ())
    assert verdict.as_json() == {"state": "counting", "reasons": []}
    assert [verdict.health(probe) for probe in list(Probe)[:3]] == [[], [], []]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"dead": "timer"}, Code.THREAD_ENDED),
        ({"still_seconds": 200.0}, Code.STANDING_STILL),
        ({"running": False}, Code.NOT_RUNNING),
        ({"processing": False}, Code.DISABLED),
        ({"processing": False, "counted_elsewhere": True}, Code.COUNTED_ELSEWHERE),
        ({"waits_for_packages": True, "packages_problem": "gone"}, Code.PACKAGES_MISSING),
        ({"waits_for_packages": True}, Code.STARTING),
        ({"packages_problem": "broken"}, Code.PACKAGES_STALE),
        ({"packages": 0}, Code.PACKAGES_NONE),
        ({"ignored": 3}, Code.PACKAGES_IGNORED),
        ({"reader": "stopped"}, Code.READER_STOPPED),
        ({"reader": "restarting"}, Code.READER_RESTARTING),
        ({"reader": "starting"}, Code.STARTING),
        ({"figures_readable": False}, Code.FIGURES_UNREADABLE),
        ({"log_problems": ("no rights",)}, Code.LOG_UNREADABLE),
        ({"log_problems": ("no rights",), "logs": 0}, Code.LOGS_UNREADABLE),
        ({"save_problem": "locked"}, Code.SAVING_FAILS),
        ({"unsaved_seconds": 200.0}, Code.SAVE_LATE),
        ({"free_bytes": 1000}, Code.DISK_FULL),
        ({"now": MADE_AT - 1}, Code.CLOCK_IMPOSSIBLE),
        ({"step": (NOW, 200 * 24 * HOUR)}, Code.CLOCK_STEPPED),
        ({"impossible_at": 961_000_000}, Code.LINES_OF_IMPOSSIBLE_TIME),
        ({"logs": 0}, Code.NO_LOG_FILE),
        ({"logs": 0, "logs_come_later": True}, Code.NO_LOG_FILE_YET),
        ({"since_start": LineCount(20, 0)}, Code.LINES_NOT_COUNTED),
        ({"since_start": LineCount(19, 0)}, Code.NOTHING_SINCE_START),
        ({"last_hour": LineCount(20, 0)}, Code.NONE_COUNTED_LATELY),
        ({"silence": Silence(NOW - 100 * HOUR, 80, 3, True)}, Code.SILENT),
        ({"since_start": LineCount(), "silence": Silence()}, Code.NOTHING_YET),
    ],
    ids=str,
)
def test_each_reason_alone(changed: dict[str, Any], code: Code) -> None:
    """It is the only one, gives its state, and has a sentence without gaps and a remedy."""
    verdict = judge(replace(WELL, **changed))
    [reason] = verdict.reasons
    assert reason.code is code
    assert verdict.state is EFFECTS[code].state is not State.COUNTING
    found = verdict.as_json()["reasons"][0]
    assert found["remedy"]
    assert "{" not in found["text"]


@pytest.mark.parametrize(
    "changed",
    [
        {"since_start": LineCount(20, 1)},
        {"last_hour": LineCount(19, 0)},
        {"last_hour": LineCount(900, 1)},
        {"reader": "fallback"},
        {"now": MADE_AT},
        {"since_start": LineCount(), "silence": Silence(NOW - 7 * 24 * HOUR)},
        {"silence": Silence(NOW - 100 * HOUR, 90, 2, True)},
        {"silence": Silence(NOW - 100 * HOUR, 72, 0, False)},
        {"silence": Silence(NOW - 100 * HOUR, 80, 9, True), "last_hour": LineCount(1, 1)},
    ],
    ids=str,
)
def test_what_is_no_reason(changed: dict[str, Any]) -> None:
    """One line that counts proves that lines count; silence at quiet times is none."""
    assert codes(**changed) == []


def test_a_silence_without_habits() -> None:
    """On a young hotspot, three days of running without any use are reported."""
    assert codes(silence=Silence(NOW - 100 * HOUR, 73, 0, False)) == [Code.SILENT]


def test_a_doubtful_clock_says_nothing_of_silence() -> None:
    """After a step it is not known how long there was no use."""
    silence = Silence(NOW - 200 * 24 * HOUR, 80, 50, True)
    assert codes(silence=silence, step=(NOW, 200 * 24 * HOUR)) == [Code.CLOCK_STEPPED]


@pytest.mark.parametrize(
    ("seconds", "text"), [(17_279_999, "200 d"), (-90_061, "1 d 1 h"), (-61, "1 min 1 s")]
)
def test_a_step_is_told_in_units_of_people(seconds: int, text: str) -> None:
    """Not in seconds, which the values have."""
    [reason] = judge(replace(WELL, step=(NOW, seconds))).reasons
    assert reason.text == f"the clock was changed by {text} within the last day of running"
    assert reason.values["seconds"] == seconds


def test_a_log_file_that_may_still_come() -> None:
    """In memory a log comes with the first request: for an hour, or as long as it is quiet."""
    missing = {"logs": 0, "logs_come_later": True}
    assert codes(**missing, up_seconds=3599.0) == [Code.NO_LOG_FILE_YET]
    assert codes(**missing, up_seconds=3600.0) == [Code.NO_LOG_FILE]
    quiet = Silence(NOW - 100 * HOUR, 90, 2, True)
    assert codes(**missing, up_seconds=9000.0, silence=quiet) == [Code.NO_LOG_FILE_YET]
    late = quiet._replace(busy_hours=3)
    assert codes(**missing, up_seconds=9000.0, silence=late) == [Code.SILENT, Code.NO_LOG_FILE]


@pytest.mark.parametrize(
    ("causes", "code"),
    [
        ({(LineReason.HOST, "new.box"): 3, (LineReason.STATUS, "404"): 2}, "lines-of-other-hosts"),
        ({(LineReason.HOST, "new.box"): 2, (LineReason.STATUS, "404"): 3}, "lines-with-errors"),
        ({(LineReason.HOST, "hotspot.box"): 3}, "nothing-since-start"),
        ({(LineReason.KIWIX_WORD, "skin"): 3}, "nothing-since-start"),
        ({(LineReason.ZIM_UNKNOWN, "ants"): 1}, "lines-of-unknown-zims"),
        ({(LineReason.BROKEN, ""): 1}, "lines-not-json"),
        ({(LineReason.ANOTHER_MESSAGE, "x"): 1}, "lines-not-access-log"),
        ({(LineReason.FIELD_MISSING, "ts"): 1}, "lines-incomplete"),
        ({(LineReason.TIME_FORMAT, ""): 1}, "lines-of-bad-time"),
        ({(LineReason.TOO_LONG, ""): 1}, "lines-not-counted"),
    ],
    ids=str,
)
def test_why_no_line_counts(causes: dict[tuple[LineReason, str], int], code: str) -> None:
    """What most lines of the sample have. Pages of the hotspot itself are nothing wrong."""
    verdict = judge(
        replace(WELL, since_start=LineCount(20, 0), causes=causes, own_host="hotspot.box")
    )
    assert [reason.code.value for reason in verdict.reasons] == [code]
    assert verdict.state is not State.COUNTING


def test_the_most_frequent_detail_is_named() -> None:
    """Of the reason that decides."""
    causes = {
        (LineReason.HOST, "rare.box"): 1,
        (LineReason.HOST, "new.box"): 3,
        (LineReason.STATUS, "404"): 2,
    }
    [reason] = judge(replace(WELL, since_start=LineCount(20, 0), causes=causes)).reasons
    assert reason.values == {"lines": 20, "detail": "new.box"}


def test_the_worst_comes_first() -> None:
    """In the status; the state is that of the worst, and health keeps the order of the checks."""
    verdict = judge(replace(WELL, ignored=1, save_problem="locked", unsaved_seconds=300.0))
    assert verdict.state is State.NOT_COUNTING
    assert [r["code"] for r in verdict.as_json()["reasons"]] == [
        "save-late",
        "packages-ignored",
        "saving-fails",
    ]
    assert verdict.health(Probe.HEALTH) == [
        "saving fails: locked",
        "nothing was saved for 5 min",
    ]
    assert verdict.health(Probe.READY) == []


def test_what_a_restart_does_not_help_with_is_no_503() -> None:
    """Neither lines nor clock, packages in use, silence or a missing log make a probe fail."""
    failing = {code.value for code in Code if EFFECTS[code].probe is not Probe.NONE}
    assert failing == {
        *("thread-ended", "standing-still", "database-unusable", "packages-missing"),
        *("reader-stopped", "figures-unreadable", "logs-unreadable", "log-unreadable"),
        *("saving-fails", "save-late", "disk-full"),
    }


@pytest.mark.parametrize("lang", ["en", "fr", "es", "ar"])
def test_every_code_is_translated(lang: str) -> None:
    """A reason and a remedy in each language, and no number in them that the code does not have."""
    texts = json.loads((ROOT / f"static/src/i18n/{lang}.json").read_text("utf-8"))
    for state in State:
        assert texts[f"verdict.{state.value}"]
    named = {key.partition(".")[2] for key in texts if key.startswith(("reason.", "remedy."))}
    assert named == {code.value for code in Code}
    for code in Code:
        places = set(re.findall(r"\{(\w+)\}", texts[f"reason.{code.value}"]))
        known = set(re.findall(r"\{(\w+)\}", EFFECTS[code].text)) | {"at"}
        assert places <= known, code
        assert "{" not in texts[f"remedy.{code.value}"]
