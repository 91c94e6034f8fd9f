"""A hotspot that does not count is never shown as counting, by whatever is asked."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import pytest

from tests.reliability.store_support import PACKAGES
from tests.support.archive import require_current
from tests.verdict.setups import DAY, HOUR, SETUPS, Hotspot, Setup, visit


@pytest.fixture(scope="module", autouse=True)
def _current_program() -> None:
    require_current()


def test_a_hotspot_that_counts(tmp_path: Path) -> None:
    """Before the first line it waits, then it counts; nothing else is in the verdict."""
    with Hotspot(tmp_path) as hotspot:
        hotspot.wait(lambda: hotspot.verdict()["codes"] == ["no-log-file-yet"])
        assert hotspot.verdict()["state"] == "waiting"
        hotspot.visits(30)
        hotspot.wait(lambda: hotspot.verdict()["state"] == "counting")
        assert hotspot.verdict()["reasons"] == []
        code, body = hotspot.get("/health")
        expected = {"ok": True, "reasons": [], "verdict": "counting", "codes": []}
        assert (code, json.loads(body)) == (200, expected)
        assert hotspot.metric('verdict{state="counting"}') == 1
        assert doctor(hotspot) == ("counting", [])
        assert hotspot.stop()[0] == 0
    with Hotspot(tmp_path) as hotspot:  # the log is read, and nothing new has come
        hotspot.wait(lambda: hotspot.verdict()["state"] == "counting")


def doctor(hotspot: Hotspot) -> tuple[str, list[str]]:
    """State and codes of the verdict of `doctor`."""
    done = hotspot.run("doctor", "--format", "json", "--logs", hotspot.logs)
    assert done.stdout, done.stderr
    verdict = json.loads(done.stdout)["verdict"]
    return verdict["state"], [reason["code"] for reason in verdict["reasons"]]


@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.name)
def test_it_is_never_called_counting(setup: Setup, tmp_path: Path) -> None:
    """Status, health, metrics and doctor give one verdict, with the numbers and what to do."""
    hotspot = Hotspot(tmp_path)
    setup.before(hotspot)
    with hotspot:
        setup.after(hotspot)
        hotspot.wait(lambda: setup.code in hotspot.verdict()["codes"])
        found = hotspot.verdict()
        assert found["state"] == setup.state
        [reason] = [one for one in found["reasons"] if one["code"] == setup.code]
        assert setup.values.items() <= reason["values"].items()
        assert reason["text"]
        assert reason["remedy"]
        code, body = hotspot.get("/health")
        health = json.loads(body)
        assert (code, health["ok"]) == ((200, True) if setup.healthy else (503, False))
        assert health["verdict"] == setup.state
        assert setup.code in health["codes"]
        assert hotspot.metric(f'verdict{{state="{setup.state}"}}') == 1
        assert hotspot.metric('verdict{state="counting"}') == 0
        assert hotspot.metric(f'verdict_reason{{code="{setup.code}"}}') == 1
        assert hotspot.get("/")[0] == hotspot.get("/health/live")[0] == 200
        state, codes = doctor(hotspot)
        assert state == setup.state
        assert setup.code in codes
        assert hotspot.stop()[0] == 0
    assert "Traceback" not in hotspot.text()


def test_a_packages_file_that_comes_later(tmp_path: Path) -> None:
    """Lines that were written before there was one are all counted, and then it is counting."""
    hotspot = Hotspot(tmp_path)
    hotspot.packages.unlink()
    hotspot.visits(30)
    with hotspot:
        hotspot.wait(lambda: hotspot.verdict()["codes"] == ["packages-missing"])
        hotspot.log.rename(hotspot.logs / "caddy_access_logs-1.json")
        hotspot.visits(20)
        assert hotspot.read() == 0
        hotspot.replace_packages(PACKAGES)
        hotspot.wait(hotspot.counted(50))
        hotspot.wait(lambda: hotspot.verdict()["state"] == "counting")
        assert hotspot.status()["lines"]["counted"] == 50
        assert not hotspot.status()["loss"]["atLeast"]


def test_it_counts_again_when_the_packages_file_is_corrected(tmp_path: Path) -> None:
    """What came before the correction is no reason any more; the next visit proves the rest."""
    with Hotspot(tmp_path) as hotspot:
        hotspot.visits(40, host="kiwix.new.hotspot")
        hotspot.wait(lambda: hotspot.verdict()["codes"] == ["lines-of-other-hosts"])
        hotspot.replace_packages(PACKAGES.replace("lib.box", "kiwix.new.hotspot"))
        hotspot.wait(lambda: hotspot.verdict()["codes"] == ["nothing-yet"])
        assert hotspot.verdict()["state"] == "waiting"
        hotspot.visits(1, host="kiwix.new.hotspot")
        hotspot.wait(lambda: hotspot.verdict()["state"] == "counting")


def test_what_rolls_away_while_there_is_no_packages_file(tmp_path: Path) -> None:
    """A log that the proxy deletes meanwhile is reported as lost, with its size; what was only
    renamed or compressed is not, and is counted later.
    """
    hotspot = Hotspot(tmp_path)
    hotspot.packages.unlink()
    hotspot.visits(30)
    with hotspot:
        hotspot.wait(lambda: hotspot.verdict()["codes"] == ["packages-missing"])
        rolled = hotspot.log.rename(hotspot.logs / "caddy_access_logs-1.json")
        hotspot.visits(20, at=time.time() + 100)
        second = hotspot.logs / "caddy_access_logs-2.json"
        second.write_bytes(gzip.compress(hotspot.log.read_bytes()))
        hotspot.replace_packages("packages: [unfinished")  # it looks again
        hotspot.wait(lambda: "YAML" in str(hotspot.verdict()))
        assert hotspot.status()["loss"] == {"bytes": 0, "atLeast": False, "logs": 0}
        size = rolled.stat().st_size
        rolled.unlink()
        hotspot.log.unlink()
        hotspot.replace_packages(PACKAGES)
        hotspot.wait(hotspot.counted(20))
        assert hotspot.status()["loss"] == {"bytes": size, "atLeast": True, "logs": 1}
        assert f"log {rolled.name}: at least {size} bytes were lost" in hotspot.text()


def test_a_silence_at_a_busy_time(tmp_path: Path) -> None:
    """Used at the same hours each day for weeks; today it was on, and only telephones asked it."""
    hotspot = Hotspot(tmp_path)
    begin = int(time.time()) // HOUR * HOUR - 6 * HOUR
    past = tmp_path / "past.json"
    past.write_bytes(
        b"".join(
            visit(begin - days * DAY + hour * HOUR + minute * 60, minute, **other)
            for days, other in [*((n, {}) for n in range(28, 0, -1)), (0, {"host": "phone.test"})]
            for hour in range(6)
            for minute in range(31)
        )
    )
    hotspot.database.parent.mkdir()
    assert hotspot.run("replay", "--quiet", past).returncode == 0
    hotspot.log.touch()
    with hotspot:
        hotspot.wait(lambda: hotspot.verdict()["codes"] == ["silent"])
        [reason] = hotspot.verdict()["reasons"]
        assert (reason["state"], reason["values"]) == ("doubtful", {"hours": 6})
        assert hotspot.get("/health")[0] == 200
        assert doctor(hotspot) == ("doubtful", ["silent"])
        hotspot.visits(1)
        hotspot.wait(lambda: hotspot.verdict()["state"] == "counting")
