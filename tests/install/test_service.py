"""The installed service under systemd: watched, restarted, and what stands in its way."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install.machine import Machine
from tests.install.test_debian import put_logs, wait_until_counted

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
DROP_IN = "/etc/systemd/system/offspot-metrics.service.d/test.conf"
EXAMPLES = "/usr/share/doc/offspot-metrics/examples"

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def machine(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A Debian 13 with the package, and logs that its group may read."""
    with Machine("trixie", tmp_path_factory.mktemp("machine")) as machine:
        machine.install(program)
        put_logs(machine)
        machine.run("systemctl", "restart", "offspot-metrics")
        wait_until_counted(machine)
        yield machine


@pytest.fixture(autouse=True)
def _as_installed(machine: Machine) -> Iterator[None]:
    """Each test begins with the service as it was installed."""
    defaults = machine.run("cat", "/etc/default/offspot-metrics").stdout
    yield
    machine.run("rm", "-rf", str(Path(DROP_IN).parent))
    machine.write("/etc/default/offspot-metrics", defaults)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "reset-failed", "offspot-metrics", check=False)
    machine.run("systemctl", "restart", "offspot-metrics")


def show(machine: Machine, name: str) -> str:
    """A property of the service."""
    command = ["systemctl", "show", "--property", name, "--value", "offspot-metrics"]
    return machine.run(*command).stdout.strip()


def change(machine: Machine, *lines: str) -> None:
    """A drop-in of the service."""
    machine.write(DROP_IN, "\n".join(["[Service]", *lines, ""]))
    machine.run("systemctl", "daemon-reload")


def set_variable(machine: Machine, line: str) -> None:
    """Add to the settings."""
    defaults = machine.run("cat", "/etc/default/offspot-metrics").stdout
    machine.write("/etc/default/offspot-metrics", f"{defaults}\n{line}\n")


def refused(machine: Machine) -> str:
    """Start the service, which fails; what it has logged by then."""
    mark = f"mark-{os.urandom(4).hex()}"
    machine.run("logger", "--id", "--tag", "test", mark)
    machine.run("systemctl", "restart", "offspot-metrics", check=False)
    machine.run("systemctl", "stop", "offspot-metrics", check=False)
    machine.run("journalctl", "--sync")
    text = machine.run("journalctl", "--no-pager", "-o", "cat").stdout.split(mark)[1]
    assert "Traceback" not in text
    return text


def test_a_service_that_hangs_is_started_again(machine: Machine) -> None:
    """Systemd ends it when its signs of life stop, and starts it; it counts nothing twice."""
    change(machine, "WatchdogSec=3", "RestartSec=0")
    machine.run("systemctl", "restart", "offspot-metrics")
    process = int(show(machine, "MainPID"))
    before = machine.run("offspot-metrics", "kpis", "--period", "2026-W24").stdout
    machine.run("sh", "-c", f"kill -{signal.SIGSTOP.value} {process}")
    code = f"test $(systemctl show -P MainPID offspot-metrics) -gt {process}"
    machine.wait("another process", "sh", "-c", code)
    machine.wait("an answer", "offspot-metrics", "healthcheck", "--probe", "ready")
    assert int(show(machine, "NRestarts")) > 0
    wait_until_counted(machine)
    after = machine.run("offspot-metrics", "kpis", "--period", "2026-W24").stdout
    assert [line for line in after.splitlines() if "Uptime" not in line] == [
        line for line in before.splitlines() if "Uptime" not in line
    ]


def test_it_runs_confined(machine: Machine) -> None:
    """As its own user, without any capability, with a filter of system calls; it can still ask
    whether the clock is synchronised.
    """
    status = machine.run("cat", f"/proc/{show(machine, 'MainPID')}/status").stdout
    assert "CapEff:\t0000000000000000" in status
    assert "CapBnd:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert machine.json("/api/v1/status")["clock"]["trusted"] is not None


def test_a_port_below_1024(machine: Machine) -> None:
    """Without the right it says so, with a way out; with that it answers there."""
    set_variable(machine, "PORT=80")
    text = refused(machine)
    assert "cannot listen on 127.0.0.1:80: Permission denied" in text
    assert "Ports below 1024 need privileges" in text
    change(
        machine,
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "PrivateUsers=no",
    )
    machine.run("systemctl", "restart", "offspot-metrics")
    assert machine.json("/health/live", 80)["ok"] is True


def test_a_database_folder_of_another_user(machine: Machine) -> None:
    """It is named, with what to do, and is left as it is."""
    machine.run("install", "-d", "-m", "700", "-o", "nobody", "/srv/metrics")
    set_variable(machine, "DATABASE_URL=/srv/metrics/metrics.db")
    change(machine, "ReadWritePaths=/srv/metrics", "Restart=no")
    assert "/srv/metrics" in refused(machine)
    assert show(machine, "ExecMainStatus") == str(os.EX_NOPERM)
    assert machine.run("find", "/srv/metrics").stdout == "/srv/metrics\n"


def test_settings_that_are_wrong_are_not_tried_again(machine: Machine) -> None:
    """The service stays failed with 78, and says which."""
    set_variable(machine, "PORT=many")
    assert "PORT" in refused(machine)
    assert show(machine, "ExecMainStatus") == str(os.EX_CONFIG)
    assert show(machine, "NRestarts") == "0"


def test_logs_that_only_root_may_read(machine: Machine) -> None:
    """Health says that they cannot be read; with the drop-in that is among the examples, as its
    comment says, the service reads them, and still is no root.
    """
    put_logs(machine, 0o600, "root")
    machine.run("systemctl", "restart", "offspot-metrics")
    reasons = " ".join(machine.json("/health")["reasons"])
    assert "/var/log/caddy" in reasons, reasons
    machine.run("mkdir", "-p", str(Path(DROP_IN).parent))
    machine.run("cp", f"{EXAMPLES}/read-root-logs.conf", str(Path(DROP_IN).parent))
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "offspot-metrics")
    wait_until_counted(machine)
    status = machine.run("cat", f"/proc/{show(machine, 'MainPID')}/status").stdout
    assert "CapEff:\t0000000000000004" in status
    assert "\nUid:\t0\t" not in status
    put_logs(machine)


def test_without_a_zone_of_the_machine(machine: Machine) -> None:
    """No /etc/localtime and no zones in /usr/share: it serves in the zone that it is told."""
    machine.run("rm", "-rf", "/etc/localtime", "/usr/share/zoneinfo")
    set_variable(machine, "TZ=Africa/Bamako")
    machine.run("systemctl", "restart", "offspot-metrics")
    assert machine.json("/api/v1/status")["timezone"] == "Africa/Bamako"


@pytest.mark.skipif(not Path(FAKETIME).exists(), reason="libfaketime is not here")
def test_a_clock_of_1970(machine: Machine) -> None:
    """It starts, serves, loses nothing of what was counted, and says that the clock is wrong."""
    machine.write("/opt/faketime.so", Path(FAKETIME).read_bytes())
    change(
        machine,
        "Environment=LD_PRELOAD=/opt/faketime.so DONT_FAKE_MONOTONIC=1",
        'Environment="FAKETIME=@1970-01-01 00:02:00"',
        "MemoryDenyWriteExecute=no",
    )
    machine.run("systemctl", "restart", "offspot-metrics")
    status = machine.json("/api/v1/status")
    assert status["serverTime"] < 10_000
    assert status["lines"]["read"] > 10_000
    assert machine.json("/health/live")["ok"] is True
    shown = machine.run("offspot-metrics", "kpis", "--period", "2026-W24").stdout
    assert "Wikipedia for Schools" in shown
