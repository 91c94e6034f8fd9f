"""Code is in short pieces, SQL is in the store, and the tour of the code leads somewhere.

What is longer today is in `sizes.toml`, with its size and the reason. That list only shrinks:
an entry that is larger than needed, or not needed any more, fails too. To lower it to what is
measured: `python tests/test_laws.py`.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "tests/sizes.toml"
TOUR = ROOT / "docs/tour.md"

LIMITS = {"lines of a module": 300, "lines of a function": 40, "parameters": 5}
STEP = 10  # the list has lines of modules in tens, or each import would be a new line of it
STATEMENTS = "statements of SQL"
PRODUCT = ("cli/", "engine/", "offspot_metrics.py")
STORE = "engine/store/"
FOLDERS = ("benchmarks", "cli", "engine", "lab", "tools")

SQL = re.compile(
    r"\bSELECT\b.*\bFROM\b|\bINSERT\s+(OR\s+\w+\s+)?INTO\b|\bUPDATE\b.*\bSET\b|\bDELETE\s+FROM\b"
    r"|\b(CREATE|DROP|ALTER)\s+(TEMP\s+)?(TABLE|INDEX|TRIGGER|VIEW)\b|\bPRAGMA\s+\w"
    r"|\bBEGIN\s+(IMMEDIATE|EXCLUSIVE|DEFERRED)\b|\bATTACH\s+DATABASE\b|\bVACUUM\s+INTO\b",
    re.IGNORECASE | re.DOTALL,
)

HEADER = """\
# What is longer than tests/test_laws.py allows, and why. The list only shrinks; after you have made
# something shorter, or moved it: python tests/test_laws.py (after a conflict: take a side, run it).
"""


class Key(NamedTuple):
    kind: str
    place: str  # file, or file:Class.function


class Entry(NamedTuple):
    now: int
    why: str


Sizes = dict[Key, int]
Entries = dict[Key, Entry]


def sources() -> dict[str, str]:
    """The text of each file, by path."""
    paths = [ROOT / "offspot_metrics.py"]
    for folder in FOLDERS:
        paths += sorted((ROOT / folder).rglob("*.py"))
    return {str(path.relative_to(ROOT)): path.read_text() for path in paths}


def sizes_of(path: str, text: str) -> Sizes:
    """All that is too long in a file, and how long it is."""
    tree = ast.parse(text)
    lines = len(text.splitlines())
    measured = {Key("lines of a module", path): lines + -lines % STEP}
    for name, function in functions_in(tree, ""):
        place = f"{path}:{name}"
        lines = (function.end_lineno or 0) - function.lineno + 1
        measured[Key("lines of a function", place)] = lines
        measured[Key("parameters", place)] = parameters_of(function)
    found = {key: size for key, size in measured.items() if size > LIMITS[key.kind]}
    if path.startswith(PRODUCT) and not path.startswith(STORE) and (statements := sql_in(tree)):
        found[Key(STATEMENTS, path)] = len(statements)
    return found


def functions_in(
    node: ast.AST, prefix: str
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        name = prefix
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}{child.name}."
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield name[:-1], child
        yield from functions_in(child, name)


def parameters_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many there are, without `self` and `cls`."""
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args)]
    own = names[:1] in (["self"], ["cls"])
    more = bool(given.vararg) + bool(given.kwarg) + len(given.kwonlyargs)
    return len(names) - own + more


def all_sizes() -> Sizes:
    found: Sizes = {}
    for path, text in sources().items():
        found |= sizes_of(path, text)
    return found


def read_list() -> Entries:
    tables = tomllib.loads(LIST.read_text())
    return {
        Key(kind, place): Entry(entry["now"], entry["why"])
        for kind, entries in tables.items()
        for place, entry in entries.items()
    }


def differences(measured: Sizes, listed: Entries) -> list[str]:
    """What is longer than the list allows, and what in the list is not needed."""
    wrong = []
    for key in sorted({*measured, *listed}):
        size, entry = measured.get(key), listed.get(key)
        if entry is None:
            limit = LIMITS.get(key.kind, 0)
            wrong.append(f"{key.place}: {size} {key.kind}; {limit} are allowed")
        elif size is None:
            wrong.append(f"{key.place}: in {LIST.name} for {key.kind}, and not needed")
        elif size > entry.now:
            wrong.append(f"{key.place}: {size} {key.kind}, grown from {entry.now}")
        elif size < entry.now:
            wrong.append(f"{key.place}: {size} {key.kind}, and {entry.now} in {LIST.name}")
    return wrong


