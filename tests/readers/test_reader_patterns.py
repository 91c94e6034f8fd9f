"""One language of patterns: what Filebeat finds in a folder is what we say that matches."""

import os
import re
import select
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.patterns import BadPattern, read_pattern
from engine.settings import make_config
from engine.sources.filebeat.process import _quoted_glob, events_in
from engine.sources.formats import Formats
from engine.sources.tail.listing import list_logs
from tests.support.reading import FILEBEAT, ROOT, Following, line

NAMES = [
    "a.json", "b.json", "x.json", "ab.json", "A.json", ".json", ".a.json", "!.json", "^.json",
    "-.json", "].json", "[.json", "[a].json", "a].json", "\\.json", "a\\b.json", "*.json",
    "a*.json", "?.json", "{a,b}.json", "{a}.json", "é.json", "你好.json", "😀.json", "a b.json",
    "$.json", "${x}.json", "%{x}.json", '".json', "'.json", "a,b.json", "#.json", "\x1b[2J.json",
    "\x01.json", "\u202e.json", "\udce9.json", "a\udcff.json", "\udced\udca0\udc80.json",
    "a\rb.json", "b.log", "json", "a" * 250 + ".json",
]  # fmt: skip
PATTERNS = [
    "*", "**", "***.json", "*.json", "?.json", "??.json", "[ab].json", "[!ab].json", "[^ab].json",
    "[a-z].json", "[!a-z].json", "[]].json", "[!]].json", "[^]].json", "[]a].json", "[[].json",
    "[a-].json", "[-a].json", "[!-].json", "[*].json", "[?].json", "[\\]].json", "[\\\\].json",
    "[a\\-z].json", "[!\\^].json", "\\[a\\].json", "\\*.json", "\\?.json", "\\\\.json",
    "a\\\\b.json", "\\a.json", "\\{a,b\\}.json", "{a}.json", "[{]a,b}.json", "$.json",
    "${x}.json", "%{x}.json", '".json', "'.json", "*,b.json", "#.json", "é.json", "[é].json",
    "[!é].json", "[à-ü].json", "你*.json", "[你-好]*.json", "😀.json", ".*", "*json", "a*b*.json",
    "\udce9.json", "a\udcff*", "[!a-zA-Z].json", "[^!].json", "[!^].json", "[!!].json",
    "*.lo[g]", "* *.json", "]*", "-*", "!*",
]  # fmt: skip
REFUSED = {
    "a/b.json": "cannot have a /",
    "/*.json": "cannot have a /",
    "": "matches no file",
    "a[b.json": r"\[",
    "[": r"\[",
    "[]": r"\[",
    "[!]": r"\[",
    "[a-": r"\[",
    "a\\": "backslash",
    "[[:alpha:]].json": "[A-Za-z]",
    "[z-a].json": "is empty",
    "{a,b}.json": r"\{",
    "log{1..3}.json": r"\{",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    logs = tmp_path / "logs"
    logs.mkdir()
    for number, name in enumerate(NAMES):
        (logs / name).write_bytes(line(number))
    return logs


def test_filebeat_finds_what_matches_for_us(tmp_path: Path) -> None:
    """Of each pattern, the names that the real Filebeat reads a line of are those that match for
    us, every one and no other: all patterns at once, each over a folder of its own.
    """
    globs, wanted = [], set()
    for number, pattern in enumerate(PATTERNS):
        folder = tmp_path / str(number)
        folder.mkdir()
        for index, name in enumerate(NAMES):
            (folder / name).write_bytes(line(number * 1000 + index))
        matching = {name for name in NAMES if read_pattern(pattern).matches(name)}
        assert matching == {found.name for found in list_logs(folder, pattern, Formats()).logs}
        wanted |= {(number, name) for name in matching}
        globs.append(_quoted_glob(folder, pattern)[1:-1])
    last = tmp_path / "last.json"
    last.write_bytes(line(999_000))
    globs.append(_quoted_glob(tmp_path, "last.json")[1:-1])
    found: set[tuple[int, str]] = set()
    for path, events in _read_with_filebeat(tmp_path, f"[{','.join(globs)}]"):
        if path == str(last):
            if events > 1:  # written after all others were read: nothing else is on its way
                break
        else:
            found.add((int(Path(path).parent.name), Path(path).name))
            if found == wanted:
                with last.open("ab") as stream:
                    stream.write(line(999_001))
    wrong = [(PATTERNS[number], name) for number, name in found ^ wanted]
    assert wrong == []


def _read_with_filebeat(folder: Path, globs: str) -> Iterator[tuple[str, int]]:
    """Paths of events as they come from the real Filebeat under our configuration, and how many
    of that path there were.
    """
    home = folder / "home"
    home.mkdir()
    config = home / "filebeat.yml"
    config.write_bytes((ROOT / "filebeat.yml").read_bytes())
    config.chmod(0o600)
    command = [str(FILEBEAT), "-c", str(config), f"--path.home={home}", f"--path.data={home}"]
    environment = {"OFFSPOT_METRICS_LOGS": globs}
    seen: Counter[str] = Counter()
    begun = b""
    with subprocess.Popen(command, env=environment, stdout=-1, stderr=subprocess.DEVNULL) as child:
        assert child.stdout
        try:
            while data := select.select([child.stdout], [], [], 30)[0] and os.read(
                child.stdout.fileno(), 1 << 20
            ):
                cut = data.rfind(b"\n") + 1
                events, none = events_in(begun + data[:cut])
                assert none == 0
                begun = data[cut:]
                for event in events:
                    seen[event.path] += event.data.count(b"\n")
                    yield event.path, seen[event.path]
        finally:
            child.kill()


@pytest.mark.parametrize(
    "pattern", ["*.json", "[!a]*", "\udce9.json", "${x}.json", "*\x1b*"], ids=ascii
)
def test_both_readers_bring_the_same_lines(folder: Path, reader: str, pattern: str) -> None:
    """Either reader brings the lines of exactly the logs that match, also of those whose names
    Filebeat cannot tell of.
    """
    for number, name in enumerate(("\x1b\t.json", "\x1b\n1\ta\t{}\n.json"), start=500):
        (folder / name).write_bytes(line(number))
    wanted = b"".join(
        path.read_bytes() for path in folder.iterdir() if read_pattern(pattern).matches(path.name)
    )
    with Following(folder, reader, pattern=pattern) as following:
        following.wait_for_lines(wanted)


@pytest.mark.parametrize("pattern", REFUSED, ids=ascii)
def test_what_cannot_be_meant_is_refused(pattern: str) -> None:
    """A pattern that others read in another way is a start error that says what to write."""
    with pytest.raises(BadPattern, match=re.escape(REFUSED[pattern])):
        read_pattern(pattern)
    with pytest.raises(UsageError) as refused:
        make_config({"pattern": pattern}, {})
    assert "--pattern" in refused.value.message
