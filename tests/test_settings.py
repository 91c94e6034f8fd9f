"""Settings: option, else environment, else default; each with what the contract says it may be."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest
import typer

from cli.options import with_options
from engine.errors import ConfigError, UsageError
from engine.settings import SETTINGS, Config, make_config
from engine.settings.commands import COMMANDS
from engine.settings.model import Setting
from tools import cli_docs

ROOT = Path(__file__).resolve().parent.parent


def test_an_option_goes_before_the_environment_before_the_default() -> None:
    """For each setting that has both an option and a variable."""
    for option, variable, given, set_to, default, read in (
        ("port", "PORT", "81", "82", "8000", lambda c: str(c.port)),
        ("host", "HOST", "::1", "10.0.0.1", "127.0.0.1", lambda c: c.host),
        ("reader", "READER", "tail", "filebeat", "auto", lambda c: c.reader),
        ("log_level", "LOG_LEVEL", "ERROR", "DEBUG", "INFO", lambda c: c.log_level),
        ("log_format", "LOG_FORMAT", "json", "text", "text", lambda c: c.log_format),
        ("retention_years", "RETENTION_YEARS", "1", "100", "2", lambda c: str(c.retention_years)),
        ("logs", "REVERSE_PROXY_LOGS_LOCATION", "/a", "/b", "/reverse-proxy-logs", _logs),
        ("pattern", "REVERSE_PROXY_LOGS_PATTERN", "a*", "b*", "caddy_access_logs*.json", _pattern),
        ("packages", "PACKAGE_CONF_FILE", "/a.yml", "/b.yml", "", lambda c: str(c.packages)),
        ("database", "DATABASE_URL", "/a.db", "/b.db", "", lambda c: str(c.database)),
        ("site", "SITE_NAME", "A", "B", "", lambda c: c.site),
        ("filebeat", "FILEBEAT", "/a", "/b", "", lambda c: c.filebeat),
        ("ui_location", "UI_LOCATION", "/usr", "/etc", "None", lambda c: str(c.ui_location)),
        ("timezone", "TZ", "Africa/Bamako", "Europe/Paris", "None", lambda c: str(c.timezone)),
    ):
        assert read(make_config({option: given}, {variable: set_to})) == given, option
        assert read(make_config({option: None}, {variable: set_to})) == set_to, variable
        assert read(make_config({}, {variable: f" {set_to}\n"})) == set_to, variable
        if default:
            assert read(make_config({}, {})) == default
            assert read(make_config({}, {variable: " \t"})) == default


def _logs(config: object) -> str:
    return str(config.logs)  # type: ignore[attr-defined]


def _pattern(config: object) -> str:
    return config.pattern  # type: ignore[attr-defined, no-any-return]


def test_an_option_of_nothing_is_given() -> None:
    """An empty option does not let the variable in: it is what was asked for, right or wrong."""
    assert make_config({"site": ""}, {"SITE_NAME": "B"}).site == ""
    with pytest.raises(UsageError):
        make_config({"port": ""}, {"PORT": "81"})


def test_what_is_wrong_in_the_environment_is_no_wrong_usage() -> None:
    """One wrong variable, and the error is one of configuration, whatever else is wrong."""
    with pytest.raises(ConfigError) as caught:
        make_config({"port": "x"}, {"READER": "eyes"})
    assert not isinstance(caught.value, UsageError)
    with pytest.raises(ConfigError) as caught:
        make_config({"port": "x"}, {"READER": "eyes", "ALLOWED_HOSTS": "a..b"})
    assert caught.value.message.count("\n") == 2


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/data/metrics.db", "/data/metrics.db"),
        ("metrics.db", "metrics.db"),
        ("sqlite:////data/metrics.db", "/data/metrics.db"),
        ("SQLite:////data/metrics.db", "/data/metrics.db"),
        ("sqlite:///metrics.db", "metrics.db"),
        ("sqlite+pysqlite:////data/metrics.db", "/data/metrics.db"),
        ("sqlite:////data/metrics.db?timeout=5", "/data/metrics.db"),
        ("/" + "x" * 200, "/" + "x" * 200),
        ("/" + "é" * 100, "/" + "é" * 100),
    ],
)
def test_addresses_of_databases(written: str, path: str) -> None:
    """A path, `sqlite:///` or `sqlite+pysqlite:////`, in any case and without its parameters."""
    assert make_config({}, {"DATABASE_URL": written}).database == Path(path)


@pytest.mark.parametrize(
    "written",
    [
        *("postgresql://db/x", "sqlite://host/x", ":memory:", "/", "..", "file:x.db", "sqlite:x"),
        *("/" + "x" * 201, "/" + "é" * 101),
    ],
)
def test_what_is_no_database_is_refused(written: str) -> None:
    """Also names of more than 200 bytes, whose backups could not be named."""
    with pytest.raises(ConfigError, match="DATABASE_URL: "):
        make_config({}, {"DATABASE_URL": written})


def test_the_database_is_in_the_data_folder_of_the_user() -> None:
    """`$XDG_DATA_HOME`, else `~/.local/share`; `~` is the home also in a path that is given."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 (what is looked at is another way)
    found = make_config({}, {"XDG_DATA_HOME": "/var/data"}).database
    assert found == Path("/var/data/offspot-metrics/metrics.db")
    assert make_config({}, {}).database == home / ".local/share/offspot-metrics/metrics.db"
    assert make_config({"database": "~/m.db"}, {}).database == home / "m.db"


@pytest.mark.parametrize("port", ["0", "1", "80", "65535"])
def test_ports(port: str) -> None:
    """0 (a free one) to 65535."""
    assert make_config({"port": port}, {}).port == int(port)


