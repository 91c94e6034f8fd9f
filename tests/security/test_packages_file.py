"""Packages files that want to be more than a list of packages (S17).

Files that are no file (a pipe, a device, a link to one), alias bombs and tags that run code are in
`tests/cli/test_cli_packages.py`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.packages import Packages, parse_packages
from tests.security.cases import MEGABYTE, PACKAGES, ROOT, SECONDS, Serve, line
from tests.support.measured import measured

GAMES = '{kind: files, url: "//g.box/", title: Games}'
MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_NODES = 50_000
SECONDS_TO_REFUSE = 10
"""Of the processor: far less than a bomb would take, far more than this takes."""
TAGS = ("int", "float", "bool", "timestamp", "binary", "null", "str", "seq", "map", "set", "omap")
VALUES = (
    *('""', '"x"', '"_"', '"-"', '"+"', '"."', '"0x"', '"0b"', '"1:2:3"', '"9e999"', '"é"'),
    *('"0xffffffffffffffffffffffff"', '"2024-99-99"', '"0001-01-01T00:00:00+23:59"'),
    *("[]", "[a]", "{}", "{a: b}"),
)

NAMES = "abcdefghijklmnopqrst"
CHAIN = list(pairwise("abcd"))

REFUSED: dict[str, str | bytes] = {
    "a merge bomb": "a: &a {x: y}\n"
    + "".join(f"{name}: &{name} {{<<: [{', '.join([f'*{of}'] * 40)}]}}\n" for of, name in CHAIN)
    + "packages: [*d]",
    "an alias bomb": "a: &a [x]\n"
    + "".join(f"{name}: &{name} [{', '.join([f'*{of}'] * 40)}]\n" for of, name in CHAIN)
    + "packages: *d",
    "a bomb of texts": f"a: &a {'x' * 1_000_000}\npackages: [{', '.join(['*a'] * 1000)}]",
    "a bomb of maps": "a: &a {x: y}\n"
    + "".join(f"{name}: &{name} {{b: *{of}, c: *{of}}}\n" for of, name in pairwise(NAMES))
    + "packages: [*t]",
    "deep by aliases": "a: &a [x]\n"
    + "".join(f"{name}: &{name} [*{of}]\n" for of, name in pairwise(NAMES + "uvwxyz"))
    + "packages: *z",
    "an alias in itself": "packages: &p [{title: *p}]",
    "an alias of nothing": "packages: [*p]",
    "a map as a key": "packages: [{{a: b}: c}]",
    "a list as a key": "packages: [{[a]: c}]",
    "deep lists": "packages: " + "[" * 10_000,
    "deep maps": "packages: " + "{a: " * 10_000,
    "deep dashes": "packages:\n" + "- " * 10_000 + "a",
    "deep question marks": "? " * 20_000,
    "deep by indent": "packages:\n" + "".join(" " * n + "-\n" for n in range(1, 500)),
    "many lists": "packages: [" + "[]," * (MAX_NODES + 1) + "]",
    "many keys": "packages: {" + "a," * (MAX_NODES + 1) + "}",
    "many entries": "packages:\n" + "- a\n" * (MAX_NODES + 1),
    "many documents": "---\n" * 100_000,
    "many directives": "%TAG ! tag:x,2000:\n" * 10_000,
    "zero bytes": "packages: [\0]",
    "Latin-1": 'packages: [{title: "Caf\xe9"}]'.encode("latin-1"),
    "UTF-32": "packages: []".encode("utf-32"),
    "UTF-16 cut in half": "packages: []".encode("utf-16")[:-1],
    "a tag of ours": "packages: !offspot []",
    "an object": "packages: !!python/object/new:os.system [id]",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_file_is_refused_in_words(name: str) -> None:
    """One sentence that names the file, whatever is in it, and a way out; never a traceback."""
    text = REFUSED[name]
    began = time.process_time()
    with pytest.raises(ConfigError) as refused:
        parse_packages(text if isinstance(text, bytes) else text.encode(), "here.yml")
    assert "here.yml" in refused.value.message
    assert len(refused.value.message) < 500
    assert refused.value.hint
    assert "YAML checker" not in refused.value.hint, "no checker finds fault with these"
    assert time.process_time() - began < SECONDS_TO_REFUSE


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_makes_nothing_but_text(tag: str) -> None:
    """Numbers and dates that are none, or of ten thousand digits: text, or refused in words."""
    for value in (*VALUES, f'"0x{"f" * 10_000}"', f'"{"9" * 10_000}"'):
        entry = f'{{kind: files, url: "//g.box/", title: !!{tag} {value}}}'
        try:
            found = parse_packages(f"packages: [{entry}, {GAMES}]".encode(), "here.yml")
        except ConfigError:
            continue
        assert found.titles[-1] == "Games"
        assert Packages.from_json(found.to_json()).entries == found.entries


ODD: dict[str, tuple[str | bytes, str]] = {
    "a key twice": ("packages: []\npackages: [{title: A, title: B, kind: files, url: //g/}]", "B"),
    "UTF-16": ('packages: [{title: "Café", kind: files, url: //g/}]'.encode("utf-16"), "Café"),
    "a mark of byte order": ("\ufeffpackages: [{title: A, kind: files, url: //g/}]", "A"),
    "Windows line ends": ("packages:\r\n- {title: A, kind: files, url: //g/}\r\n", "A"),
    "a merge key as text": ("packages: [{<<: x, title: A, kind: files, url: //g/}]", "A"),
    "a merge key": ("a: &a {title: A, kind: files}\npackages: [{<<: *a, url: //g/}]", "A"),
    "merge keys": (
        "a: &a {title: A}\nb: &b {kind: files, title: B}\npackages: [{<<: [*a, *b], url: //g/}]",
        "A",
    ),
    "an anchor given twice": (
        "a: &a B\nb: &a A\npackages: [{title: *a, kind: files, url: //g/}]",
        "A",
    ),
    "an anchor that nobody uses": ("packages: &p [{title: A, kind: files, url: //g/}]", "A"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_read(name: str) -> None:
    """What YAML leaves open goes the usual way: of a key given twice the last one counts."""
    text, title = ODD[name]
    found = parse_packages(text if isinstance(text, bytes) else text.encode(), "here.yml")
    assert found.titles == (title,)


WRONG = ["null", "1", "[]", "{}", "''", "'  '", "[a]", "{a: b}", "!!null x"]


@pytest.mark.parametrize("key", ["title", "url", "kind", "ident"])
def test_wrong_types_cost_one_entry(key: str) -> None:
    """A list where a text should be: that entry is ignored and named, the others count."""
    for value in WRONG:
        fields = {"title": "A", "url": "'//a.box/'", "kind": "files"} | {key: value}
        entry = "{" + ", ".join(f"{name}: {text}" for name, text in fields.items()) + "}"
        found = parse_packages(f"packages: [{entry}, {GAMES}]".encode(), "here.yml")
        assert found.titles[-1] == "Games"
        assert len(found.entries) + len(found.warnings) == 2


MEASURE = """
import re, sys
from pathlib import Path
from engine.errors import ConfigError
from engine.packages import read_packages
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
before = peak()
try:
    read_packages(Path(sys.argv[1]))
