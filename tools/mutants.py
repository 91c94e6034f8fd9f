"""Puts small mistakes into a copy of the code, one by one, and runs the tests that must find them.

    python tools/mutants.py                    all of tests/mutants/*.toml
    python tools/mutants.py --since main       those whose code or tests changed since a commit
    python tools/mutants.py --only backup      those whose name or file contains a word
    python tools/mutants.py --row F17 S9       those that break the promise of a row of faults
    python tools/mutants.py --rows             run nothing: each row, what breaks it, what finds it

A mutant is an entry of a list: `file`, `function` (dotted, empty for the module), `statement`
(the source that is replaced, which must occur exactly once there; white space is folded), `mutant`
(what takes its place; empty: nothing does) and `tests` (arguments for pytest, or files of vitest;
those of the list unless it names its own). It may have `rows`: the rows of tests/faults/rows.toml
whose promise it breaks, and whose tests it names. It is found when one of its tests fails. A mutant
that survives, an anchor that is lost and a test that cannot be run each make exit code 1.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script
from tools.bounded import FAILED, run

ROOT = Path(__file__).resolve().parent.parent
LISTS = ROOT / "tests" / "mutants"
ROWS = ROOT / "tests" / "faults" / "rows.toml"
TEST_SECONDS = 300
SHARED = (".venv", "build/filebeat", "static/node_modules", "static/src/kpis.ts")
"""Not in version control, and not written to by a test."""
OF_THE_ARCHIVE = ("tests/browser", "tests/test_chain.py", "tests/test_zipapp.py")
"""Tests that run `dist/offspot-metrics`, which is built again for them. Those of tests/cli build it
when they use it.
"""
PAGE_BUILD = ["npm", "run", "--silent", "build"]


class AnchorLostError(Exception):
    """The statement of a mutant is not, or not only once, where its entry says."""


@dataclass(frozen=True)
class Mutant:
    """One small mistake."""

    name: str
    file: str
    statement: str
    mutant: str
    tests: tuple[str, ...]
    function: str = ""
    rows: tuple[str, ...] = ()

    def apply(self, source: str) -> str:
        """The source with the mistake in it. Raises AnchorLostError."""
        begin, end = span_of(source, self.function) if self.function else (0, len(source))
        pattern = r"\s+".join(re.escape(word) for word in self.statement.split())
        found = list(re.finditer(pattern, source[begin:end]))
        if len(found) != 1:
            where = f"{self.function} of {self.file}" if self.function else self.file
            raise AnchorLostError(f"{len(found)} times in {where}: {self.statement}")
        at = found[0]
        changed = source[: begin + at.start()] + self.mutant + source[begin + at.end() :]
        if self.file.endswith(".py"):
            compile(changed, self.file, "exec")
        return changed


_parse = cache(ast.parse)
"""Of a file there are many mutants."""


def span_of(source: str, function: str) -> tuple[int, int]:
    """Where a function or class (dotted name) begins and ends in its source, as offsets."""
    node: ast.AST = _parse(source)
    for name in function.split("."):
        for child in ast.iter_child_nodes(node):
            if (
                isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                and child.name == name
            ):
                node = child
                break
        else:
            raise AnchorLostError(f"no {name} of {function}")
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    lines = source.splitlines(keepends=True)
    begin = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
    return sum(map(len, lines[:begin])), sum(map(len, lines[: node.end_lineno]))


def read_lists(folder: Path = LISTS) -> list[Mutant]:
    """All mutants, in the order of their files. Raises KeyError, TypeError for an odd entry."""
    found = []
    for path in sorted(folder.glob("*.toml")):
        listed = tomllib.loads(path.read_text("utf-8"))
        for entry in listed["mutant"]:
            tests = entry.get("tests") or listed["tests"]
            rows = tuple(entry.get("rows", ()))
            found.append(Mutant(**{**entry, "tests": tuple(tests), "rows": rows}))
    return found


def copy_tree(target: Path) -> None:
    """What git knows or would add, and the built page; links to what is large and only read."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout
    for name in names.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    for name in ("static/dist", "build/zipapp"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, target / name)
    for name in SHARED:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            (target / name).symlink_to((ROOT / name).resolve())
    for name in ("shared",):  # the samples, next to the project
        if (ROOT.parent / name).exists():
            (target.parent / name).symlink_to((ROOT.parent / name).resolve())


