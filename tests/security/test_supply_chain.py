"""What others made and we ship is pinned by content (S25)."""

from __future__ import annotations

import json
import re

import pytest

from tests.security.cases import ROOT


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_python_packages_are_pinned_by_hash(name: str) -> None:
    """S25: one version of each, and its hashes; nothing from an address of its own."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    wanted = [row for row in text.splitlines() if row.strip() and not row.lstrip().startswith("#")]
    assert wanted
    for row in wanted:
        assert re.match(r"[A-Za-z0-9._\[\]-]+==[^ ]+( ;[^-]*)? ", row), row
        assert "--hash=sha256:" in row, row
        assert "://" not in row, row


def test_packages_of_the_dashboard_are_pinned_by_hash() -> None:
    """S25: every package in the lock of the dashboard has its integrity."""
    lock = json.loads((ROOT / "static" / "package-lock.json").read_text())
    packages = {name: found for name, found in lock["packages"].items() if name}
    assert packages
    assert [name for name, found in packages.items() if "integrity" not in found] == []


def test_modules_of_filebeat_are_pinned_by_hash() -> None:
    """S25: Filebeat is built from modules whose hashes are kept."""
    sums = (ROOT / "filebeat" / "go.sum").read_text()
    pinned = {tuple(row.split()[:2]) for row in sums.splitlines()}
    module = (ROOT / "filebeat" / "go.mod").read_text()
    assert re.search(r"^\s*(require )?\(?\s*github\.com/elastic/beats/v7 v7\.", module, re.M)
    replaced = set(re.findall(r"^\s*(?:replace )?(\S+)(?: v\S+)? => ", module, re.M))
    for name, version in re.findall(r"^\s+(?:require )?(\S+/\S+) (v\S+)", module, re.M):
        assert (
            name in replaced or (name, version) in pinned or (name, f"{version}/go.mod") in pinned
        )
