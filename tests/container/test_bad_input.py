"""A container that cannot do its work says why and what to do, and no traceback reaches anybody."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.containers import CAPABILITIES, Container
from lab.images import Image
from tests.reliability.store_support import HOUR, line

pytestmark = [pytest.mark.full, pytest.mark.timeout(400)]

SOMEBODY = 1000
ENVIRONMENT = {"REVERSE_PROXY_LOGS_LOCATION": "/logs", "PORT": "80"}
LOG = "caddy_access_logs.json"
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


@pytest.fixture
def make(tmp_path: Path, unpacked: Callable[[str], Image]) -> Callable[..., Container]:
    """Makes a container over a data folder and a folder of logs, each with an owner."""

    def container(
        *,
        data_of: int = 0,
        data_mode: int = 0o755,
        log_of: int = 0,
        data: str = "rw",
        mounts: Mapping[str, tuple[Path, str]] | None = None,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Container:
        for name, mode, owner in (("data", data_mode, data_of), ("logs", 0o700, log_of)):
            (tmp_path / name).mkdir(mode=mode)
            os.chown(tmp_path / name, owner, owner)
        log = tmp_path / "logs" / LOG
        log.touch(mode=0o600)
        os.chown(log, log_of, log_of)
        packages = tmp_path / "packages.yml"
        packages.write_text('packages:\n- {kind: app, title: Maps, url: "//maps.box/"}\n')
        places = {
            "/logs": (tmp_path / "logs", "ro"),
            "/conf/packages.yml": (packages, "ro"),
            **(mounts or {}),
        }
        if data:
            places["/data"] = (tmp_path / "data", data)
        settings = ENVIRONMENT | dict(environment or {})
        return Container(unpacked("amd64"), tmp_path / "run", places, settings, **options)

    return container


REFUSED: dict[str, tuple[dict[str, Any], int, list[str]]] = {
    "a low port without the right": (
        {"user": SOMEBODY, "data_of": SOMEBODY},
        1,
        ["cannot listen on 0.0.0.0:80: Permission denied", "choose a higher one", "PORT"],
    ),
    "a data folder of another user": (
        {"user": SOMEBODY},
        74,
        ["/data/metrics.db cannot be written: Permission denied", f"chown {SOMEBODY} /data"],
    ),
    "a data folder that only another user may enter": (
        {"user": SOMEBODY, "data_mode": 0o700},
        77,
        ["/data/metrics.db may not be opened", "run as the user that owns it"],
    ),
    "no data folder in a read-only root": (
        {"data": ""},
        74,
        ["cannot be written: Read-only file system", "mount a folder that may be written at /data"],
    ),
    "a read-only data folder": (
        {"data": "ro"},
        74,
        ["cannot be written: Read-only file system", "mount a folder that may be written at /data"],
    ),
    "a zone that does not exist": (
        {"environment": {"TZ": "Mars/Phobos"}},
        78,
        ["'Mars/Phobos' is not known", "Africa/Bamako"],
    ),
    "threads refused by an old seccomp profile": (
        {"refused": {"clone3": errno.EPERM}},
        70,
        ["cannot be started", "the container engine is too old", "seccomp=unconfined"],
    ),
    "syncs refused by a seccomp profile": (
        {"refused": {"fdatasync": errno.EPERM}},
        74,
        ["disk I/O error", "try doctor"],
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_stands_in_the_way_is_named_with_a_way_out(
    make: Callable[..., Container], tmp_path: Path, what: str
) -> None:
    """It ends with the code of what is wrong, a message and a hint."""
    options, code, texts = REFUSED[what]
    with make(**options) as container:
        assert container.wait(60) == code, container.text
        for text in texts:
            assert text in " ".join(container.text.split()), container.text
        assert "Traceback" not in container.text
    if code in (74, 77, 78):  # before there was a database to open
        assert not list((tmp_path / "data").glob("*.db"))


OLD_PROFILE = dict.fromkeys(
    (
        *("close_range", "copy_file_range", "epoll_pwait2", "faccessat2", "futex_waitv"),
        *("getrandom", "inotify_init1", "membarrier", "memfd_create", "openat2", "pidfd_open"),
        *("rseq", "statx"),
    ),
    errno.EPERM,
)
"""System calls that profiles of older engines do not know, and refuse as forbidden."""
PROFILES = {
    "older than the calls": OLD_PROFILE,
    "without waiting for signals": {"rt_sigtimedwait": errno.EPERM},
}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_no_obstacle_where_there_is_another_way(
    make: Callable[..., Container], tmp_path: Path, profile: str
) -> None:
    """With every call refused that is newer than the engine, or the one by which process 1 waits
    for signals, it counts and ends all the same.
    """
    with make(refused=PROFILES[profile]) as container:
        container.wait_for(lambda: container.answers("/health/ready"), "the start")
        with (tmp_path / "logs" / LOG).open("ab") as log:
            log.write(line(HOUR, 1))
        container.wait_for(
            lambda: container.api("/api/v1/status")["lines"]["read"] == 1, "the line"
        )
        assert container.stop() == 0
        assert "Traceback" not in container.text


def test_a_folder_of_logs_that_only_root_may_enter(make: Callable[..., Container]) -> None:
    """As another user it serves and says what it may not read; doctor has the way out."""
    settings = {"PORT": "8080"}
    with make(user=SOMEBODY, data_of=SOMEBODY, environment=settings) as container:
        container.wait_for(lambda: "Dashboard:" in container.text, "the start")
        container.wait_for(lambda: "log folder /logs: Permission denied" in container.text, "log")
        assert "/logs is of root:root, mode 0700; this is user 1000" in container.text
        assert "cap_add DAC_READ_SEARCH" in container.text
        done = container.run("doctor")
        assert "DAC_READ_SEARCH" in " ".join(done.stdout.split()), done.stdout + done.stderr
        assert "Traceback" not in container.text + done.stdout + done.stderr


def test_logs_of_another_user_need_the_right(make: Callable[..., Container]) -> None:
    """Root without capabilities may read root's files only: status and doctor say what to add."""
    with make(log_of=SOMEBODY) as container:
        container.wait_for(lambda: container.answers("/health/ready"), "the start")
        status = container.api("/api/v1/status")
        assert "/logs: Permission denied" in str(status), status
        assert "cap_add DAC_READ_SEARCH" in " ".join(container.run("doctor").stdout.split())