def lowered(measured: Sizes, listed: Entries) -> Entries:
    """The list with the sizes of today; of what has moved, under its new place. Nothing grows."""
    result: Entries = {}
    for key, entry in listed.items():
        found = (
            [key]
            if key in measured
            else [other for other in measured if other not in listed and is_moved(key, other)]
        )
        for place in found:
            result[place] = Entry(min(measured[place], entry.now), entry.why)
    return result


def is_moved(old: Key, new: Key) -> bool:
    """Whether it is the same function, or the same name of a file, in another place."""
    end = [re.split("[:/]", key.place)[-1] for key in (old, new)]
    return old.kind == new.kind and end[0] == end[1]


def written(entries: Entries) -> str:
    text = HEADER
    for (kind, place), (now, why) in sorted(entries.items()):
        text += f'\n["{kind}"."{place}"]\nnow = {now}\nwhy = "{why}"\n'
    return text


def sql_in(tree: ast.AST) -> list[str]:
    """The texts that are SQL; docstrings may name a statement."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [text_of(node) for node in ast.walk(tree) if id(node) not in docstrings]
    return [text for text in texts if SQL.search(text)]


def text_of(node: ast.AST) -> str:
    """The text of a string, with `?` for what is put into it."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "?" for part in node.values)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ""


def test_what_is_longer_than_allowed_is_in_the_list_and_nothing_else_is() -> None:
    """Lines of modules and functions, parameters, and SQL outside the store."""
    assert differences(all_sizes(), read_list()) == [], "shorter or moved: run tests/test_laws.py"


def test_each_entry_of_the_list_has_a_reason() -> None:
    """Who finds an entry learns why it is there."""
    assert [key for key, entry in read_list().items() if len(entry.why.split()) < 3] == []


def test_the_sql_of_the_store_is_seen() -> None:
    """Another database would be another store: a search that finds nothing would not prove it."""
    store = [ast.parse(text) for path, text in sources().items() if path.startswith(STORE)]
    assert sum(len(sql_in(tree)) for tree in store) > 10


@pytest.mark.parametrize(
    ("statement", "is_sql"),
    [
        ("SELECT a, b\n  FROM c", True),
        ("insert or replace into t values (?)", True),
        ("PRAGMA data_version", True),
        ("update t set a = 1", True),
        ("BEGIN IMMEDIATE", True),
        ("DELETE FROM x", True),
        ("choose a day, or update the database", False),
        ("begin with a line", False),
    ],
)
def test_sql_is_recognised_and_english_is_not(statement: str, is_sql: bool) -> None:
    """A text is told by its grammar; what a docstring names is none."""
    tree = ast.parse(f'"""SELECT this FROM a docstring."""\nx = f({statement!r})\n')
    assert bool(sql_in(tree)) is is_sql
    assert len(sql_in(ast.parse("x = f'SELECT {a} FROM {b}'"))) == 1


LONG = (
    "class C:\n"
    "    async def f(self, a, /, b, *c, d, e, **g):\n"
    "        def inside(cls, a, b, c, d, e):\n" + "            pass\n" * 40 + "\n" * 260
)


def test_what_is_too_long_is_seen() -> None:
    """Nested and asynchronous functions too; `self` and `cls` are not counted."""
    assert sizes_of("x.py", LONG) == {
        ("lines of a module", "x.py"): 310,
        ("lines of a function", "x.py:C.f"): 42,
        ("lines of a function", "x.py:C.f.inside"): 41,
        ("parameters", "x.py:C.f"): 6,
    }
    assert sizes_of("y.py", "def f(a, b, c, d, e): pass\n") == {}
    query = "x = f('SELECT a FROM b')\n"
    assert sizes_of("cli/x.py", query) == {(STATEMENTS, "cli/x.py"): 1}
    assert sizes_of("engine/store/x.py", query) == {}