def judge(mutant: Mutant, tree: Path) -> str:
    """Apply a mutant in a copy of the tree, run its tests, undo it. Empty when it was found."""
    path = tree / mutant.file
    before = path.read_bytes()
    try:
        changed = mutant.apply(before.decode())
    except (AnchorLostError, SyntaxError, FileNotFoundError) as error:
        return f"anchor lost: {error}"
    environment = {
        **os.environ,
        "MUTANT": mutant.name,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(tree),
    }
    path.write_text(changed, "utf-8")
    of_vitest = all(test.endswith(".test.ts") for test in mutant.tests)
    page = mutant.file.startswith("static/") and not of_vitest
    try:
        if of_vitest:
            return judge_by_vitest(mutant.tests, tree, environment)
        if page and (built := run(PAGE_BUILD, tree / "static", environment)).returncode:
            return f"the page cannot be built: {built.stdout[-500:]}"
        if any(test.startswith(OF_THE_ARCHIVE) for test in mutant.tests):
            built = run([sys.executable, "tools/build_zipapp.py"], tree, environment)
            if built.returncode:
                return f"the archive cannot be built: {built.stdout[-500:]}"
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        command += ["--timeout", str(TEST_SECONDS), "-m", "full or not full", *mutant.tests]
        done = run(command, tree, environment)
    finally:
        path.write_bytes(before)
        if page:
            shutil.rmtree(tree / "static/dist", ignore_errors=True)
            shutil.copytree(ROOT / "static/dist", tree / "static/dist")
    if done.returncode == FAILED:
        return ""
    if done.returncode == 0 and re.search(r"\d+ passed", done.stdout):
        return "survived"
    return f"its tests cannot be run (exit {done.returncode}): {done.stdout[-500:]}"


def judge_by_vitest(tests: Iterable[str], tree: Path, environment: dict[str, str]) -> str:
    """Run files of vitest. Empty when one of their tests failed."""
    names = [str(Path(test).relative_to("static")) for test in tests]
    command = ["npx", "vitest", "run", *names]
    done = run(command, tree / "static", {**environment, "NO_COLOR": "1"})
    if re.search(r"Tests .*[0-9] failed", done.stdout):
        return ""
    if done.returncode == 0:
        return "survived"
    return f"its tests cannot be run (exit {done.returncode}): {done.stdout[-500:]}"


def changed_since(revision: str) -> set[str]:
    """The files that differ from a commit, with those that git does not know yet."""
    diff = ["git", "diff", "--name-only", revision]
    new = ["git", "ls-files", "--others", "--exclude-standard"]
    names: set[str] = set()
    for command in (diff, new):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        names |= set(done.stdout.splitlines())
    return names


def by_row(mutants: Iterable[Mutant]) -> dict[str, list[Mutant]]:
    """The rows of faults in the order of their table, each with the mutants that break it."""
    rows = tomllib.loads(ROWS.read_text())["row"]
    found: dict[str, list[Mutant]] = {row["id"]: [] for row in rows}
    for mutant in mutants:
        for row in mutant.rows:
            found[row].append(mutant)
    return found


def print_rows(mutants: Iterable[Mutant]) -> None:
    """A line for each mutant of each row: row, mistake, the tests that find it."""
    found = by_row(mutants)
    for row, broken in found.items():
        for mutant in broken:
            print(f"{row:5} -> {mutant.name} -> {' '.join(mutant.tests)}")
        if not broken:
            print(f"{row:5} -> none")
    without = [row for row, broken in found.items() if not broken]
    print(f"{len(found) - len(without)} of {len(found)} rows have a mutant")


def chosen(
    mutants: Iterable[Mutant], since: str = "", only: str = "", rows: Iterable[str] = ()
) -> list[Mutant]:
    """The mutants that were asked for."""
    asked = set(rows)
    changed = changed_since(since) if since else None

    def touches(mutant: Mutant) -> bool:
        files = {mutant.file, *(test.partition("::")[0] for test in mutant.tests)}
        return changed is None or bool(files & changed)

    return [
        mutant
        for mutant in mutants
        if touches(mutant)
        and only.lower() in f"{mutant.name} {mutant.file}".lower()
        and (not asked or asked & set(mutant.rows))
    ]


def main() -> int:
    """Judge the chosen mutants, print each verdict, and count."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--since", default="", metavar="COMMIT")
    parser.add_argument("--only", default="", metavar="WORD")
    parser.add_argument("--row", nargs="+", default=(), metavar="ID")
    parser.add_argument("--rows", action="store_true", help="show which rows have a mutant")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--lists", type=Path, default=LISTS, metavar="DIR")
    options = parser.parse_args()
    listed = read_lists(options.lists)
    if options.rows:
        print_rows(listed)
        return 0
    mutants = chosen(listed, options.since, options.only, options.row)
    if not mutants:
        parser.error("no mutant is like that: --rows shows which rows have one")
    begin, bad = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(min(options.jobs, len(mutants))):
            tree = Path(folder) / str(number) / "tree"
            tree.mkdir(parents=True)
            copy_tree(tree)
            trees.put(tree)

        def verdict(mutant: Mutant) -> tuple[Mutant, str, float]:
            tree, since = trees.get(), time.monotonic()
            try:
                return mutant, judge(mutant, tree), time.monotonic() - since
            finally:
                trees.put(tree)

        with ThreadPoolExecutor(options.jobs) as pool:
            for mutant, problem, seconds in pool.map(verdict, mutants):
                bad += bool(problem)
                said = problem.upper() if problem == "survived" else problem or "found"
                print(f"{seconds:6.1f} s  {mutant.file}: {mutant.name}: {said}", flush=True)
    print(f"{len(mutants) - bad} of {len(mutants)} found, {time.monotonic() - begin:.0f} s")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
