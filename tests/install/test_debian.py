"""The packages in clean Debians that boot: installed, serving, upgraded, removed, purged."""

from __future__ import annotations

import csv
import gzip
import subprocess
from pathlib import Path

import pytest

from tests.install.machine import Machine
from tests.install.packages import ROOT

SUITES = {"bookworm": "3.11", "trixie": "3.13"}
"""Debian 12 and 13, and the Python of each."""
LIBRARY = "/usr/lib/offspot-metrics"
DATA = "/var/lib/offspot-metrics"
DATABASE = f"{DATA}/metrics.db"
WEEK = sorted((ROOT / "samples/week").glob("*.json.gz"))
RECORDS = ("records", "--period", "2026", "--format", "csv")

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]


def put_logs(machine: Machine, mode: int = 0o640, group: str = "adm") -> None:
    """The week's logs where Caddy has them, and the packages that they are of."""
    for path in WEEK:
        machine.write(f"/var/log/caddy/{path.stem}", gzip.decompress(path.read_bytes()), mode)
    machine.run("chgrp", "-R", group, "/var/log/caddy")
    machine.run("chmod", f"{mode | (mode & 0o444) >> 2:o}", "/var/log/caddy")
    packages = (ROOT / "samples/packages.yml").read_text("utf-8")
    machine.write("/etc/offspot-metrics/packages.yml", packages)


def wait_until_counted(machine: Machine) -> int:
    """Wait until the whole week is counted; how many lines it has."""
    lines = sum(gzip.decompress(path.read_bytes()).count(b"\n") for path in WEEK)
    code = (
        "import json, sys, urllib.request as r\n"
        "status = json.load(r.urlopen('http://127.0.0.1:8000/api/v1/status'))\n"
        f"sys.exit(status['lines']['read'] != {lines})"
    )
    machine.wait(f"{lines} lines", "python3", "-c", code)
    return lines


def expected_records(folder: Path) -> list[list[str]]:
    """The records of the week as the program has them that was not installed."""
    program = str(ROOT / "dist/offspot-metrics")
    options = ["--database", str(folder / "metrics.db")]
    replay = ["replay", *map(str, WEEK), "--packages", str(ROOT / "samples/packages.yml")]
    subprocess.run([program, *replay, *options, "--quiet"], check=True, capture_output=True)
    done = subprocess.run([program, *RECORDS, *options], check=True, capture_output=True, text=True)
    return without_uptime(done.stdout)


def without_uptime(records: str) -> list[list[str]]:
    """Hour, indicator, package and value; without the minutes of the machine itself."""
    rows = [row[:6] for row in csv.reader(records.splitlines())]
    return [row for row in rows if "Uptime" not in row]


@pytest.mark.parametrize("suite", SUITES)
def test_from_installation_to_purge(
    suite: str, program: Path, older: Path, filebeat: dict[str, Path], tmp_path: Path
) -> None:
    """An older version is installed and serves the figures of the logs that are there, as a user of
    its own, with byte code of the Python that is there. An upgrade keeps database and settings, and
    counts nothing twice. Removed, the data stays and the byte code goes; purged, nothing is left
    but the user.
    """
    with Machine(suite, tmp_path) as machine:
        before = machine.files()
        machine.install(older, filebeat["amd64"])
        assert machine.run("systemctl", "is-enabled", "offspot-metrics").stdout == "enabled\n"
        assert machine.json("/api/v1/status")["lines"]["read"] == 0
        put_logs(machine)
        machine.run("systemctl", "reload", "offspot-metrics")
        lines = wait_until_counted(machine)
        status = machine.json("/api/v1/status")
        assert status["reader"]["kind"] == "filebeat"
        assert status["clock"]["trusted"] is not None
        owners = machine.run("stat", "-c", "%U:%G %a", DATA, DATABASE).stdout
        assert (
            owners == "offspot-metrics:offspot-metrics 750\noffspot-metrics:offspot-metrics 600\n"
        )

        compiled = machine.run("find", LIBRARY, "-name", "*.pyc").stdout
        tag = f"cpython-{SUITES[suite].replace('.', '')}"
        assert compiled.count(f".{tag}.pyc") == compiled.count(".pyc") > 500

        machine.run(
            "sed", "-i", "s/^#SITE_NAME=.*/SITE_NAME=Amani/", "/etc/default/offspot-metrics"
        )
        machine.install(program)
        wait_until_counted(machine)
        status = machine.json("/api/v1/status")
        assert status["lines"]["read"] == lines
        assert status["site"]["name"] == "Amani"
        records = machine.run("offspot-metrics", *RECORDS).stdout
        assert without_uptime(records) == expected_records(tmp_path)
        owners = machine.run("find", DATA, "!", "-user", "offspot-metrics").stdout
        assert owners == ""

        machine.apt("remove", "offspot-metrics", "offspot-metrics-filebeat")
        left = machine.files() - before
        assert DATABASE in left
        assert not [path for path in left if path.startswith((LIBRARY, "/usr/bin/offspot"))]
        machine.apt("purge", "offspot-metrics", "offspot-metrics-filebeat", "python3")
        machine.apt("autoremove")
        ours = [path for path in machine.files() - before if "offspot" in path]
        assert ours == []
        assert "offspot-metrics" in machine.run("getent", "passwd", "offspot-metrics").stdout


def test_over_a_unit_made_by_hand(program: Path, tmp_path: Path) -> None:
    """The installation is refused before anything of it is there, and says how to go on."""
    unit = "/etc/systemd/system/offspot-metrics.service"
    with Machine("trixie", tmp_path) as machine:
        machine.apt("install", "python3")
        machine.write(unit, "[Service]\nExecStart=/bin/true\n")
        done = machine.install(program, check=False)
        assert done.returncode != 0
        assert f"there is already a unit made by hand, {unit}" in done.stdout
        assert f"mv {unit} /root/" in done.stdout
        assert machine.run("cat", unit).stdout == "[Service]\nExecStart=/bin/true\n"
        assert_nothing_is_installed(machine)
        machine.run("mv", unit, "/root/")
        machine.apt("install", f"/root/{program.name}")
        assert machine.json("/health/live")["ok"] is True


def test_a_full_disk(program: Path, tmp_path: Path) -> None:
    """The installation is refused before anything of it is there, and says how much is needed."""
    with Machine("trixie", tmp_path, size="200m") as machine:
        machine.apt("install", "python3")
        free = int(machine.run("df", "--output=avail", "-k", "/").stdout.split()[1])
        machine.run("fallocate", "-l", f"{free - 20_000}K", "/var/filler")
        done = machine.install(program, check=False)
        assert done.returncode != 0
        assert "60000 KiB are needed in /usr/lib" in done.stdout
        assert_nothing_is_installed(machine)
        machine.run("rm", "/var/filler")
        machine.apt("install", f"/root/{program.name}")
        assert machine.json("/health/live")["ok"] is True


def assert_nothing_is_installed(machine: Machine) -> None:
    """No file and no entry of the package, and dpkg has nothing to finish."""
    assert machine.run("dpkg", "--audit").stdout == ""
    listed = machine.run(
        "dpkg-query", "-W", "-f", "${db:Status-Abbrev}", "offspot-metrics", check=False
    )
    assert listed.stdout[1:2] in {"", "n"}, listed.stdout
    for path in (LIBRARY, DATA, DATABASE, "/usr/bin/offspot-metrics"):
        assert machine.run("test", "-e", path, check=False).returncode != 0, path
