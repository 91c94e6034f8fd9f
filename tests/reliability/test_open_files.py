"""E 9, E 10, S29: logs that cannot be opened, and more logs and clients than may be open."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.runtime.descriptors import divide
from lab.processes import missing_programs
from tests.reliability.serving import Serving
from tests.reliability.store_support import line
from tests.support.reading import FILEBEAT, READERS, ROOT

USER = 10001
HOSTS = 100
NOW = 1_781_431_200
AS_SOMEBODY = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--"]


def limited(number: int) -> list[str]:
    """A command under which a program may open so many files."""
    return ["prlimit", f"--nofile={number}:{number}", "--"]


def reading(reader: str) -> list[str]:
    """The options for a reader."""
    more = ["--filebeat", str(FILEBEAT)] if reader == "filebeat" else []
    return ["--reader", reader, *more]


def add(serve: Serving, host: int, first: int, count: int = 1) -> None:
    """Append lines to the log of one host."""
    path = serve.logs / f"caddy_access_logs-host{host:03d}.json"
    with path.open("ab", buffering=0) as log:
        for n in range(first, first + count):
            log.write(line(NOW + host + n / 1000, host * 1000 + n))


def nothing_lost(serve: Serving) -> None:
    """Nothing is said to be lost, and health is good."""
    assert serve.status()["loss"] == {"bytes": 0, "atLeast": False, "logs": 0}, serve.text()
    assert serve.status()["health"]["ok"], serve.status()["health"]


@pytest.mark.parametrize("number", [24, 32, 63])
def test_too_few_files(tmp_path: Path, number: int) -> None:
    """With fewer than the smallest budgets need it does not start, and says what to allow."""
    serve = Serving(tmp_path, under=limited(number)).begin()
    assert serve.process.wait(30) == 78, serve.text()
    assert f"{number} files and sockets may be open here, and 64 are needed" in serve.text()
    assert "LimitNOFILE=" in serve.text()
    assert "Traceback" not in serve.text()


def test_budgets() -> None:
    """S29: whatever the limit, connections and logs have their own share, and all fits into it."""
    for limit in (64, 100, 256, 1024, 1200, 4096, 1 << 20):
        share = divide(limit)
        assert share.logs >= 8
        assert share.connections >= 16
        assert 40 + share.logs + share.connections <= limit
    assert divide(1200) == (256, 904)
    assert divide(4096) == (256, 1000)


@pytest.mark.parametrize(
    ("limits", "share", "soft"),
    [
        ("1024:8192", (256, 1000), 4096),
        ("100:300", (65, 195), 300),
        ("8192:8192", (256, 1000), 8192),
    ],
)
def test_the_limit_is_raised_as_far_as_that_helps(
    limits: str, share: tuple[int, int], soft: int
) -> None:
    """Up to 4,096 where the hard limit allows it; one that is higher stays."""
    program = (
        "import resource; from engine.runtime.descriptors import share_out; "
        "print(*share_out(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run(
        ["prlimit", f"--nofile={limits}", "--", sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert tuple(map(int, done.stdout.split())) == (*share, soft)


@pytest.mark.parametrize("reader", READERS)
def test_more_logs_than_may_be_open(tmp_path: Path, reader: str) -> None:
    """E 10: with 64 descriptors and a log for each of 100 hosts, each line counts, also of logs
    that are rolled and deleted, and answers come at once.
    """
    with Serving(tmp_path, *reading(reader), under=limited(64)) as serve:
        for host in range(HOSTS):
            add(serve, host, 0, 2)
        serve.wait(serve.counted(2 * HOSTS))
        for host in reversed(range(HOSTS)):
            add(serve, host, 2)
        serve.wait(serve.counted(3 * HOSTS))
        began = time.monotonic()
        assert serve.get("/health")[0] == 200
        assert time.monotonic() - began < 1.0
        for host in range(0, HOSTS, 10):
            add(serve, host, 3)
            log = serve.logs / f"caddy_access_logs-host{host:03d}.json"
            roll = log.rename(log.with_name(f"caddy_access_logs-host{host:03d}-rolled.json"))
            add(serve, host, 4)
            serve.wait(serve.counted(3 * HOSTS + 2 * (host // 10 + 1)))
            roll.unlink()
        nothing_lost(serve)
        open_files = len(list(Path(f"/proc/{serve.process.pid}/fd").iterdir()))
        assert open_files < 64
        assert serve.stop()[0] == 0


def test_clients_leave_descriptors_for_logs(tmp_path: Path) -> None:
    """S29: with as many connections as may be and a limit of 1,200, rolls are read all the same."""
    with Serving(tmp_path, under=limited(1200)) as serve, contextlib.ExitStack() as clients:
        for _ in range(1100):  # the server accepts as many as it has room for
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", serve.port))
        for host in range(HOSTS):
            add(serve, host, 0, 2)
        wanted = 2 * HOSTS
        for roll in range(20):
            serve.add(3, at=NOW + 10_000, first=roll * 10)
            wanted += 3
            serve.log.rename(serve.logs / f"caddy_access_logs-{roll}.json")
        clients.close()
        serve.wait(serve.counted(wanted))
        nothing_lost(serve)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter (those of pytest are its user's own)."""
    missing = missing_programs("setpriv", "prlimit")
    if missing or os.geteuid():
        pytest.skip(f"only root can give up rights; not there: {missing}")
    made = Path(tempfile.mkdtemp(prefix="offspot-metrics-tests-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def as_somebody(folder: Path, reader: str) -> Serving:
    """`serve` of a user who may read only what all may, with a data folder of his own."""
    filebeat = str(shutil.copy2(FILEBEAT, folder / "filebeat"))
    options = ["--reader", reader, *(["--filebeat", filebeat] if reader == "filebeat" else [])]
    serve = Serving(folder, *options, under=AS_SOMEBODY, environment={"HOME": str(folder)})
    program = str(shutil.copy2(ROOT / "dist" / "offspot-metrics", folder / "offspot-metrics"))
    asked = serve.command.index("serve")
    serve.command = [*AS_SOMEBODY, program, *serve.command[asked:]]
    serve.database.parent.mkdir(exist_ok=True)
    os.chown(serve.database.parent, USER, USER)
    serve.logs.chmod(0o755)
    (folder / "packages.yml").chmod(0o644)
    return serve


def roll(serve: Serving, number: int, mode: int, count: int = 20) -> Path:
    """A log of the proxy, with so many lines, of these rights from its birth, then rolled."""
    serve.log.touch(mode)
    serve.add(count, at=NOW + number * 100, first=number * 100)
    return serve.log.rename(serve.logs / f"caddy_access_logs-{number}.json")


@pytest.mark.parametrize("reader", READERS)
def test_a_log_that_may_not_be_read(folder: Path, reader: str) -> None:
    """E 9: of a log of somebody else's that was deleted unread, its size is said, as at least."""
    with as_somebody(folder, reader) as serve:
        roll(serve, 1, 0o644)
        serve.wait(serve.counted(20))
        assert serve.status()["reader"]["kind"] == reader
        nothing_lost(serve)
        secret = roll(serve, 2, 0o600)
        size = secret.stat().st_size
        serve.wait(lambda: not serve.status()["health"]["ok"])
        [reason] = serve.status()["health"]["reasons"]
        assert "Permission denied" in reason
        secret.unlink()
        serve.wait(lambda: serve.status()["loss"]["logs"] == 1)
        assert serve.status()["loss"] == {"bytes": size, "atLeast": True, "logs": 1}
        assert f"{secret.name}: at least {size} bytes were lost" in serve.text()
        serve.wait(lambda: serve.status()["health"]["ok"])
        roll(serve, 3, 0o600).unlink()  # gone before anybody looks into the folder
        serve.wait(lambda: serve.status()["loss"]["logs"] == 2)
        assert serve.status()["lines"]["read"] == 20
        assert serve.stop()[0] == 0


def test_a_log_that_may_not_be_read_is_remembered(folder: Path) -> None:
    """E 9: what was seen and not read, and is deleted while the program is off, is said too."""
    with as_somebody(folder, "tail") as serve:
        roll(serve, 1, 0o644)
        serve.wait(serve.counted(20))
        secret = roll(serve, 2, 0o600)
        size = secret.stat().st_size
        serve.wait(lambda: not serve.status()["health"]["ok"])
        assert serve.stop()[0] == 0
    with as_somebody(folder, "tail") as serve:  # it is still there: nothing is lost yet
        serve.wait(lambda: not serve.status()["health"]["ok"])
        assert serve.status()["loss"]["logs"] == 0
        assert serve.stop()[0] == 0
    secret.unlink()
    with as_somebody(folder, "tail") as serve:
        serve.wait(lambda: serve.status()["loss"]["logs"] == 1)
        assert serve.status()["loss"] == {"bytes": size, "atLeast": True, "logs": 1}
        assert serve.stop()[0] == 0
    with as_somebody(folder, "tail") as serve:
        serve.wait(serve.counted(20))
        assert serve.status()["loss"]["logs"] == 1, "it is said once"


WITHOUT_WATCHES = [
    *("unshare", "--user", "--map-root-user", "sh", "-c"),
    'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"',
    "sh",
]


@pytest.mark.parametrize("reader", READERS)
def test_without_a_watch(tmp_path: Path, reader: str) -> None:
    """S26: where the system gives no events, the folder is looked into each second, and it is said
    once; logs that are rolled meanwhile count.
    """
    if missing_programs("unshare"):
        pytest.skip("unshare is not there")
    with Serving(tmp_path, *reading(reader), under=WITHOUT_WATCHES) as serve:
        wanted = 0
        for number in range(3):
            serve.add(10, at=NOW, first=number * 10)
            wanted += 10
            serve.wait(serve.counted(wanted))
            serve.log.rename(serve.logs / f"caddy_access_logs-{number}.json")
        assert serve.text().count("cannot be watched") == 1
        assert "max_user_instances" in serve.text()
        nothing_lost(serve)
        assert serve.stop()[0] == 0