except ConfigError:
    pass
print(peak() - before)
"""
LARGE = {
    "an icon of 7 MB": "packages: [{title: A, kind: files, url: //g/, icon: "
    + "a" * 7_000_000
    + "}]",
    "a title of two million words": "packages: [{title: "
    + "a:b " * 2_000_000
    + ", kind: files, url: //g/}]",
    "a title of two million tabs": 'packages: [{title: "'
    + "a\t" * 2_000_000
    + '", kind: files, url: //g/}]',
    "four million blank lines": "packages: []\n" + " \n" * 4_000_000,
    "four million comments": "packages: []\n" + "#\n" * 4_000_000,
    "a million lists": "packages: [" + "[]," * 1_000_000 + "]",
    "a million keys": "packages: {" + "a," * 1_000_000 + "}",
    "100 MB": "#" * 100_000_000,
}


SLOW = {"a title of two million tabs", "four million comments"}
"""Two of the same kind as others, which take half a minute of a processor."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.full) if n in SLOW else n for n in LARGE]
)
def test_a_large_file_takes_bounded_memory(name: str, tmp_path: Path) -> None:
    """Whatever a file of any size holds, reading it takes less than a hundred megabytes."""
    path = tmp_path / "packages.yml"
    path.write_text(LARGE[name])
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    took = int(done.stdout)
    measured(file=name, bytes=len(LARGE[name]), took_mb=took / MEGABYTE)
    assert took < 100 * MEGABYTE


def _broken(path: Path) -> None:
    path.write_text("packages: [")


def _gone(path: Path) -> None:
    path.unlink()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _bomb(path: Path) -> None:
    path.write_text(str(REFUSED["an alias bomb"]))


