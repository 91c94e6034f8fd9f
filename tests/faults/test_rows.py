"""The table of faults has every row of the contract, names tests that exist, and says when its
results were measured.
"""

import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.__main__ import BEGIN, END, PAGE, ROOT, rows, table
from tests.faults.results import Result, Results, Row, load, merged, shown, store

IDS = """
B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12
F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 F11 F12 F13 F14 F15 F16 F17 F18 F19 F20 F21 F22 F23 F24
F25 F26 F27 F28 F29 F30 F31 F32 F33 F34 F35 F36
D-T1 D-T2 D-T3 D-T4 D-T5 D-T6
S1 S2 S3 S4 S5 S6 S7 S8 S9 S10 S11 S12 S13 S14 S15 S16 S17 S18 S19 S20 S21 S22 S23 S24
S25 S26 S27 S28 S29 S30 S31 S32 S33 S34 S35 S36
"""
OLD = Result("aaaaaaa", "2026-01-02", "4 x Cortex", passed=3, figures=["12 kills"])
NEW = Result("bbbbbbb", "2026-03-04", "2 x EPYC", passed=2)
SKIPPED = replace(NEW, passed=0, skipped={"needs root": 2})


def line_of(row: str, results: Results) -> str:
    """The row of a table made of results."""
    [found] = [line for line in table(results).splitlines() if line.startswith(f"| {row} |")]
    return found


def test_every_row_is_there() -> None:
    """Each row of the contract and of the threats that came later, once."""
    found = [row["id"] for row in rows()]
    assert set(IDS.split()) - set(found) == set()
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["id"]))
def test_a_row_names_tests_that_exist(row: Row) -> None:
    """A folder, a file, or a function in it; a row without any says why."""
    assert row["tests"] or row["ruling"]
    for test in row["tests"]:
        name, _, function = test.partition("::")
        path = ROOT / name
        assert path.exists(), name
        if function:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            assert function in {
                node.name for node in tree.body if isinstance(node, ast.FunctionDef)
            }


def test_the_page_has_the_table_of_the_results() -> None:
    """docs/reliability.md is what rows.toml and results.json give: neither is changed alone."""
    page = PAGE.read_text(encoding="utf-8")
    written = page.split(BEGIN)[1].split(END)[0].strip().splitlines()
    assert written[0].startswith("| row | what happens | how it is made | promised | measured |")
    for row in rows():
        assert f"\n| {row['id']} | {row['fault']} |" in page
    assert set(load()) <= {row["id"] for row in rows()}


def test_a_row_says_when_and_where_it_was_measured() -> None:
    """Commit, date and the number of the machine, which is named below the table."""
    results: Results = {"F1": {"full": OLD}, "F2": {"small": NEW}}
    assert "| held, 3 tests; 12 kills | full size: aaaaaaa, 2026-01-02, 1 |" in line_of(
        "F1", results
    )
    assert "| held, 2 tests | bbbbbbb, 2026-03-04, 2 |" in line_of("F2", results)
    assert "| not run |  |" in line_of("F3", results)
    assert table(results).endswith("\nMachine 1: 4 x Cortex.\nMachine 2: 2 x EPYC.\n")


def test_a_partial_run_leaves_older_results_theirs(tmp_path: Path) -> None:
    """Rows that did not run keep result, commit, date and machine; a full size is kept beside."""
    known: Results = {"F1": {"small": OLD}, "F2": {"full": OLD}, "F9": {"small": OLD}}
    path = tmp_path / "results.json"
    store(merged(known, {"F2": {"small": NEW}, "F3": {"small": NEW}}), ["F1", "F2", "F3"], path)
    found = load(path)
    assert list(found) == ["F1", "F2", "F3"], "a row that is no more has no result"
    assert found["F1"] == {"small": OLD}
    assert found["F2"] == {"full": OLD, "small": NEW}
    assert found["F3"] == {"small": NEW}
    both = line_of("F2", found)
    assert "| held, 3 tests; 12 kills |" in both
    assert "| full size: aaaaaaa, 2026-01-02, 1; bbbbbbb, 2026-03-04, 2 |" in both


def test_skipped_is_not_held() -> None:
    """All skipped is "not run" with the reason, some skipped is said, a failure is no pass."""
    assert "| not run: 2 x needs root |" in line_of("F3", {"F3": {"small": SKIPPED}})
    some = replace(NEW, skipped={"no vfat here": 1})
    assert "| held, 2 tests, 1 not run (1 x no vfat here) |" in line_of(
        "F3", {"F3": {"small": some}}
    )
    failed = replace(NEW, failed=1)
    assert "| **1 of 3 tests failed** |" in line_of("F3", {"F3": {"small": failed}})
    assert [result.held for result in (NEW, some, failed, SKIPPED)] == [True, True, False, False]


def test_a_skip_hides_no_older_result_and_a_failure_is_not_hidden() -> None:
    """What could not run on this machine stays what it was; a small size that fails is shown
    though the full one held before.
    """
    kept = merged({"F3": {"small": OLD}}, {"F3": {"small": SKIPPED}})
    assert kept == {"F3": {"small": OLD}}
    failed = replace(NEW, failed=1)
    assert shown({"full": OLD, "small": failed}) is failed
    assert shown({"full": OLD, "small": NEW}) is OLD
    assert shown({"full": SKIPPED, "small": NEW}) is NEW


TESTS = """
import pytest

def test_passes():
    print("measured: seven of seven")

@pytest.mark.skip(reason="needs a moon")
def test_skips():
    pass

@pytest.mark.parametrize("n", [1, pytest.param(1000, marks=pytest.mark.full)])
def test_sizes(n):
    print(f"measured: {n} lines")

@pytest.fixture
def broken():
    yield
    raise OSError("late")

def test_ends_badly(broken):
    pass
"""
RUN = """
import json, sys
from dataclasses import asdict
from tests.faults.__main__ import run
names = {"F1": "passes", "F2": "skips", "F3": "sizes", "F4": "ends_badly"}
rows = [{"id": row, "tests": [f"test_x.py::test_{name}"]} for row, name in names.items()]
results, passed = run(rows, full="--full" in sys.argv)
found = {row: {size: asdict(r) for size, r in sizes.items()} for row, sizes in results.items()}
open("out.json", "w").write(json.dumps([found, passed]))
"""


@pytest.mark.parametrize("full", [False, True])
def test_the_tests_of_rows_are_run_and_judged(tmp_path: Path, full: bool) -> None:
    """A real run: a pass with its figures, a skip with its reason, the size that ran, and a test
    that fails after its end.
    """
    (tmp_path / "test_x.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = full\n")
    command = [sys.executable, "-c", RUN, *(["--full"] if full else [])]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    found, passed = json.loads((tmp_path / "out.json").read_text())
    assert not passed
    one = found["F1"]["small"]
    assert (one["passed"], one["figures"], one["skipped"]) == (1, ["seven of seven"], {})
    assert len(one["commit"]) >= 7
    assert one["date"][:2] == "20"
    assert "Linux" in one["machine"]
    assert found["F2"]["small"]["passed"] == 0
    assert found["F2"]["small"]["skipped"] == {"needs a moon": 1}
    size, lines = ("full", "1000 lines") if full else ("small", "1 lines")
    assert found["F3"][size]["figures"] == [lines]
    assert list(found["F3"]) == [size]
    assert (found["F4"]["small"]["passed"], found["F4"]["small"]["failed"]) == (0, 1)
