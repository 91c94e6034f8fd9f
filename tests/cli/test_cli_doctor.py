"""`doctor`: the likely reasons for an empty dashboard, each said in words with a way out."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.cli.cases import NOBODY, PACKAGES, Program, SetUp, invoke, lines, says, visits, write
from tests.cli.test_cli_databases import made_by
from tests.support.packing import REFUSED

TIME = "2026-06-14T10:00:00Z"


def test_a_valid_setup_is_0(setup: SetUp) -> None:
    """Also before serve has ever run: a database that does not exist yet is no problem."""
    code, checks = setup.examine()
    assert code == 0
    assert list(checks) == [
        "packages file",
        "log folder",
        "reader",
        "serve",
        "database",
        "identity",
        "clock",
        "newest lines",
    ]
    says(checks["packages file"], "ok", "4 packages", "2 zim, 1 files, 1 app", "lib.box")
    says(checks["log folder"], "ok", "1 log file", "caddy_access_logs.json")
    says(checks["serve"], "warning", "no serve is running", "start it")
    says(checks["database"], "note", "does not exist yet")
    assert "30 of the newest 30 lines count" in checks["newest lines"]["text"]


def test_1_no_packages_file(setup: SetUp) -> None:
    """78, and the hosts of the log are shown all the same."""
    setup.packages.unlink()
    code, checks = setup.examine()
    assert code == 78
    says(checks["packages file"], "problem", str(setup.packages), "is not there")
    says(checks["newest lines"], "warning", "without packages none can be counted")


def test_2_no_package_in_it_can_be_used(setup: SetUp) -> None:
    """Every entry is named with what is wrong with it."""
    setup.packages.write_text("packages:\n  - {kind: zim, title: Bees, url: '//lib.box/'}\n")
    code, checks = setup.examine()
    assert code == 78
    says(checks["packages file"], "problem", "no package that can be counted", "(Bees)", "no ZIM")
    setup.packages.write_text("packages: []\n")
    assert setup.examine()[0] == 78
    setup.packages.write_text(PACKAGES + "  - {kind: zim, title: Wasps}\n")
    code, checks = setup.examine()
    assert code == 0
    says(checks["packages file"], "warning", "1 entry that cannot be used", "(Wasps)", "no url")


def test_3_the_log_folder_is_not_there(setup: SetUp) -> None:
    """66: in a container it may not be mounted."""
    code, checks = setup.examine("--logs", setup.place / "elsewhere")
    assert code == 66
    says(checks["log folder"], "problem", "elsewhere is not there", "mounted", "--logs")
    code, checks = setup.examine("--logs", setup.packages)
    assert code == 66
    says(checks["log folder"], "problem", "is not a folder")


def test_4_no_file_has_the_right_name(setup: SetUp) -> None:
    """66, with what is there instead, and the pattern that would take it."""
    (setup.logs / "caddy_access_logs.json").rename(setup.logs / "metrics-2026-06-14.json")
    setup.log(b"", "syslog")
    code, checks = setup.examine()
    assert code == 66
    says(
        checks["log folder"],
        "problem",
        "matches caddy_access_logs*.json",
        "metrics-2026-06-14.json does not match",
        "REVERSE_PROXY_LOGS_PATTERN (or --pattern) to 'metrics*.json'",
    )
    assert setup.examine("--pattern", "metrics*.json")[0] == 0


@pytest.mark.parametrize("name", ["caddy_access_logs-1.json", "caddy_access_logs-1.json.zst"])
@pytest.mark.parametrize("kind", REFUSED)
def test_4_packed_in_a_way_that_is_not_read(setup: SetUp, kind: str, name: str) -> None:
    """Caddy can roll to zstd, people make archives: named by content, with what unpacks it."""
    pack, called, command = REFUSED[kind]
    setup.log(pack(visits(0, 50)), name)
    code, checks = setup.examine()
    assert code == 0
    says(checks["log folder"], "warning", f"{name} is packed with {called}", command, name)
    assert "30 of the newest 30 lines count" in checks["newest lines"]["text"]
    (setup.logs / "caddy_access_logs.json").unlink()
    code, checks = setup.examine()
    assert code == 66
    says(checks["log folder"], "problem", "nothing that matches", command)
    assert "newest lines" not in checks


def test_4_a_log_that_is_a_link(setup: SetUp) -> None:
    """Links are not read: where the log itself is, is said, and not the pattern that is set."""
    log = setup.logs / "caddy_access_logs.json"
    elsewhere = setup.place / "elsewhere"
    elsewhere.mkdir()
    log.rename(elsewhere / "real.json")
    log.symlink_to(elsewhere / "real.json")
    code, checks = setup.examine()
    assert code == 66
    says(checks["log folder"], "problem", "is a symbolic link", str(elsewhere))
    assert "set REVERSE_PROXY_LOGS_PATTERN" not in checks["log folder"]["hint"]
    setup.log(visits(0, 3), "caddy_access_logs-1.json")
    says(setup.examine()[1]["log folder"], "warning", "is a symbolic link", str(elsewhere))


@pytest.mark.parametrize(
    "roll",
    [
        "caddy_access_logs.json.1",
        "caddy_access_logs.json.2.gz",
        "caddy_access_logs.json-20260610",
        "caddy_access_logs.json-20260610.gz",
        "caddy_access_logs.json.old",
    ],
)
def test_4_rolls_that_the_pattern_misses(setup: SetUp, roll: str) -> None:
    """They are named, with the pattern that takes them; with it they count."""
    content = visits(0, 3)
    setup.log(gzip.compress(content) if roll.endswith(".gz") else content, roll)
    check = setup.examine()[1]["log folder"]
    says(check, "warning", f"{roll} is a roll", "to 'caddy_access_logs*.json*'")
    says(setup.examine("--pattern", "caddy_access_logs*.json*")[1]["log folder"], "ok", "2 log")
    (setup.logs / "caddy_access_logs.json").unlink()
    code, checks = setup.examine()
    assert code == 66
    says(checks["log folder"], "problem", roll, "to 'caddy_access_logs*.json*'")


def test_4_logs_in_a_folder_below(setup: SetUp) -> None:
    """Sub-folders are not read; one that holds logs is named."""
    below = setup.logs / "2026" / "06"
    below.mkdir(parents=True)
    (setup.logs / "empty").mkdir()
    (below / "caddy_access_logs.json").write_bytes(visits(0, 3))
    says(setup.examine()[1]["log folder"], "note", f"{below} holds logs", "not read")
    (setup.logs / "caddy_access_logs.json").unlink()
    code, checks = setup.examine()
    assert code == 66
    says(checks["log folder"], "problem", f"REVERSE_PROXY_LOGS_LOCATION (or --logs) to {below}")


def test_5_the_logs_are_for_root_only(program: Program, setup: SetUp) -> None:
    """77, with the mode of the file and what to change in Caddy."""
    log = setup.logs / "caddy_access_logs.json"
    log.chmod(0o600)
    result = program.run("doctor", *setup.options, user=NOBODY)
    assert result.code == 77
    assert "(mode 0600: Permission denied)" in result.out
    assert "`mode 0644`" in result.out


def test_6_the_folder_is_empty_or_the_logs_are(setup: SetUp) -> None:
    """An empty folder cannot be counted; an empty log may just be new."""
    log = setup.log(b"")
    code, checks = setup.examine()
    assert code == 0
    says(checks["log folder"], "warning", "with nothing in it", "visit a package")
    log.unlink()
    code, checks = setup.examine()
    assert code == 66
    says(checks["log folder"], "problem", "is empty", "`log` block")


def test_7_the_hotspot_has_another_name(setup: SetUp) -> None:
    """65: no line counts, because every one is of a host that no package has."""
    setup.log(lines(*[f"{TIME} GET lib.lan/content/bees_en/ 200"] * 5))
    result = invoke("doctor", *setup.options)
    assert result.code == 65
    assert "none of the newest 5 lines counts" in result.out
    assert "5  no package at host lib.lan" in result.out
    assert "Hosts in the log       lib.lan (5)" in result.out
    assert "Hosts of the packages  lib.box, games.box, share.box" in result.out


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        (b'1.2.3.4 - - [x] "GET / HTTP/1.1" 200 1', "another log format"),
        (b'{"level":"info","ts":1,"msg":"serving initial configuration"}', "`log` directive"),
        (b'{"msg":"handled request","request":{}}', "the field ts is missing"),
    ],
)
def test_8_the_log_is_no_access_log(setup: SetUp, line: bytes, needed: str) -> None:
    """65, with what Caddy must be told."""
    setup.log((line + b"\n") * 5)
    result = invoke("doctor", *setup.options)
    assert result.code == 65
    assert needed in result.out


def test_8_the_times_cannot_be(setup: SetUp) -> None:
    """A hotspot without a clock that thinks it is 1970."""
    setup.log(visits(600, 5).replace(b'"ts":1781', b'"ts":1'))
    result = invoke("doctor", *setup.options)
    assert result.code == 65
    assert "set the hotspot's clock" in result.out


def test_9_no_zim_of_the_log_is_in_the_packages(setup: SetUp) -> None:
    """65, with the names that are asked for."""
    setup.log(lines(*[f"{TIME} GET lib.box/content/wasps_fr/A 200"] * 5))
    result = invoke("doctor", *setup.options)
    assert result.code == 65
    assert "no package has the ZIM wasps_fr" in result.out
    assert "as kind zim with the url //HOST/viewer#NAME" in result.out


def test_10_nobody_has_opened_a_package(setup: SetUp) -> None:
    """Only errors and kiwix-serve's own pages: nothing is wrong with the setup."""
    setup.log(
        lines(
            f"{TIME} GET lib.box/ 200",
            f"{TIME} GET lib.box/skin/i.css 200",
            f"{TIME} GET lib.box/content/bees_en/ 502",
        )
    )
    code, checks = setup.examine()
    assert code == 0
    says(checks["newest lines"], "warning", "opened a package", "open a package")