def _many(path: Path) -> None:
    path.write_text("packages: [" + "[]," * 100_000 + "]")


def _tagged(path: Path) -> None:
    path.write_text('packages: [{kind: files, url: "//lib.box/", title: !!set "x"}]')


def test_a_running_program_keeps_the_packages_it_had(tmp_path: Path) -> None:
    """Whatever the file becomes, counting goes on as before and the page says so; then it heals."""
    with Serve(tmp_path) as serve:
        spoilers = (_broken, _gone, _pipe, _device, _bomb, _many, _tagged)
        for written, spoil in enumerate(spoilers, start=1):
            spoil(serve.packages)
            os.kill(serve.pid, signal.SIGHUP)
            serve.wait_for(lambda: serve.status["packages"]["stale"], spoil.__name__, SECONDS)
            told = serve.status["packages"]
            assert str(serve.packages) in told["message"]
            assert [item["title"] for item in told["items"]] == ["Bees", "Games", "Docs", "Share"]
            with serve.log.open("ab") as log:
                log.write(line())
            serve.wait_for(lambda n=written: serve.lines["counted"] == n, "a line", SECONDS)  # type: ignore[misc]
            serve.packages.unlink(missing_ok=True)
            serve.packages.write_text(PACKAGES)
            os.kill(serve.pid, signal.SIGHUP)
            serve.wait_for(lambda: not serve.status["packages"]["stale"], "healed", SECONDS)
        assert serve.status["health"]["ok"]
        assert serve.stop() == 0
    assert "Traceback" not in serve.said()


sizes = pytest.mark.parametrize("mebibytes", [2, pytest.param(8, marks=pytest.mark.full)])


def slow(title: str, mebibytes: int) -> str:
    """A packages file that takes seconds to read: escapes are read one by one."""
    entry = f'  - {{kind: files, title: "{title}", url: "//new.box/", icon: "'
    room = (mebibytes << 20) - len(PACKAGES) - len(entry) - 10
    return PACKAGES + entry + "\\u0041" * (room // 6) + '"}\n'


@sizes
def test_counting_goes_on_while_a_large_file_is_read(tmp_path: Path, mebibytes: int) -> None:
    """S34: lines are counted, and requests answered, by the packages known before, until those of
    a large file have been read; then they count by these.
    """
    with Serve(tmp_path) as serve:
        serve.wait_for(lambda: bool(serve.status["packages"]["items"]), "the packages", SECONDS)
        longest = 0.0

        def is_read() -> bool:
            nonlocal longest
            began = time.monotonic()
            found = any(item["title"] == "New" for item in serve.status["packages"]["items"])
            longest = max(longest, time.monotonic() - began)
            return found

        serve.packages.write_text(slow("New", mebibytes))
        began = time.monotonic()
        os.kill(serve.pid, signal.SIGHUP)
        meanwhile = 0
        while not is_read():
            with serve.log.open("ab") as log:
                log.write(line())
            expected = meanwhile + 1
            serve.wait_for(lambda n=expected: serve.lines["counted"] == n, "a line", SECONDS)  # type: ignore[misc]
            meanwhile += not is_read()
            if meanwhile < expected:
                break
        took = time.monotonic() - began
        measured(bytes=mebibytes << 20, seconds=took, lines=meanwhile, longest_answer=longest)
        assert meanwhile >= 3, "lines waited for the packages"
        assert serve.stop() == 0


def test_a_start_does_not_wait_for_a_large_file(tmp_path: Path) -> None:
    """S34: the page is there before 8 MiB are read; lines wait, and count by the new packages."""
    serve = Serve(tmp_path, packages=slow("New", 8))
    serve.log.write_bytes(b"".join(line("/", host="new.box") for _ in range(5)))
    with serve:
        status = serve.status
        assert status["packages"]["items"] == []
        assert status["lines"]["read"] == 0
        serve.wait_for_lines(5, 60)
        assert serve.lines["counted"] == 5
        assert serve.stop() == 0


def test_a_stop_does_not_wait_for_a_large_file(tmp_path: Path) -> None:
    """S34: told to stop while it reads 8 MiB, the program stops at once, and gracefully."""
    serve = Serve(tmp_path, packages=slow("New", 8))
    with serve:
        assert serve.status["packages"]["items"] == []
        began = time.monotonic()
        assert serve.stop() == 0
        measured(seconds=time.monotonic() - began)
        assert time.monotonic() - began < 5
