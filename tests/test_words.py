"""Names in the code use the terms of the field: words that were replaced do not come back."""

from __future__ import annotations

import ast
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from engine.store.store import Store

ROOT = Path(__file__).resolve().parent.parent

REPLACED = {
    "asked": "request",
    "anew": "again",
    "aside": "quarantine",
    "beside": "adjacent",
    "complaint": "error",
    "deaf": "non-reading",
    "doubt": "ambiguous",
    "facts": "what is in them",
    "follower": "cursor, continuation",
    "foreseen": "upcoming",
    "generation": "log_file",
    "generations": "log_files",
    "grafted": "repaired",
    "held": "open",
    "hurry": "shorten",
    "mirror": "positions",
    "nameless": "untimed",
    "odd": "fallback",
    "packed": "compressed, encoded",
    "recall": "get",
    "rubbish": "unparsed",
    "said": "log, report",
    "say": "log, report",
    "says": "log, report",
    "seal": "checksum",
    "sealed": "checksum",
    "settle": "rewind, ensure",
    "settled": "rewound",
    "shadow": "continuation",
    "showing": "read_only",
    "sound": "valid",
    "stops": "resume_points",
    "tell": "log, report",
    "tells": "log, report",
    "told": "log, report",
    "tracker": "positions",
    "unsaid": "report",
    "usual": "request_key",
    "vitals": "service_status",
}
"""Words that names had, and the terms in their place."""

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def names_in(tree: ast.AST) -> Iterator[str]:
    """Names of functions, classes, parameters, variables and attributes that the code makes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def replaced_in(names: set[str]) -> list[str]:
    """Those with a replaced word, with the term to use."""
    found = []
    for name in sorted(names):
        words = [word.lower() for word in _WORDS.findall(name)]
        found += [f"{name}: {REPLACED[word]}" for word in words if word in REPLACED]
    return found


def test_names_of_the_code() -> None:
    """No name in `engine/` and `cli/` has a replaced word."""
    files = [*ROOT.glob("engine/**/*.py"), *ROOT.glob("cli/**/*.py")]
    assert len(files) > 100
    names = {name for file in files for name in names_in(ast.parse(file.read_text()))}
    assert replaced_in(names) == []


def test_names_of_the_database(tmp_path: Path) -> None:
    """No table and no column of a new database has a replaced word."""
    path = tmp_path / "metrics.db"
    Store.open(path).close()
    connection = sqlite3.connect(path)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema")]
    columns = [
        row[1] for table in tables for row in connection.execute(f"PRAGMA table_info({table})")
    ]
    connection.close()
    assert "checksum" in columns
    assert replaced_in({*tables, *columns}) == []


def test_a_replaced_word_is_found() -> None:
    """In snake case and in camel case, and only as a whole word."""
    tree = ast.parse(
        "class HeldLog: pass\ndef f(is_sound, soundness):\n  self._packed = TELLS = 1\n"
    )
    assert [line.partition(":")[0] for line in replaced_in(set(names_in(tree)))] == [
        "HeldLog",
        "TELLS",
        "_packed",
        "is_sound",
    ]
