"""The documentation leads somewhere: links, paths, commands and targets in it exist."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tools.cli_docs import commands

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
        *DOCS.rglob("*.md"),
        *(path for path in ROOT.glob("*/README.md") if path.parent != DOCS),
    ]
)
BUILT = ("build/", "dist/", "static/dist/", "static/node_modules/", ".venv/")
"""These are there once they have been made."""

_LINK = re.compile(r"(!?)\[[^\]]*\]\(([^()\s]+(?:\([^()]*\))?[^()\s]*)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_BLOCK = re.compile(r"^```.*?^```$|(?:^(?: {4}|\t)[^\n]*\n?)+", re.M | re.S)


@pytest.fixture(scope="module")
def folders() -> set[str]:
    """The folders of the tree: what begins with one of them in the docs is a path."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name.partition("/")[0] for name in listed.stdout.splitlines() if "/" in name}


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    """The page without blocks of code."""
    return _BLOCK.sub("", text_of(page))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} (.+)$", prose_of(page), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading in it."""
    broken = []
    for _, target in _LINK.findall(prose_of(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_exists(page: Path, folders: set[str]) -> None:
    """Of the tree, or of what is built; `*` in it stands for what it does in a shell."""
    missing = []
    if page.parent == DOCS / "adr":
        return  # a decision names what was there when it was made
    for code in _CODE.findall(prose_of(page)):
        for word in re.findall(r"(?<![\w/.-])[\w.][\w./*-]*/[\w./*-]*", code):
            if word.partition("/")[0] not in folders or word.startswith(BUILT):
                continue
            name = word.rstrip("/.")  # or as dashboard.md and reliability.md name it
            if not any(
                any(ROOT.glob(each)) for each in (name, f"static/{name}", f"tests/{name}.py")
            ):
                missing.append(word)
    assert missing == []


def command_lines(page: Path) -> Iterator[list[str]]:
    """The words of every call of the program in the blocks of a page."""
    for block in _BLOCK.findall(text_of(page)):
        for line in block.replace("\\\n", " ").splitlines():
            shell = re.split(r"\s#\s|\s[|>]\s", line)[0]
            if found := re.search(r"(?:^|[\s/(])offspot-metrics (?!\()(.+)", shell):
                yield found[1].split()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_is_one_of_the_program(page: Path) -> None:
    """With options that it has."""
    known, wrong = commands(), []
    for words in command_lines(page):
        name = " ".join(words[: 2 if words[0] == "config" else 1])
        if re.fullmatch(r"[a-z]+(?: [a-z]+)?", name) and "=" not in name:
            options = (
                {opt for one in known[name].params for opt in one.opts} if name in known else ()
            )
            given = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
            wrong += [f"{name} {option}" for option in given if option not in {*options, "--help"}]
            if name not in known:
                wrong.append(name)
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_target_is_in_the_makefile(page: Path) -> None:
    """`make run`, `make test`, and so on."""
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", text_of(ROOT / "Makefile"), re.M))
    named = re.findall(r"(?:^ {4}|`)make ([a-z][a-z0-9-]*)", text_of(page), re.M)
    assert set(named) <= targets


def test_the_index_has_every_page() -> None:
    """Nothing is written that nobody finds."""
    index = text_of(DOCS / "README.md")
    listed = {target for _, target in _LINK.findall(index)}
    pages = {path.name for path in DOCS.glob("*.md")} - {"README.md"}
    details = {"reliability-reader.md", "reliability-store.md"}  # of reliability.md
    assert pages - details <= listed


def test_the_list_of_decisions_has_each_once() -> None:
    """By its name."""
    listed = [target for _, target in _LINK.findall(text_of(DOCS / "adr/README.md"))]
    assert sorted(listed) == sorted(path.name for path in (DOCS / "adr").glob("0*.md"))


def test_every_folder_is_explained(folders: set[str]) -> None:
    """The developer's manual says what is in it."""
    manual = text_of(ROOT / "CONTRIBUTING.md")
    engine = (path.parent.name for path in (ROOT / "engine").glob("*/__init__.py"))
    named = {f"engine/{name}/" for name in engine if name != "replay"}  # named with pipeline.py
    named |= {f"{name}/" for name in folders if not name.startswith((".", "engine"))}
    assert {name for name in named if f"`{name}" not in manual} == set()


def test_every_route_is_explained() -> None:
    """Each of the description of the API is in the integrator's reference."""
    described = yaml.safe_load(text_of(ROOT / "engine/api/openapi.yaml"))["paths"]
    routes = re.findall(r"`(?:GET )?(/[^`?]*)", text_of(DOCS / "api.md"))
    known = {re.sub(r"\{[^}]*\}", "{}", route) for route in routes}
    assert {path for path in described if re.sub(r"\{[^}]*\}", "{}", path) not in known} == set()
