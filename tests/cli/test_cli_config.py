"""`config show`: the settings as `serve` would have them, and where each comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.settings import SETTINGS
from tests.cli.cases import invoke


def shown(*arguments: object) -> dict[str, tuple[object, str]]:
    """Each setting: its value and where that comes from."""
    result = invoke("config", "show", "--format", "json", *arguments)
    assert result.code == 0, result.err
    return {name: (one["value"], one["origin"]) for name, one in json.loads(result.out).items()}


def test_every_setting_that_has_a_variable_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the table; without any of them, all are defaults."""
    for one in SETTINGS.values():
        monkeypatch.delenv(one.variable or "NONE", raising=False)
    found = shown()
    assert list(found) == [one.name for one in SETTINGS.values() if one.variable]
    assert {origin for _, origin in found.values()} == {"default"}
    text = invoke("config", "show").out
    assert [line.split()[0] for line in text.splitlines()] == ["Setting", *found]


def test_where_values_come_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An option goes before a variable before the default; lists and nothing at all have forms."""
    monkeypatch.setenv("PORT", "81")
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.setenv("ALLOWED_HOSTS", "b.lan|A.lan")
    monkeypatch.setenv("TRUSTED_PROXIES", "none")
    monkeypatch.setenv("PROCESSING_DISABLED", "true")
    monkeypatch.delenv("TZ", raising=False)
    found = shown("--port", "82", "--database", tmp_path / "my.db")
    assert found["port"] == (82, "--port")
    assert found["database"] == (str(tmp_path / "my.db"), "--database")
    assert found["host"] == ("0.0.0.0", "HOST")
    assert found["allowed_hosts"] == (["a.lan", "b.lan"], "ALLOWED_HOSTS")
    assert found["trusted_proxies"] == ([], "TRUSTED_PROXIES")
    assert found["processing"] == (False, "PROCESSING_DISABLED")
    assert found["timezone"] == (None, "default")
    rows = invoke("config", "show").out.splitlines()
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in rows}
    assert lines["port"] == "81 PORT"
    assert lines["timezone"] == "the database's, else UTC default"
    assert lines["allowed_hosts"] == "a.lan b.lan ALLOWED_HOSTS"
    assert lines["trusted_proxies"] == "none TRUSTED_PROXIES"
    assert lines["processing"] == "no PROCESSING_DISABLED"


def test_it_opens_and_makes_nothing(tmp_path: Path) -> None:
    """Not even the database that it names."""
    shown("--database", tmp_path / "new" / "my.db", "--packages", tmp_path / "none.yml")
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_reported_as_by_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it together, with the code of a configuration that cannot be used."""
    monkeypatch.setenv("PORT", "eighty")
    monkeypatch.setenv("READER", "eyes")
    result = invoke("config", "show")
    assert (result.code, result.out) == (78, "")
    assert "PORT: 'eighty' is no port" in result.err
    assert "READER: 'eyes' is not one of" in result.err


def test_variables_that_are_not_read_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the one that was probably meant, if there is one like it."""
    monkeypatch.setenv("OFFSPOT_METRICS_PROT", "81")
    monkeypatch.setenv("OFFSPOT_METRICS_ALLOWED_HOST", "a.lan")
    monkeypatch.setenv("OFFSPOT_METRICS_XYZ", "1")
    assert invoke("config", "show").err.splitlines() == [
        "offspot-metrics: OFFSPOT_METRICS_ALLOWED_HOST is not read; is ALLOWED_HOSTS meant?",
        "offspot-metrics: OFFSPOT_METRICS_PROT is not read; is PORT meant?",
        "offspot-metrics: OFFSPOT_METRICS_XYZ is not read",
    ]


def test_the_group_alone_is_wrong_usage() -> None:
    """What can be shown is in its help."""
    result = invoke("config")
    assert result.code == 2
    assert result.err.startswith("offspot-metrics: Missing command.\n  try: offspot-metrics config")
    assert "show" in invoke("config", "--help").out
