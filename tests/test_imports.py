"""Imports go one way, and some libraries are imported by one package only.

Reads the sources, imports nothing. What may be imported where is in the two tables below; when a
test here fails, the import is in the wrong place far more often than the table is wrong.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Top first. A module may import from its own row and from the rows below it.
ROWS = [
    ["offspot_metrics"],
    ["cli"],
    # Doctor looks at every part of what serve would run.
    ["engine.doctor"],
    ["engine.runtime"],
    ["engine.api"],
    ["engine.http"],
    ["engine.demo"],
    ["engine.replay"],
    ["engine.spreadsheet"],
    ["engine.replay.workers", "engine.usage_report"],
    ["engine.report"],
    ["engine.figures"],
    ["engine.ledger"],
    ["engine.pipeline"],
    ["engine.store"],
    ["engine.kpis"],
    ["engine.indicators"],
    ["engine.verdict"],
    # Neither a store nor processes are needed to say which log begins where.
    ["engine.replay.recognise"],
    ["engine.inputs", "engine.sources"],
    ["engine.packages"],
    ["engine.settings"],
    ["engine.patterns", "engine.times"],
    ["engine.csv_text", "engine.hosts", "engine.regular_file"],
    ["engine.errors"],
    ["engine.text"],
    ["engine.version", "engine.wakeup", "static"],
]

# The only packages that may import these, and the reason for each further module.
CLOCK_AND_THREADS = ["engine.runtime", "engine.http"]
OWNERS = {
    "typer": ["cli"],
    "rich": ["cli"],
    "bottle": ["engine.api"],
    "waitress": ["engine.http.parsing"],
    "xlsxwriter": ["engine.spreadsheet.xlsx"],
    "sqlite3": ["engine.store"],
    # Filebeat is a child process of its source, stopped by a signal; doctor asks its version.
    # The processes of a replay have a handler of their own for Ctrl-C.
    "signal": ["engine.runtime", "engine.sources.filebeat", "engine.replay.workers"],
    "subprocess": ["engine.runtime", "engine.sources.filebeat", "engine.doctor"],
    "sched": ["engine.runtime"],
    "asyncio": [],
    # The HTTP server is threads and deadlines, and waits for nobody else's clock.
    # A source waits in a thread of its own.
    "time": [*CLOCK_AND_THREADS, "engine.sources.tail.source", "engine.sources.filebeat.source"],
    # Each of the server's threads keeps a connection of its own; a file is checked by one of them.
    "threading": [
        *(*CLOCK_AND_THREADS, "engine.api.answer_cache", "engine.store.header"),
        "engine.wakeup",  # it is set by one thread while another closes it
        "engine.sources.tail.watcher",  # opens logs at once, whatever the reader waits for
        "engine.sources.tail.watch",  # the reader takes events too, before it opens what it lists
    ],
    "queue": ["engine.runtime", "engine.http.workers"],
    # A replay may use all cores.
    "multiprocessing": ["engine.replay.workers"],
    "concurrent": ["engine.replay.workers"],
}


class Import(NamedTuple):
    importer: str
    imported: str
    where: str


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources() -> list[Path]:
    folders = [path for name in ("cli", "engine") for path in (ROOT / name).rglob("*.py")]
    return [ROOT / "offspot_metrics.py", ROOT / "static/__init__.py", *sorted(folders)]


MODULES = {module_name(path): path for path in sources()}


def imports_in(importer: str, tree: ast.AST, path: Path) -> Iterator[Import]:
    """Every import, at any depth: one inside a function is an import all the same."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: name the module in full"
            assert node.module is not None
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in inside]
        else:
            continue
        for name in sorted(set(names)):
            yield Import(importer, name, f"{path.relative_to(ROOT)}:{node.lineno}")


def all_imports() -> list[Import]:
    return [
        found
        for importer, path in MODULES.items()
        for found in imports_in(importer, ast.parse(path.read_bytes()), path)
    ]


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def row_of(module: str) -> int | None:
    """The row of ROWS that the module is in, by the longest name; None when it is not ours."""
    found = {part: i for i, row in enumerate(ROWS) for part in row if is_in(module, part)}
    return found[max(found, key=len)] if found else None


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_module_has_its_place_in_the_order(module: str) -> None:
    """A new package needs a row, which defines what may import it."""
    if module != "engine":
        assert row_of(module) is not None, f"{module} is in no row of {Path(__file__).name}"


def test_no_import_goes_up() -> None:
    """What is low in the order knows nothing of what is above it."""
    up = []
    for found in all_imports():
        importer, imported = row_of(found.importer), row_of(found.imported)
        if importer is not None and imported is not None and imported < importer:
            up.append(f"{found.where}: {found.importer} must not know {found.imported}")
    assert up == []


def test_some_libraries_are_imported_by_one_package_only() -> None:
    """SQL in the store, threads and the clock in the runtime, Typer at the command line."""
    strays = []
    for found in all_imports():
        owners = OWNERS.get(found.imported.split(".")[0])
        if owners is not None and not any(is_in(found.importer, owner) for owner in owners):
            belongs = ", ".join(owners) or "nowhere"
            strays.append(f"{found.where}: {found.imported} belongs in {belongs}")
    assert strays == []


def test_nobody_asks_for_the_time_but_the_runtime() -> None:
    """Outside the runtime time is an argument, so that a test can say what time it is."""
    asking = []
    for module, path in MODULES.items():
        if is_in(module, "engine.runtime"):
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"now", "today", "utcnow"}
                and ast.unparse(node.func.value).split(".")[-1] in {"date", "datetime"}
            ):
                asking.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert asking == []


def test_only_tests_import_tests() -> None:
    """What benchmarks and tools use too is in `lab/`, which the program itself does not know."""
    tops = ("benchmarks", "cli", "engine", "lab", "static", "tools")
    paths = [ROOT / "offspot_metrics.py"]
    for top in tops:
        paths += [p for p in (ROOT / top).rglob("*.py") if "node_modules" not in p.parts]
    wrong = []
    for path in paths:
        top = path.relative_to(ROOT).parts[0]
        apart = {"tests"} if top in {"benchmarks", "lab", "tools"} else {"tests", "lab"}
        for found in imports_in(module_name(path), ast.parse(path.read_bytes()), path):
            if found.imported.split(".")[0] in apart:
                wrong.append(f"{found.where}: {found.imported}")
    assert len(paths) > len(MODULES)
    assert wrong == []


def test_the_order_itself_is_seen_to_be_broken() -> None:
    """A reader that finds nothing proves nothing, so it is shown two wrong imports."""
    wrong = ast.parse("def f():\n    from engine.runtime import x\n    import sqlite3 as s\n")
    found = list(imports_in("engine.times", wrong, ROOT / "engine/times.py"))
    assert [(i.imported, i.where) for i in found] == [
        ("engine.runtime", "engine/times.py:2"),
        ("sqlite3", "engine/times.py:3"),
    ]
    lower, upper = row_of("engine.times"), row_of(found[0].imported)
    assert lower is not None
    assert upper is not None
    assert upper < lower
