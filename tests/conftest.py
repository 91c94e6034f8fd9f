"""What a run of the tests says at its end, and what it may repeat or leave out.

* Tests that were not run are listed with the reason. In CI (`CI=true`) a skip whose reason is not
  among `allowed_skips` (pyproject.toml) fails the run.
* `--second-chance` runs once more what failed in the run before, but only tests of `timed_tests`
  (pyproject.toml): any other failure stands. What passes then is noted in `build/second-chance`.
* `--within SECONDS` leaves out full sizes whose own limit of time is longer, and gives the others,
  which share the processors, more than it. What was left out or skipped is noted in
  `build/not-run`, which `make test-full` prints at its end.
* Random examples are the same in each run in CI, and are not made smaller for a mutant.
"""

from __future__ import annotations

import os
import re
import select
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

ROOT = Path(__file__).resolve().parent.parent
SECOND_CHANCES = ROOT / "build" / "second-chance"
NOT_RUN = ROOT / "build" / "not-run"
SHARED = 4
"""So many full sizes may share what each has for itself when it is run alone."""
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}

settings.register_profile("fixed", derandomize=True)
# Of a mutant it matters that an example fails, not which is the smallest.
settings.register_profile(
    "mutant", derandomize=True, phases=(Phase.explicit, Phase.generate), print_blob=False
)
if os.environ.get("MUTANT"):
    settings.load_profile("mutant")
elif IN_CI:
    settings.load_profile("fixed")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # So it is inherited from a shell that runs the tests in the background: no program that they
    # start would see the signal.
    signal.signal(signal.SIGINT, signal.default_int_handler)

if "faketime" in os.environ.get("LD_PRELOAD", ""):

    def _sleep(seconds: float) -> None:
        """The time.sleep of libfaketime 0.9.10 fails: it breaks clock_nanosleep (its issue 426)."""
        select.select([], [], [], max(0.0, seconds))

    time.sleep = _sleep  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def _same_umask() -> Iterator[None]:
    """`serve` narrows that of its process, which for some tests is this one."""
    umask = os.umask(0o022)
    yield
    os.umask(umask)


@pytest.fixture
def memory_path() -> Iterator[Path]:
    """Like `tmp_path`, for tests that save often and are not about what a disk does."""
    from tests.support.memory import memory_folder

    with memory_folder("test-") as folder:
        yield folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("timed_tests", "files and folders that have a second chance", type="linelist")
    parser.addini("allowed_skips", "reasons (patterns) that may skip a test in CI", type="linelist")
    parser.addoption(
        "--second-chance",
        action="store_true",
        help="run once more what failed in the run before and is held to times",
    )
    parser.addoption(
        "--within", type=float, metavar="SECONDS", help="leave out full sizes with a longer limit"
    )


def is_timed(nodeid: str, timed: list[str]) -> bool:
    """Whether a test is in a file or folder of the list."""
    return any(nodeid.startswith((f"{name}::", f"{name}/")) for name in timed)


def limit_of(item: pytest.Item) -> float:
    """The seconds after which a test is a failed one: its own, else those of pyproject.toml."""
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0] if mark else item.config.getini("timeout"))


def _leave_out(config: pytest.Config, items: list[pytest.Item], seconds: float) -> None:
    longer = [i for i in items if i.get_closest_marker("full") and limit_of(i) > seconds]
    items[:] = [item for item in items if item not in longer]
    for item in items:
        if item.get_closest_marker("full"):
            item.add_marker(pytest.mark.timeout(SHARED * limit_of(item)), append=False)
    config.hook.pytest_deselected(items=longer)
    if os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0":  # each process has the same list
        _note(f"{item.nodeid}: may take {limit_of(item):.0f} s" for item in longer)


def _note(lines: Iterable[str]) -> None:
    """Add what is not there yet to the notes of what was not run."""
    NOT_RUN.parent.mkdir(exist_ok=True)
    known = set(NOT_RUN.read_text().splitlines()) if NOT_RUN.exists() else set()
    with NOT_RUN.open("a") as notes:
        notes.writelines(f"{line}\n" for line in lines if line not in known)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if (seconds := config.getoption("within")) is not None:
        _leave_out(config, items, seconds)
    if not config.getoption("second_chance"):
        return
    assert config.cache is not None
    failed = set(config.cache.get("cache/lastfailed", {}))
    again = [item for item in items if item.nodeid in failed]
    timed = config.getini("timed_tests")
    final = [item.nodeid for item in again if not is_timed(item.nodeid, timed)]
    if final or not again:
        reason = f"failed, and have no second chance: {final}" if final else "no test to repeat"
        pytest.exit(reason, returncode=1)
    items[:] = again


def _skips(config: pytest.Config) -> Counter[str]:
    """How many tests were skipped for each reason."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    found: Counter[str] = Counter()
    for report in reporter.stats.get("skipped", []) if reporter else []:
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        found[text.removeprefix("Skipped: ")] += 1
    return found


def refused(reasons: Counter[str], allowed: list[str]) -> list[str]:
    """The reasons that no pattern of the list allows."""
    return [text for text in reasons if not any(re.search(one, text) for one in allowed)]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    whole_run = not hasattr(config, "workerinput")  # not one process of pytest-xdist
    if not (IN_CI and whole_run and session.exitstatus == pytest.ExitCode.OK):
        return
    if refused(_skips(config), config.getini("allowed_skips")):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    config = terminalreporter.config
    skips = _skips(config)
    if skips:
        terminalreporter.section("not run")
        for text, count in skips.most_common():
            terminalreporter.line(f"{count} x {text}")
        if not_allowed := refused(skips, config.getini("allowed_skips")):
            fate = "this fails the run" if IN_CI else "with CI=true this would fail the run"
            terminalreporter.line(f"not in allowed_skips, {fate}: {not_allowed}")
        if config.getoption("within") is not None:
            _note(f"{count} x {text}" for text, count in skips.most_common())
    if config.getoption("second_chance"):
        passed = [report.nodeid for report in terminalreporter.stats.get("passed", [])]
        if not passed:
            return
        SECOND_CHANCES.parent.mkdir(exist_ok=True)
        with SECOND_CHANCES.open("a") as notes:
            notes.writelines(f"{nodeid}\n" for nodeid in passed)
