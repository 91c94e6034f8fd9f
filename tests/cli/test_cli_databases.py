"""Databases that are not there, not ours, newer, damaged, or in use, and ports that are taken."""

from __future__ import annotations

import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.settings import make_config
from tests.cli.cases import NOBODY, Program, invoke, visits, write


def made_by(path: Path, script: str) -> Path:
    """A database made by this SQL."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


def commands(database: Path, place: Path) -> dict[str, list[object]]:
    """Every command that opens a database, on this one."""
    return {
        "serve": ["serve", "--port", "0", "--logs", place, "--database", database],
        "replay": ["replay", "-q", "--database", database, place / "log.json"],
        "kpis": ["kpis", "--database", database],
    }


def names_in(folder: Path) -> set[str]:
    """What is in a folder."""
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def valid(place: Path, packages: Path) -> Path:
    """A database of ours with thirty visits."""
    (log,) = write(place, log__json=visits(600, 30))
    database = place / "metrics.db"
    done = invoke("replay", "-q", "--packages", packages, "--database", database, log)
    assert done.code == 0, done.err
    return database


@pytest.mark.parametrize("command", ["serve", "replay", "kpis"])
def test_a_newer_database_is_refused_untouched(
    program: Program, packages: Path, valid: Path, command: str
) -> None:
    """An older program must not guess what a newer one meant."""
    with closing(sqlite3.connect(valid)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = valid.read_bytes()
    arguments = commands(valid, valid.parent)[command]
    result = program.run(*arguments, PACKAGE_CONF_FILE=str(packages))
    result.failed(78, "made by a newer version", "not touched")
    assert valid.read_bytes() == before


@pytest.mark.parametrize("command", ["replay", "kpis"])
def test_a_database_of_somebody_else_is_78(packages: Path, place: Path, command: str) -> None:
    """Any SQLite file that is not ours stays as it is."""
    database = made_by(place / "other.db", "CREATE TABLE cats (name)")
    (log,) = write(place, log__json=visits(600, 1))
    before = database.read_bytes()
    more = ["--packages", packages, log] if command == "replay" else []
    result = invoke(command, "--database", database, *more)
    result.failed(78, "of another program", "--database")
    assert database.read_bytes() == before


@pytest.mark.parametrize("content", [b"hello\n", visits(0, 5), b"SQLite format 3\0"])
def test_what_is_no_database_is_65_and_stays(place: Path, content: bytes) -> None:
    """A text, a log in the place of the database."""
    (path,) = write(place, m__db=content)
    invoke("kpis", "--database", path).failed(65, f"{path} is not a database", "--database")
    assert path.read_bytes() == content


def test_an_empty_database_is_a_new_one(place: Path, packages: Path) -> None:
    """0 bytes are no figures yet, 66; replay makes a database of them."""
    path, log = write(place, m__db=b"", log__json=visits(0, 5))
    invoke("kpis", "--database", path).failed(66, "is empty (0 bytes)", "serve and replay")
    assert path.read_bytes() == b""
    assert invoke("replay", "--database", path, "--packages", packages, log).code == 0
    assert invoke("kpis", "--database", path, "--period", "2025").code == 0


def test_an_empty_file_with_a_log(place: Path) -> None:
    """What was in it may be in the log, which nobody is told to write over; both stay."""
    path, log = write(place, m__db=b"", log__json=visits(0, 5))
    log = log.rename(path.with_name(f"{path.name}-wal"))
    before = log.read_bytes()
    for command in (("kpis",), ("serve", "--packages", place / "none.yml")):
        invoke(*command, "--database", path).failed(65, f"may be in {log.name}", "copy both again")
    assert (path.read_bytes(), log.read_bytes()) == (b"", before)


def test_a_database_that_is_not_there(place: Path) -> None:
    """66, with who makes one; nothing is made by asking."""
    invoke("kpis", "--database", place / "no.db").failed(66, "is not there", "serve and replay")
    assert not (place / "no.db").exists()


def test_a_folder_in_its_place(place: Path) -> None:
    """A folder is no database."""
    invoke("kpis", "--database", place).failed(78, "is not a file")


def test_a_database_of_another_user(program: Program, valid: Path) -> None:
    """77, with who to run as."""
    result = program.run("kpis", "--database", valid, user=NOBODY)
    result.failed(77, str(valid), "may not be", "run as the user that owns it")


def test_a_folder_that_cannot_be_written(program: Program, packages: Path, place: Path) -> None:
    """Replay into a folder of somebody else says so before it counts."""
    (log,) = write(place, log__json=visits(600, 1))
    options = ["--packages", packages, "--database", place / "m.db"]
    result = program.run("replay", "-q", *options, log, user=NOBODY)
    result.failed(74, "cannot be written", "--database")


def test_a_second_instance_is_75(program: Program, packages: Path, valid: Path) -> None:
    """One database has one writer: serve and replay are refused while serve runs, kpis is not."""
    options = ["--packages", packages, "--logs", valid.parent, "--database", valid]
    with program.serving(*options):
        second = program.run("serve", "--port", "0", *options)
        second.failed(75, "in use by another offspot-metrics", "stop that one first")
        log = valid.parent / "log.json"
        replay = program.run("replay", "-q", *options[:2], *options[4:], log)
        replay.failed(75, "in use by another offspot-metrics")
        assert program.run("kpis", "--period", "2026", "--database", valid).code == 0
    again = program.run("replay", "-q", *options[:2], *options[4:], log)
    assert again.code == 0, again.err


def test_a_port_in_use_is_a_start_error(program: Program, packages: Path, place: Path) -> None:
    """The address is named, and what to do; nothing keeps running."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = ["--packages", packages, "--logs", place, "--database", place / "m.db"]
        result = program.run("serve", "--port", port, *options)
        result.failed(1, str(port), "in use")