def test_logs_of_another_user_are_read_with_it(make: Callable[..., Container]) -> None:
    """With the right to read every file it does not matter whose the log is."""
    with make(log_of=SOMEBODY, capabilities=(*CAPABILITIES, "CAP_DAC_READ_SEARCH")) as container:
        container.wait_for(lambda: container.answers("/health/ready"), "the start")
        status = container.api("/api/v1/status")
        assert "Permission denied" not in str(status)
        assert status["reader"]["files"] == 1


def test_the_zone_needs_no_file_of_the_system(make: Callable[..., Container]) -> None:
    """There is no /etc/localtime and no zoneinfo in the image: zones come with the program."""
    with make(environment={"TZ": "Africa/Nairobi"}) as container:
        assert not (container.image.root / "etc/localtime").exists()
        assert not (container.image.root / "usr/share/zoneinfo").exists()
        container.wait_for(lambda: container.answers("/health/ready"), "the start")
        assert container.api("/api/v1/status")["timezone"] == "Africa/Nairobi"


def test_a_clock_of_1970(make: Callable[..., Container]) -> None:
    """It starts under a clock that was never set, and says that the time cannot be right."""
    if not FAKETIME.exists():
        pytest.fail("faketime is not there; `make test` installs it")
    settings = {
        "LD_PRELOAD": "/faketime.so",
        "FAKETIME": "1970-01-01 00:00:30",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with make(environment=settings, mounts={"/faketime.so": (FAKETIME, "ro")}) as container:
        container.wait_for(lambda: container.answers("/health/ready"), "the start")
        assert container.api("/api/v1/status")["serverTime"] < 86_400
        assert "clock-impossible" in str(container.api("/health"))
        assert "Traceback" not in container.text
