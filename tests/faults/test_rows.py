"""The table of faults names tests that exist, and leaves no row of the contract out."""

import ast

import pytest

from tests.faults.__main__ import PAGE, ROOT, Row, rows, stored, table

IDS = [
    *(f"B{n}" for n in range(1, 13)),
    *(f"F{n}" for n in range(1, 37)),
    *(f"D-T{n}" for n in range(1, 7)),
    *(f"S{n}" for n in range(1, 26)),
]


def test_every_row_is_there() -> None:
    """B1 to B12, F1 to F36, D-T1 to D-T6, S1 to S25."""
    found = [row["id"] for row in rows()]
    assert set(IDS) <= set(found)
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


def test_the_page_has_every_row() -> None:
    """docs/reliability.md is the table of rows.toml, whatever was measured last."""
    page = PAGE.read_text(encoding="utf-8")
    for row in rows():
        assert f"\n| {row['id']} | {row['fault']} |" in page
    assert table(stored()).count("\n") == len(rows()) + 2