def test_an_address_that_is_not_ours(program: Program, packages: Path, place: Path) -> None:
    """A host that this machine does not have is said, not raised."""
    options = ["--packages", packages, "--logs", place, "--database", place / "m.db"]
    result = program.run("serve", "--port", "0", "--host", "192.0.2.1", *options)
    assert result.code == 1
    assert "192.0.2.1" in result.err
    assert "Traceback" not in result.err


def test_filebeat_that_is_asked_for_and_not_there_is_69(
    program: Program, packages: Path, place: Path
) -> None:
    """Asked for by name it must be there; otherwise the built-in reader takes over."""
    options = ["--packages", packages, "--logs", place, "--database", place / "m.db"]
    result = program.run(
        "serve", "--port", "0", "--reader", "filebeat", "--filebeat", place / "no", *options
    )
    result.failed(69, f"Filebeat is not there: {place}/no", "--reader tail")


def test_bad_settings_are_reported_together(program: Program) -> None:
    """Options and environment, all of them in one go, before anything starts."""
    result = program.run(
        "serve",
        "--port",
        "notaport",
        "--timezone",
        "Mars/Base",
        DATABASE_URL="postgresql://db/metrics",
        LOG_LEVEL="CHATTY",
        REVERSE_PROXY_LOGS_PATTERN="a/b",
        ALLOWED_ORIGINS="metrics.box",
        ALLOWED_HOSTS="a.box b..box",
        TRUSTED_PROXIES="caddy",
        UI_LOCATION="/no/such/folder",
        READER="eyes",
    )
    result.failed(
        78,
        "--port: 'notaport'",
        "--timezone: time zone 'Mars/Base'",
        "DATABASE_URL: 'postgresql://db/metrics'",
        "LOG_LEVEL: 'CHATTY'",
        "REVERSE_PROXY_LOGS_PATTERN: 'a/b'",
        "ALLOWED_ORIGINS: 'metrics.box'",
        "ALLOWED_HOSTS: 'b..box'",
        "TRUSTED_PROXIES: 'caddy'",
        "UI_LOCATION: '/no/such/folder'",
        "READER: 'eyes'",
    )
    assert len([line for line in result.err.splitlines() if line.startswith("offspot")]) == 10


def test_only_options_that_are_wrong_are_wrong_usage(program: Program) -> None:
    """2, and both are named."""
    result = program.run("serve", "--port", "70000", "--reader", "eyes")
    result.failed(2, "--port: '70000'", "--reader: 'eyes'")


