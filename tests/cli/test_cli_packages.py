"""The packages file: missing, unreadable, malformed or hostile, it is one clear message."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from lab.metrics import Metrics
from tests.cli.cases import (
    NOBODY,
    PACKAGES,
    Program,
    day_of,
    invoke,
    lines,
    visits,
    visits_counted,
    write,
)

NAMES = "abcdefghi"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + of] * 9)}]\n" for of, name in pairwise(NAMES)
)

MALFORMED: dict[str, tuple[str | bytes, str]] = {
    "not YAML": ("packages: [", "not YAML that we read"),
    "tabs": ("packages:\n\t- {}", "not YAML that we read"),
    "not UTF-8": (b"packages: [\xff\xfe\xfa]", "not YAML that we read"),
    "empty": ("", "is empty"),
    "only a comment": ("# nothing\n", "is empty"),
    "a text": ("hello", "no list named packages"),
    "a list": ("- a\n- b\n", "no list named packages"),
    "without packages": ("metadata: {name: x}\n", "no list named packages"),
    "packages is a text": ("packages: all of them\n", "is not a list"),
    "packages is a mapping": ("packages: {a: b}\n", "is not a list"),
    "an alias bomb": (BOMB + "packages: []\n", "too much for one file"),
    "an alias of itself": ("packages: &p [*p]\n", "inside of what it refers to"),
    "too deep": ("packages: " + "[" * 5000 + "]" * 5000, "levels deep"),
    "an object tag": (
        "packages: [!!python/object/apply:os.system ['touch /tmp/owned']]\n",
        "not YAML that we read",
    ),
    "a module tag": ("packages: !!python/name:os.system\n", "not YAML that we read"),
    "two documents": ("packages: []\n---\npackages: []\n", "not YAML that we read"),
    "a web page": ("<!DOCTYPE html><html><body>Login</body></html>\n", "no list named packages"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_file_is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    """What is wrong, in which file, and 78; a bomb takes no time, a tag runs nothing."""
    content, words = MALFORMED[case]
    path, log = write(tmp_path, packages__yml=content, log__json=visits(600, 1))
    result = invoke("replay", "--packages", path, log)
    result.failed(78, str(path), words)
    assert len(result.err) < 1000


def _missing(path: Path) -> None:
    assert not path.exists()


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(100_000_000)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _folder(path: Path) -> None:
    path.mkdir()


def _loop(path: Path) -> None:
    path.symlink_to(path)


ODD: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (_missing, "is not there"),
    "100 MB of zeros": (_sparse, "larger than 8 MiB"),
    "a pipe": (_fifo, "not a regular file"),
    "a link to /dev/zero": (_zero, "not a regular file"),
    "a folder": (_folder, "not a regular file"),
    "a link to itself": (_loop, "cannot be opened"),
}


@pytest.mark.parametrize("case", ODD)
def test_what_is_no_file_is_refused_at_once(program: Program, place: Path, case: str) -> None:
    """Nobody waits for a pipe or reads a device to its end; `replay` ends with 78."""
    make, words = ODD[case]
    path = place / "odd.yml"
    make(path)
    (place / "log.json").write_bytes(visits(600, 1))
    result = program.run("replay", "--packages", path, place / "log.json")
    result.failed(78, str(path), words)


@pytest.mark.parametrize("case", ODD)
def test_serve_waits_for_a_file_that_is_one(archive: Path, place: Path, case: str) -> None:
    """It starts and says what is wrong, and reads the waiting logs once there is a good file."""
    make, words = ODD[case]
    path = place / "odd.yml"
    make(path)
    (place / "caddy_access_logs.json").write_bytes(visits(600, 3))
    options = ["--packages", str(path), "--logs", str(place), "--database", str(place / "m.db")]
    with Metrics(archive, [*options, "--reader", "tail"], place / "out") as serve:
        status = serve.api("/api/v1/status")
        assert words in status["packages"]["message"]
        assert not status["packages"]["stale"], "there is no earlier one"
        assert not status["health"]["ok"]
        assert any("nothing is counted" in reason for reason in status["health"]["reasons"])
        assert status["lines"]["read"] == 0
        good = place / "good.yml"
        good.write_text(PACKAGES)
        if path.is_dir():
            path.rmdir()
        good.replace(path)
        assert serve._process
        os.kill(serve._process.pid, signal.SIGHUP)
        serve.wait_for(
            lambda: serve.api("/api/v1/status")["lines"]["counted"] == 3, "the lines", 30
        )
        assert serve.api("/api/v1/status")["health"]["ok"]
        assert serve.stop() == 0
    assert "Traceback" not in serve.output.read_text()


def test_a_file_that_may_not_be_read_is_77(program: Program, place: Path, packages: Path) -> None:
    """The message says how to let this user read it."""
    packages.chmod(0o600)
    result = program.run("replay", "--packages", packages, place / "x.json", user=NOBODY)
    result.failed(77, str(packages), "may not be read", "chmod a+r")


def test_nothing_named_says_what_to_name(program: Program) -> None:
    """Without option and environment it is /conf/packages.yml that is missing."""
    result = program.run("replay", "x.json")
    result.failed(78, "/conf/packages.yml is not there", "--packages", "PACKAGE_CONF_FILE")


def test_bad_entries_are_named_and_the_others_count(tmp_path: Path) -> None:
    """One warning per bad entry, with its number and title, and exit 0."""
    text = PACKAGES + (
        "  - just text\n"
        "  - {kind: zim, title: Wasps}\n"
        "  - {kind: zim, url: //lib.box/viewer#wasps}\n"
        "  - {kind: game, title: Chess, url: //games.box/}\n"
        "  - {kind: zim, title: Home, url: //lib.box/}\n"
        "  - {kind: files, title: 1984, url: 'http://books.box'}\n"
    )
    path, log = write(tmp_path, packages__yml=text, log__json=visits(600, 3))
    result = invoke("replay", "--format", "json", "--packages", path, log)
    assert result.code == 0
    assert visits_counted(result) == 3
    warnings = [line for line in result.err.splitlines() if "is ignored" in line]
    assert [line.split(" is ignored: ")[0].split("file: ")[1] for line in warnings] == [
        "entry 5",
        "entry 6 (Wasps)",
        "entry 7",
        "entry 8 (Chess)",
        "entry 9 (Home)",
    ]


EVERY_FORM = r"""
metadata: {name: " My\n school ", fqdn: my.hotspot}
packages:
  - &bees
    kind: zim
    title: >
      Bees
    url: |
      //browse.{fqdn}/viewer#bees_en

  - {<<: *bees, title: "\ud83d\ude00 Moths", url: "//{kiwix-fqdn}/viewer#moths_en_2026-07a"}
  - {kind: zim, title: Ants, url: "//école.box/kiwix/viewer#ants_en"}
  - {kind: files, title: Nowhere, url: "//files.{domain}/"}
  - {kind: files, title: Games, url: "//games.box/"}