def test_the_list_only_shrinks() -> None:
    """New and grown sizes are refused, smaller ones noted; what has moved keeps its reason."""
    module, function = "lines of a module", "lines of a function"
    listed = {
        Key(module, "a/same.py"): Entry(400, "one state machine"),
        Key(module, "a/less.py"): Entry(400, "one state machine"),
        Key(module, "a/more.py"): Entry(400, "one state machine"),
        Key(module, "a/gone.py"): Entry(400, "one state machine"),
        Key(function, "a/x.py:f"): Entry(50, "a list of options"),
    }
    measured = {
        Key(module, "a/same.py"): 400,
        Key(module, "a/less.py"): 350,
        Key(module, "a/more.py"): 450,
        Key(module, "a/new.py"): 301,
        Key(function, "b/y.py:f"): 45,
    }
    assert differences(measured, listed) == [
        "a/x.py:f: in sizes.toml for lines of a function, and not needed",
        "b/y.py:f: 45 lines of a function; 40 are allowed",
        "a/gone.py: in sizes.toml for lines of a module, and not needed",
        "a/less.py: 350 lines of a module, and 400 in sizes.toml",
        "a/more.py: 450 lines of a module, grown from 400",
        "a/new.py: 301 lines of a module; 300 are allowed",
    ]
    shorter = lowered(measured, listed)
    assert shorter == {
        Key(module, "a/same.py"): Entry(400, "one state machine"),
        Key(module, "a/less.py"): Entry(350, "one state machine"),
        Key(module, "a/more.py"): Entry(400, "one state machine"),
        Key(function, "b/y.py:f"): Entry(45, "a list of options"),
    }
    assert differences(measured, shorter) == [
        "a/more.py: 450 lines of a module, grown from 400",
        "a/new.py: 301 lines of a module; 300 are allowed",
    ]


def test_the_list_is_written_as_it_is_read() -> None:
    """Lowering it changes numbers and nothing else, so that two who do it get the same file."""
    assert written(read_list()) == LIST.read_text()


STOP = re.compile(r"^\d\. `([^`]+)`: ((?:`[\w.]+`(?:, )?)+)\. \S", re.MULTILINE)
"""A file of the tour, and the functions or classes to read in it."""


def stops_of(tour: str) -> dict[str, list[tuple[str, list[str]]]]:
    """The stops of each question: the file, and what to read in it."""
    _, *parts = re.split(r"^## ", tour, flags=re.MULTILINE)
    return {
        part.partition("\n")[0]: [
            (path, re.findall(r"[\w.]+", names)) for path, names in STOP.findall(part)
        ]
        for part in parts
    }


def missing_stops(stops: list[tuple[str, list[str]]]) -> list[str]:
    """Files that are not there, and functions that are not in them."""
    missing = []
    for path, names in stops:
        if not (ROOT / path).is_file():
            missing.append(path)
            continue
        tree = ast.parse((ROOT / path).read_bytes())
        there = {name for name, _ in functions_in(tree, "")} | {
            node.name for node in tree.body if isinstance(node, ast.ClassDef)
        }
        missing += [f"{path}: {name}" for name in names if name not in there]
    return missing


def test_the_tour_leads_through_six_files_for_each_question() -> None:
    """They exist, and so do the functions to read in them."""
    stops = stops_of(TOUR.read_text())
    assert len(stops) == 4
    assert {question: len(files) for question, files in stops.items()} == dict.fromkeys(stops, 6)
    assert {question: missing_stops(files) for question, files in stops.items()} == {
        question: [] for question in stops
    }, "moved or renamed: say so in docs/tour.md"


def test_what_is_missing_on_the_tour_is_seen() -> None:
    """A file that is gone, and a function that has another name."""
    tour = (
        "# A tour\n\n## How?\n\n1. `engine/gone.py`: `f`. It does.\n"
        "2. `engine/replay/run.py`: `Replay.run`, `Replay`, `Replay.walk`. It counts.\n"
    )
    (stops,) = stops_of(tour).values()
    assert missing_stops(stops) == ["engine/gone.py", "engine/replay/run.py: Replay.walk"]


if __name__ == "__main__":
    LIST.write_text(written(lowered(all_sizes(), read_list())))
    print("\n".join(differences(all_sizes(), read_list())) or f"{LIST.name} is as short as can be")