@pytest.mark.parametrize("port", ["65536", "99999", "100000", "-1", "+1", "1.0", "８0", "x"])
def test_what_is_no_port(port: str) -> None:
    """It is named."""
    with pytest.raises(UsageError, match="--port: "):
        make_config({"port": port}, {})


@pytest.mark.parametrize("host", ["::1", "0.0.0.0", "fe80::1%eth0", "bücher.box", "localhost"])
def test_addresses_to_listen_on(host: str) -> None:
    """As they are written; whether it is one of this machine is known when it is used."""
    assert make_config({}, {"HOST": host}).host == host


@pytest.mark.parametrize("host", ["a..b", ".", "x" * 70, "\udcff", "é" * 80])
def test_what_is_no_address_to_listen_on(host: str) -> None:
    """What the resolver could only raise an exception for is said at the start."""
    with pytest.raises(UsageError, match="no address"):
        make_config({"host": host}, {})
    with pytest.raises(ConfigError, match="no address"):
        make_config({}, {"HOST": host})


@pytest.mark.parametrize("name", ["auto", "AUTO", "Filebeat", "TAIL"])
def test_choices_have_no_case(name: str) -> None:
    """Readers and levels are taken in any case."""
    assert make_config({}, {"READER": name}).reader == name.lower()
    assert make_config({}, {"LOG_LEVEL": "WaRn"}).log_level == "WARNING"


def test_the_packages_file_of_a_container() -> None:
    """`/conf/packages.yml`, when neither it nor `/conf/packages.yaml` is there."""
    assert make_config({}, {}).packages == Path("/conf/packages.yml")


@pytest.mark.parametrize("written", ["0", "101", "-1", "2.0", "two", "٢", "1" * 5000])
def test_years_that_cannot_be_kept_are_refused(written: str) -> None:
    """Whole years from 1 to 100."""
    with pytest.raises(ConfigError, match=r"RETENTION_YEARS: .*1 to 100"):
        make_config({}, {"RETENTION_YEARS": written})


def test_names_of_253_characters_are_hosts() -> None:
    """And longer ones are none, as in the DNS."""
    name = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert make_config({}, {"ALLOWED_HOSTS": name}).allowed_hosts == {name}
    with pytest.raises(ConfigError):
        make_config({}, {"ALLOWED_HOSTS": f"{name}b"})


def test_origins_of_addresses_and_odd_ports() -> None:
    """IPv6 in brackets; 443 is not the usual port of http, nor 80 of https; zeros are dropped."""
    given = "http://[FD00::1]:80 https://[::1]:8443 http://a:443 https://a:80 http://b:0080"
    assert make_config({}, {"ALLOWED_ORIGINS": given}).allowed_origins == {
        *("http://[fd00::1]", "https://[::1]:8443", "http://a:443", "https://a:80", "http://b"),
    }


def variables() -> list[Setting]:
    """Those that the environment can set."""
    return [one for one in SETTINGS.values() if one.variable]


def test_a_setting_is_declared_once() -> None:
    """No two are set by one variable, and no two of a command by one option."""
    assert len({one.variable for one in variables()}) == len(variables())
    for names in COMMANDS.values():
        assert len({SETTINGS[name].flag for name in names}) == len(names)
    on_a_command = {name for names in COMMANDS.values() for name in names}
    assert on_a_command | {one.name for one in variables()} == set(SETTINGS)


def test_options_are_those_of_the_table() -> None:
    """Of each command: which there are, in which order, and what is said of them."""
    for name, command in cli_docs.commands().items():
        shown = [parameter for parameter in command.params if parameter.name != "help"]
        settings = [SETTINGS[setting] for setting in COMMANDS[name]]
        assert [parameter.name for parameter in shown] == [one.name for one in settings]
        for parameter, one in zip(shown, settings, strict=True):
            assert parameter.help == one.full_help
            assert one.is_argument or parameter.opts == [*filter(None, (one.flag, one.short))]


def test_a_default_comes_from_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a command without options, and of one that is given the very default."""
    for one in variables():
        monkeypatch.delenv(one.variable, raising=False)
    found: list[Config] = []
    app = typer.Typer()
    app.command()(with_options(found.append, COMMANDS["replay"]))
    app(["a.json"], standalone_mode=False)
    app(["a.json", "--idle-gap", "10"], standalone_mode=False)
    assert [set(config.origins) for config in found] == [{"logfiles"}, {"logfiles", "idle_gap"}]
    assert [(config.jobs, config.idle_gap) for config in found] == [(0, 10), (0, 10)]


def test_every_variable_of_the_table_is_read() -> None:
    """A value that cannot be is reported with the name of its variable; any text is a path."""
    wrong = {
        *("DATABASE_URL", "TZ", "REVERSE_PROXY_LOGS_PATTERN", "READER", "PORT", "LOG_LEVEL"),
        *("ALLOWED_ORIGINS", "ALLOWED_HOSTS", "TRUSTED_PROXIES", "UI_LOCATION"),
        *("LOG_FORMAT", "RETENTION_YEARS", "HOST"),
    }
    text = "postgresql://[a..b"
    for one in variables():
        if one.variable in wrong:
            with pytest.raises(ConfigError, match=f"^{one.variable}: "):
                make_config({}, {one.variable: text})
        else:
            config = make_config({}, {one.variable: text})
            assert config.origins == {one.name: one.variable}
            assert getattr(config, one.name) in {Path(text), text, True}


def test_no_other_module_reads_them() -> None:
    """The name of a variable is a text of its own in the table only."""
    names = {one.variable for one in variables()}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("cli", "engine")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.name != "table.py"
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert found == []