"""


def test_every_form_of_a_packages_file_counts_in_the_archive(program: Program, place: Path) -> None:
    """Texts in blocks, places for the hotspot's name, a host in Unicode, a prefix, an alias: what
    the archive brings along is enough for them.
    """
    log = lines(
        "2026-06-14T10:00:00Z GET browse.my.hotspot/content/bees_en/ 200",
        "2026-06-14T10:00:00Z GET kiwix.my.hotspot/content/moths_en/ 200",
        "2026-06-14T10:00:00Z GET xn--cole-9oa.box/kiwix/content/ants_en/ 200",
        "2026-06-14T10:00:00Z GET games.box/ 308 Location=https://games.box/",
        "2026-06-14T10:00:01Z GET games.box/ 200",
    )
    path, logs = write(place, packages__yml=EVERY_FORM, log__json=log)
    result = program.run("replay", "--format", "json", "--packages", path, logs)
    assert result.code == 0, result.err
    visits = {i["package"]: i["visits"] for i in day_of(result)[2001]["items"]}
    assert visits == {"Bees": 1, "😀 Moths": 1, "Ants": 1, "Games": 1}
    assert "entry 4 (Nowhere) is ignored: its url '//files.{domain}/' has the host" in result.err


@pytest.mark.parametrize("text", ["packages: []\n", "packages:\n", "packages: null\n"])
def test_no_packages_is_a_valid_file(tmp_path: Path, text: str) -> None:
    """Lines are unmatched then, and the time the hotspot was on counts."""
    path, log = write(tmp_path, packages__yml=text, log__json=visits(600, 3))
    result = invoke("replay", "--format", "json", "--packages", path, log)
    assert result.code == 0
    assert result.json["lines"]["unmatched"] == 3


def test_titles_cannot_steer_a_terminal_or_a_spreadsheet(tmp_path: Path) -> None:
    """Escapes are replaced in tables, formulas quoted in CSV."""
    text = (
        "packages:\n"
        '  - {kind: zim, title: "\\e[31mRed", url: "//lib.box/viewer#bees_en"}\n'
        "  - {kind: zim, title: '=cmd|calc', url: '//lib.box/viewer#bees_en'}\n"
        "  - {kind: zim, title: '[bold]loud[/bold] [/]', url: '//lib.box/viewer#bees_en'}\n"
    )
    path, log = write(tmp_path, packages__yml=text, log__json=visits(600, 1))
    table = invoke("replay", "--packages", path, log)
    assert table.code == 0
    assert "\x1b" not in table.out
    assert "[bold]loud[/bold] [/]" in table.out
    rows = invoke("replay", "--format", "csv", "--packages", path, log).out
    assert '"\'=cmd|calc"' in rows
