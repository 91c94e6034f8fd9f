"""The lists of small mistakes that `make mutants` puts into the code (tools/mutants.py)."""

from pathlib import Path

import pytest

from tests.faults.__main__ import rows
from tests.faults.results import belongs
from tools.mutants import ROOT, AnchorLostError, Mutant, by_row, chosen, judge, read_lists

LISTED = read_lists()


@pytest.fixture
def _few_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small runs load what they need of pytest's plugins: the others take most of a second."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "pytest_timeout")


def test_each_mistake_has_its_place() -> None:
    """Each mutant of the lists can still be put into the code, and names tests that are there."""
    for mutant in LISTED:
        source = (ROOT / mutant.file).read_text("utf-8")
        assert mutant.apply(source) != source, mutant.name
        assert mutant.tests, mutant.name
        for test in mutant.tests:
            path, _, name = test.partition("::")
            assert (ROOT / path).exists(), (mutant.name, test)
            function = name.partition("[")[0].rpartition("::")[2]
            assert not name or f"def {function}" in (ROOT / path).read_text("utf-8"), test


def test_no_mistake_is_listed_twice() -> None:
    """A name stands for one mutant, and a mutant has one name."""
    assert len({m.name for m in LISTED}) == len(LISTED)
    assert len({(m.file, m.function, m.statement, m.mutant) for m in LISTED}) == len(LISTED)


def test_an_anchor_is_exact() -> None:
    """A statement that is missing, or stands twice, is an error and never a found mutant."""
    source = "def a():\n    return 1\n\n\ndef b():\n    x = 1\n    x = 1\n    return x\n"
    mutant = Mutant("", "x.py", "return 1", "return 2", (), function="a")
    assert "return 2" in mutant.apply(source)
    for function, statement in (("a", "return 3"), ("b", "x = 1"), ("c", "return 1")):
        with pytest.raises(AnchorLostError):
            Mutant("", "x.py", statement, "", (), function=function).apply(source)


@pytest.mark.usefixtures("_few_plugins")
def test_verdicts(tmp_path: Path) -> None:
    """A mutant is found by a test that fails; one that survives, or whose test is
    missing or skipped, is said to.
    """
    (tmp_path / "x.py").write_text("def double(n):\n    return n * 2\n")
    (tmp_path / "test_x.py").write_text(
        "from x import double\n\n\ndef test_two():\n    assert double(2) == 4\n\n\n"
        "def test_three():\n    assert double(3) == 6\n\n\n"
        "def test_five():\n    import pytest\n    pytest.skip('needs a moon')\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = full\n")

    def verdict(test: str) -> str:
        mutant = Mutant("", "x.py", "n * 2", "n + 2", (test,), function="double")
        return judge(mutant, tmp_path)

    assert verdict("test_x.py") == ""
    assert verdict("test_x.py::test_two") == "survived"
    assert "cannot be run" in verdict("test_x.py::test_four")
    assert "cannot be run (exit 0)" in verdict("test_x.py::test_five"), "skipped is no verdict"
    assert (tmp_path / "x.py").read_text() == "def double(n):\n    return n * 2\n"


@pytest.mark.usefixtures("_few_plugins")
def test_tests_that_do_not_end_are_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutant can leave a thread behind that never ends: what failed before that counts."""
    monkeypatch.setattr("tools.bounded.RUN_SECONDS", 5)
    (tmp_path / "x.py").write_text("def forever():\n    return False\n")
    (tmp_path / "test_x.py").write_text(
        "import threading\nfrom x import forever\n\n\n"
        "def test_it():\n"
        "    if forever():\n"
        "        threading.Thread(target=threading.Event().wait).start()\n"
        "    assert not forever()\n\n\n"
        "def test_nothing():\n"
        "    if forever():\n"
        "        threading.Thread(target=threading.Event().wait).start()\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = full\n")

    def verdict(test: str) -> str:
        mutant = Mutant("", "x.py", "False", "True", (f"test_x.py::{test}",), function="forever")
        return judge(mutant, tmp_path)

    assert verdict("test_it") == ""
    assert "cannot be run" in verdict("test_nothing")


def test_a_row_is_broken_by_a_mutant_that_its_own_tests_find() -> None:
    """A mutant that names rows of the table of faults names tests of each of them; every row
    has one, but the one that is several at once.
    """
    tests_of = {row["id"]: row["tests"] for row in rows()}
    for mutant in LISTED:
        for row in mutant.rows:
            for test in mutant.tests:
                assert any(belongs(test, named) for named in tests_of[row]), (
                    mutant.name,
                    row,
                    test,
                )
    found = by_row(LISTED)
    assert [row for row, broken in found.items() if not broken] == ["all"]


def test_the_mutants_of_a_row_are_chosen_by_its_id() -> None:
    """`--row F1` takes the mutants of F1, and none of F10."""
    one = Mutant("one", "x.py", "a", "b", ("t",), rows=("F1", "S2"))
    ten = Mutant("ten", "x.py", "a", "c", ("t",), rows=("F10",))
    assert chosen([one, ten], rows=["F1"]) == [one]
    assert chosen([one, ten], rows=["S2", "F10"]) == [one, ten]
    assert chosen([one, ten], only="TEN") == [ten]
    assert chosen([one, ten]) == [one, ten]
