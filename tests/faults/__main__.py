"""The table of faults and threats: runs the tests of its rows, and writes it.

    python -m tests.faults                  every row at the sizes of `make test`
    python -m tests.faults --full           at full sizes (hours), but for the chaos of B1
    python -m tests.faults F21 S14          some rows
    python -m tests.faults --show           no test: the table of what was measured last

In: rows.toml, and the tests that it names. Out: the table in docs/reliability.md, between its
marks, made of results.json: for each row what its tests gave the last time that they ran, with the
commit, the date and the machine of that run. A run of some rows leaves the others as they are. A
row whose tests were all skipped has not run. Results of full sizes are kept beside those of small
ones and shown before them, unless the small one has failed since. results.json is in version
control: full sizes take hours, so nobody could print the table again without it.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path

import pytest

from lab.circumstances import commit_of, machine, today
from tests.faults.results import (
    FULL,
    SMALL,
    Outcome,
    Result,
    Results,
    Row,
    belongs,
    function_of,
    load,
    merged,
    result_of,
    shown,
    store,
)
from tests.support.measured import MARK

ROOT = Path(__file__).resolve().parent.parent.parent
ROWS = Path(__file__).with_name("rows.toml")
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
COLUMNS = (
    "row",
    "what happens",
    "how it is made",
    "promised",
    "measured",
    "commit, date, machine",
    "lost at most",
    "tests",
)


def rows() -> list[Row]:
    """The rows, in the order of the table."""
    found: list[Row] = tomllib.loads(ROWS.read_text(encoding="utf-8"))["row"]
    return found


class Collector:
    """A pytest plugin that keeps the outcome and the measured figures of each test."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}

    @pytest.hookimpl(trylast=True)  # after the choice by mark
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out small sizes of what runs at its full one."""
        full = {function_of(i.nodeid) for i in items if i.get_closest_marker("full")}
        items[:] = [
            item
            for item in items
            if item.get_closest_marker("full") or function_of(item.nodeid) not in full
        ]
        for item in items:
            is_full = item.get_closest_marker("full") is not None
            self.outcomes[item.nodeid] = Outcome(full=is_full)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a test ended: a failure before or after it is one of the test."""
        found = self.outcomes[report.nodeid]
        if report.when != "call" and report.outcome == "passed":
            return
        found.outcome = report.outcome
        if isinstance(report.longrepr, tuple):
            found.reason = report.longrepr[2].removeprefix("Skipped: ")
        found.figures += [
            line.removeprefix(MARK)
            for line in report.capstdout.splitlines()
            if line.startswith(MARK) and report.when == "call"
        ]


def run(chosen: list[Row], *, full: bool) -> tuple[Results, bool]:
    """Run the tests of some rows: their results, and whether none failed."""
    collector = Collector()
    commit, date, on = commit_of(), today(), machine()  # before: the tree may change meanwhile
    tests = sorted({test for row in chosen for test in row["tests"]})
    code = pytest.ExitCode.OK
    if tests:
        sizes = "full or not full" if full else "not full"
        code = pytest.ExitCode(
            pytest.main(["-q", "-m", sizes, "--durations=0", *tests], plugins=[collector])
        )
    results: Results = {}
    for row in chosen:
        if row["tests"]:
            mine = [o for n, o in collector.outcomes.items() if _is_of(n, row)]
            size = FULL if any(outcome.full for outcome in mine) else SMALL
            results[row["id"]] = {size: result_of(row, collector.outcomes, commit, date, on)}
    return results, code == pytest.ExitCode.OK


def _is_of(node: str, row: Row) -> bool:
    return any(belongs(node, test) for test in row["tests"])


def table(results: Results) -> str:
    """The rows as Markdown, with what was measured, and the machines below."""
    machines = _machines(results)
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for row in rows():
        ruling = f" {row['ruling']}" if "ruling" in row else ""
        names = ", ".join(f"`{test.split('/', 1)[1].replace('.py', '')}`" for test in row["tests"])
        sizes = results.get(row["id"], {})
        result = shown(sizes)
        when = [_provenance(s, sizes[s], machines) for s in (FULL, SMALL) if s in sizes]
        cells = (
            row["id"],
            row["fault"],
            row["how"],
            row["promised"] + "." * bool(ruling) + ruling,
            result.in_words if result else "not run",
            "; ".join(when),
            row["lost"],
            names,
        )
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    lines += ["", *(f"Machine {number}: {words}." for words, number in machines.items())]
    return "\n".join(lines) + "\n"


def _machines(results: Results) -> dict[str, int]:
    names = dict.fromkeys(r.machine for sizes in results.values() for r in sizes.values())
    return {name: number for number, name in enumerate(names, start=1)}


def _provenance(size: str, result: Result, machines: dict[str, int]) -> str:
    """Of what, when and where a result is; both sizes of a row have theirs."""
    what = f"{result.commit}, {result.date}, {machines[result.machine]}"
    return f"full size: {what}" if size == FULL else what


def write(results: Results, page: Path = PAGE) -> None:
    """Put the table into the page."""
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    page.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{after}", encoding="utf-8")


def main() -> int:
    """Run, and write."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("rows", nargs="*", help="ids of rows; all of them without any")
    parser.add_argument("--full", action="store_true", help="full sizes")
    parser.add_argument("--show", action="store_true", help="run nothing")
    options = parser.parse_args()
    unknown = set(options.rows) - {row["id"] for row in rows()}
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    chosen = [row for row in rows() if not options.rows or row["id"] in options.rows]
    new, passed = ({}, True) if options.show else run(chosen, full=options.full)
    results = merged(load(), new)
    store(results, (row["id"] for row in rows()))
    write(results)
    for name, sizes in new.items():
        for result in sizes.values():
            if not result.held:
                print(f"{name}: {result.in_words}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
