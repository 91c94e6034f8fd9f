"""The packages on a Debian 13 for arm64, emulated: installed, used and removed."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.browser import Browser
from lab.processes import LOOPBACK, wait_until
from tests.install.emulated import Emulated
from tests.install.packages import ROOT
from tests.support.archive import PROGRAM

SMOKE = tomllib.loads((ROOT / "zipapp.spec").read_text())["smoke"]["commands"]
DAY = min((ROOT / "samples/week").glob("*.gz"))
LIBRARY = "usr/lib/offspot-metrics"

pytestmark = [pytest.mark.full, pytest.mark.timeout(590)]


@pytest.fixture(scope="module")
def machine(
    program: Path, filebeat: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulated]:
    """Both packages are installed by apt: all that their scripts do is done for arm64."""
    machine = Emulated(tmp_path_factory.mktemp("arm64"))
    machine.install(program, filebeat["arm64"])
    machine.run("mkdir", "-p", "/etc/offspot-metrics", "/var/log/caddy")
    (machine.root / "etc/offspot-metrics/packages.yml").write_bytes(
        (ROOT / "samples/packages.yml").read_bytes()
    )
    yield machine
    subprocess.run(["rm", "-rf", str(machine.root)], check=True)


def test_it_is_installed(machine: Emulated) -> None:
    """Its processor is arm64, the user is there and owns its folder, the service is enabled, and
    byte code of this Python is next to every module.
    """
    assert machine.run("uname", "-m").stdout == "aarch64\n"
    assert machine.run("dpkg", "--print-architecture").stdout == "arm64\n"
    owner = machine.run("stat", "-c", "%U:%G %a", "/var/lib/offspot-metrics").stdout
    assert owner == "offspot-metrics:offspot-metrics 750\n"
    wanted = machine.root / "etc/systemd/system/multi-user.target.wants/offspot-metrics.service"
    assert wanted.is_symlink()
    modules = list((machine.root / LIBRARY).rglob("*.py"))
    assert len(modules) > 500
    for module in modules:
        assert (module.parent / f"__pycache__/{module.stem}.cpython-313.pyc").exists(), module


def test_smoke_commands_pass(machine: Emulated) -> None:
    """Those that every archive must pass, with the command that is in PATH."""
    for arguments in SMOKE:
        machine.run("offspot-metrics", *arguments)


def test_a_day_is_that_of_amd64(machine: Emulated) -> None:
    """`replay` of a recorded day gives the same JSON, figure for figure."""
    (machine.root / "root/day.json.gz").write_bytes(DAY.read_bytes())
    arguments = ["replay", "--format", "json", "--quiet", "--jobs", "1"]
    packages = str(ROOT / "samples/packages.yml")
    here = subprocess.run(
        [str(PROGRAM), *arguments, "--packages", packages, str(DAY)],
        capture_output=True,
        text=True,
        check=True,
    )
    there = machine.run("offspot-metrics", *arguments, "/root/day.json.gz")
    assert json.loads(there.stdout) == json.loads(here.stdout)


def test_it_serves_with_filebeat(machine: Emulated) -> None:
    """As the user of the package, with the settings of the package and Filebeat of the other, it
    counts a log of Caddy's that the group adm may read, and ends with 0.
    """
    log = machine.root / "var/log/caddy/caddy_access_logs.json"
    content = gzip.decompress(DAY.read_bytes())
    log.write_bytes(content)
    machine.run("chown", "root:adm", "/var/log/caddy", "/var/log/caddy/caddy_access_logs.json")
    machine.run("chmod", "750", "/var/log/caddy")
    machine.run("chmod", "640", "/var/log/caddy/caddy_access_logs.json")
    user = ("setpriv", "--reuid=offspot-metrics", "--regid=offspot-metrics", "--init-groups")
    output = machine.root / "tmp/serve.log"
    command = f"exec {' '.join(user)} /usr/bin/offspot-metrics serve --port 0 > /tmp/serve.log 2>&1"
    process = machine.start("sh", "-c", command)

    def port() -> int:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", output.read_text())
        return int(found[1]) if found else 0

    def status() -> dict[str, object]:
        with Browser((LOOPBACK, port())) as browser:
            found: dict[str, object] = json.loads(browser.get("localhost", "/api/v1/status").body)
            return found

    def has_read() -> bool:
        lines = status()["lines"]
        assert isinstance(lines, dict)
        return bool(lines["read"] == content.count(b"\n"))

    try:
        wait_until(lambda: output.exists() and port() > 0, "the address", 120)
        wait_until(has_read, "all lines", 240)
        reader = status()["reader"]
        assert isinstance(reader, dict)
        assert reader["kind"] == "filebeat"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        os.kill(int(children), signal.SIGTERM)
        assert process.wait(60) == 0, output.read_text()
    finally:
        process.kill()
        process.communicate()
    assert "Traceback" not in output.read_text()


def test_removed_and_purged_it_leaves_nothing(machine: Emulated) -> None:
    """Removed, neither program nor byte code is left, but the data; purged, that goes as well."""
    machine.run("touch", "/var/lib/offspot-metrics/metrics.db")
    machine.run("dpkg", "--remove", "offspot-metrics-filebeat", "offspot-metrics")
    assert not (machine.root / LIBRARY).exists()
    assert (machine.root / "var/lib/offspot-metrics/metrics.db").exists()
    machine.run("dpkg", "--purge", "offspot-metrics-filebeat", "offspot-metrics")
    assert not (machine.root / "var/lib/offspot-metrics").exists()
    assert machine.run("dpkg", "--audit").stdout == ""
