"""The table of faults and threats: runs the tests of its rows, and writes it.

    python -m tests.faults                  every row at the sizes of `make test`
    python -m tests.faults --full           at full sizes (over an hour), but for the chaos of B1
    python -m tests.faults F21 S14          some rows
    python -m tests.faults --show           no test: the table of what was measured last

In: rows.toml, and the tests that it names. Out: the table in docs/reliability.md, between its
marks, made of the results that build/faults.json gathers over several runs; a full size hides a
small one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.measured import MARK

ROOT = Path(__file__).resolve().parent.parent.parent
ROWS = Path(__file__).with_name("rows.toml")
RESULTS = ROOT / "build" / "faults.json"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
CHAOS = "test_chaos_at_full_size"
"""Hours of it: `python -m tests.reliability.chaos` has a table of its own."""
MOST_FIGURES = 8

Row = dict[str, Any]
Results = dict[str, dict[str, Any]]


def rows() -> list[Row]:
    """The rows, in the order of the table."""
    found: list[Row] = tomllib.loads(ROWS.read_text(encoding="utf-8"))["row"]
    return found


def belongs(node: str, test: str) -> bool:
    """Whether a test that pytest ran is one that a row names: a folder, a file or a function."""
    if test.endswith("/"):
        return node.startswith(test)
    function = function_of(node)
    return test in {function, function.split("::")[0]}


class Collector:
    """A pytest plugin that keeps the outcome and the measured figures of each test."""

    def __init__(self) -> None:
        self.results: Results = {}

    @pytest.hookimpl(trylast=True)  # after the choice by mark
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what has a table of its own, and small sizes of what runs at its full one."""
        full = {function_of(i.nodeid) for i in items if i.get_closest_marker("full")}
        items[:] = [
            item
            for item in items
            if CHAOS not in item.nodeid
            and (item.get_closest_marker("full") or function_of(item.nodeid) not in full)
        ]
        for item in items:
            size = "full" if item.get_closest_marker("full") else "small"
            self.results[item.nodeid] = {"size": size, "outcome": "not run"}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a test ended."""
        result = self.results[report.nodeid]
        if report.when == "call" or report.outcome != "passed":
            figures = [
                line.removeprefix(MARK)
                for line in report.capstdout.splitlines()
                if line.startswith(MARK)
            ]
            result.update(outcome=report.outcome, figures=figures)


def function_of(node: str) -> str:
    """The test of a name, without its parameters."""
    return node.split("[", maxsplit=1)[0]


def run(chosen: list[Row], *, full: bool) -> bool:
    """Run the tests of some rows and keep their results. Whether all passed."""
    collector = Collector()
    tests = sorted({test for row in chosen for test in row["tests"]})
    if tests:
        sizes = "full or not full" if full else "not full"
        pytest.main(["-q", "-m", sizes, "--durations=0", *tests], plugins=[collector])
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**stored(), **collector.results}, indent=1), encoding="utf-8")
    return all(result["outcome"] in {"passed", "skipped"} for result in collector.results.values())


def stored() -> Results:
    """The results of all runs so far."""
    if not RESULTS.exists():
        return {}
    found: Results = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def table(results: Results) -> str:
    """The rows as Markdown, with what was measured."""
    lines = [
        "| row | what happens | how it is made | promised | measured | lost at most | tests |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows():
        ruling = f" {row['ruling']}" if "ruling" in row else ""
        names = ", ".join(f"`{test.split('/', 1)[1].replace('.py', '')}`" for test in row["tests"])
        cells = (
            row["id"],
            row["fault"],
            row["how"],
            row["promised"] + "." * bool(ruling) + ruling,
            outcome(row, results),
            row["lost"],
            names,
        )
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def outcome(row: Row, results: Results) -> str:
    """What the tests of a row gave, in a few words."""
    mine = {
        node: result
        for node, result in results.items()
        if any(belongs(node, test) for test in row["tests"])
    }
    full = {function_of(node) for node, result in mine.items() if result["size"] == "full"}
    mine = {
        node: result
        for node, result in mine.items()
        if result["size"] == "full" or function_of(node) not in full
    }
    ran = [result for result in mine.values() if result["outcome"] != "not run"]
    if not ran:
        return "not run"
    passed = sum(result["outcome"] == "passed" for result in ran)
    skipped = sum(result["outcome"] == "skipped" for result in ran)
    words = (
        f"held, {passed} tests" if passed + skipped == len(ran) else f"**{passed} of {len(ran)}**"
    )
    words = words.replace(" 1 tests", " 1 test") + (f", {skipped} skipped" if skipped else "")
    figures = [figure for result in ran for figure in result.get("figures", ())]
    return "; ".join([words, *figures[:MOST_FIGURES]])


def write(results: Results) -> None:
    """Put the table into the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{after}", encoding="utf-8")


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
    passed = options.show or run(chosen, full=options.full)
    write(stored())
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