def test_11_serve_does_not_process(setup: SetUp, monkeypatch: pytest.MonkeyPatch) -> None:
    """PROCESSING_DISABLED is easily forgotten."""
    monkeypatch.setenv("PROCESSING_DISABLED", "true")
    says(setup.examine()[1]["reader"], "warning", "PROCESSING_DISABLED", "unset it")


def test_12_filebeat(setup: SetUp, tmp_path: Path) -> None:
    """Missing: 69. Present, but not Filebeat: reported. Present and valid: its version."""
    code, checks = setup.examine("--filebeat", tmp_path / "no")
    assert code == 69
    says(checks["reader"], "problem", "Filebeat is not there", "READER=tail")
    (broken,) = write(tmp_path, filebeat="not a program")
    broken.chmod(0o755)
    code, checks = setup.examine("--filebeat", broken)
    assert code == 69
    says(checks["reader"], "problem", "does not run")
    broken.write_text('#!/bin/sh\necho filebeat version 9.9.9 "$@"\n')
    code, checks = setup.examine("--filebeat", broken)
    assert code == 0
    says(checks["reader"], "ok", "9.9.9 version")


def test_the_first_problem_gives_the_code(setup: SetUp) -> None:
    """In the order of a line's way: packages, logs, reader, database."""
    made_by(setup.database, "CREATE TABLE cats (name)")
    assert setup.examine("--logs", "/no/such", "--filebeat", "/no/such")[0] == 66
    setup.packages.unlink()
    assert setup.examine("--logs", "/no/such")[0] == 78


def test_a_bad_setting_is_said_before_anything_is_looked_at(setup: SetUp) -> None:
    """As with every command."""
    invoke("doctor", *setup.options, "--timezone", "Mars/Base").failed(2, "Mars/Base")