def test_origins_are_compared_as_browsers_send_them() -> None:
    """In lower case and IDNA, without a path and without the usual port; `*` stays."""
    named = "http://Lib.Box/ | https://lib.box:443|http://lib.box:8080,http://lib.box:80 *"
    found = make_config({}, {"ALLOWED_ORIGINS": f"{named}|HTTP://Bücher.box/a/b"}).allowed_origins
    assert found == {
        *("http://lib.box", "https://lib.box", "http://lib.box:8080"),
        *("*", "http://xn--bcher-kva.box"),
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://offspot.lan:8000", {"offspot.lan"}),
        ("http://offspot.lan/", {"offspot.lan"}),
        ("HTTPS://Offspot.LAN./metrics?a#b", {"offspot.lan"}),
        ("offspot.lan:8000", {"offspot.lan"}),
        ("//offspot.lan", {"offspot.lan"}),
        ("a,b", {"a", "b"}),
        ("a | b,  c\nd", {"a", "b", "c", "d"}),
        ("|,", set()),
        ("école.lan Bücher。lan:80", {"xn--cole-9oa.lan", "xn--bcher-kva.lan"}),
        ("XN--COLE-9OA.lan", {"xn--cole-9oa.lan"}),
        ("[FD00::1]:8000 [::1] fe80::2", {"fd00::1", "::1", "fe80::2"}),
        ("10.42.0.1:80", {"10.42.0.1"}),
        ("my_box.lan", {"my_box.lan"}),
        ("☃.lan", {"xn--n3h.lan"}),  # as browsers ask for it
    ],
)
def test_allowed_hosts_are_taken_for_what_is_meant(written: str, meant: set[str]) -> None:
    """Scheme, port and slash are dropped; comma, blank and `|` separate; Unicode is `xn--`."""
    assert make_config({}, {"ALLOWED_HOSTS": written}).allowed_hosts == meant


@pytest.mark.parametrize(
    "written",
    [
        *("*", "*.lan", "a..b", ".lan", "-a", "a-", "a/b", "user@a", "a:b", "a:70000", "http://"),
        *("[a]", "[::1", "1:2:3", "10.0.0.256", "xn--é.lan", "a" * 64, ".".join(["abc"] * 70)),
        *("a\x00b", "a%20b", "a;b"),
    ],
)
def test_what_cannot_be_a_host_is_a_start_error(written: str) -> None:
    """It is named, with what a host looks like."""
    with pytest.raises(ConfigError) as caught:
        make_config({}, {"ALLOWED_HOSTS": f"good.lan|{written}"})
    assert repr(written) in caught.value.message
    assert "good.lan" not in caught.value.message


def test_settings_of_the_older_system_are_taken() -> None:
    """Levels by all their names, in any case; only `true` disables processing."""
    for level, meant in (("WARN", "WARNING"), ("fatal", "CRITICAL"), ("NotSet", "DEBUG")):
        assert make_config({}, {"LOG_LEVEL": level}).log_level == meant
    for text in ("", "maybe", "false", "1", "yes", "on", "disabled"):
        assert make_config({}, {"PROCESSING_DISABLED": text}).processing
    for text in ("true", "True", "TRUE"):
        assert not make_config({}, {"PROCESSING_DISABLED": text}).processing


def test_trusted_proxies() -> None:
    """Addresses and networks; `none` is nobody, nothing is the default."""
    assert make_config({}, {}).trusted_proxies is None
    assert make_config({}, {"TRUSTED_PROXIES": "None"}).trusted_proxies == ()
    mapped = make_config({}, {"TRUSTED_PROXIES": "::ffff:10.1.0.1 ::ffff:172.16.0.0/108"})
    assert [str(n) for n in mapped.trusted_proxies or ()] == ["10.1.0.1/32", "172.16.0.0/12"]
    found = make_config({}, {"TRUSTED_PROXIES": "172.18.0.2, 10.0.0.1/8|fd00::/64 [::1]"})
    assert found.trusted_proxies is not None
    assert [str(network) for network in found.trusted_proxies] == [
        *("172.18.0.2/32", "10.0.0.0/8", "fd00::/64", "::1/128")
    ]
