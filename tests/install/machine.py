"""A Debian that boots: systemd as process 1 in namespaces of its own, over a clean root.

Clean roots are made once by mmdebstrap, with systemd, and with the packages that Python needs in
the cache of apt, so that nothing is fetched after that. What a test changes is in a layer over
them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.install.packages import ROOT, alone

ROOTS = ROOT / "build/roots"
MIRROR = "http://deb.debian.org/debian"
CACHED = "python3 man-db"
"""What the tests install besides our packages."""
BOOT_SECONDS = 60.0
COMMAND_SECONDS = 240.0

# The layer is a file system of its own, so that it can be a full one.
BOOT = r"""
set -e
layers=$1 root=$2 size=$3
mount --make-rprivate /
if [ -n "$size" ]; then mount -t tmpfs -o "size=$size" tmpfs "$layers"; fi
mkdir -p "$layers/upper" "$layers/work" "$layers/root"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$layers/upper,workdir=$layers/work" \
    "$layers/root"
cd "$layers/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
    touch "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/pts dev/shm
mount -t tmpfs tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ip link set lo up
mkdir -p mnt
pivot_root . mnt
umount -l /mnt
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system \
    --log-target=null --show-status=0 systemd.unit=multi-user.target
"""
GET = """
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}{sys.argv[2]}", timeout=20)
except urllib.error.HTTPError as error:
    answer = error
except OSError as error:
    sys.exit(str(error))
sys.stdout.buffer.write(answer.read())
"""


def clean_root(suite: str) -> Path:
    """A clean Debian of this suite, made when it is not there yet. Skips where it cannot be."""
    root = ROOTS / suite
    with alone(f"root-{suite}"):
        if not root.is_dir():
            _make_root(suite, root)
    return root


def _make_root(suite: str, root: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("mmdebstrap"):
        pytest.skip("mmdebstrap, or root, is not here")
    partial = ROOTS / f"{suite}.partial"
    subprocess.run(["rm", "-rf", str(partial)], check=True)
    ROOTS.mkdir(parents=True, exist_ok=True)
    fetch = f'chroot "$1" apt-get install --yes --no-install-recommends --download-only {CACHED}'
    command = ["mmdebstrap", "--variant=apt", "--include=systemd,systemd-sysv"]
    command += ["--skip=cleanup/apt/lists,cleanup/apt/cache", f"--customize-hook={fetch}"]
    done = subprocess.run(
        [*command, suite, str(partial), MIRROR], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    partial.rename(root)


def own_group() -> Path:
    """A cgroup for one machine, in the hierarchy of version 2. Skips where there is none."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _what, where, kind, *_ = line.split()
        if kind == "cgroup2" and os.access(where, os.W_OK):
            group = Path(where, f"offspot-metrics-{os.getpid()}-{time.monotonic_ns()}")
            group.mkdir()
            return group
    pytest.skip("cgroup2 cannot be mounted here")


class Machine:
    """Running between __enter__ and __exit__. `size`: of all that is changed in it."""

    def __init__(self, suite: str, folder: Path, size: str = "") -> None:
        self._root = clean_root(suite)
        self._layers = folder / "layers"
        self._size = size
        self._init = 0

    def __enter__(self) -> Self:
        self._layers.mkdir(parents=True)
        self._group = own_group()
        spaces = ["--mount", "--pid", "--ipc", "--uts", "--net", "--cgroup", "--fork"]
        command = ["unshare", *spaces, "--kill-child", "sh", "-c", BOOT, "boot"]
        command += [str(self._layers), str(self._root), self._size]
        join = f'echo $$ > {self._group}/cgroup.procs; exec "$@"'
        self._process = subprocess.Popen(
            ["sh", "-c", join, "join", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            self._wait_until_booted()
        except BaseException:
            self._end()
            raise
        return self

    def _wait_until_booted(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        while True:
            if self._process.poll() is not None:
                assert self._process.stderr
                pytest.skip(f"a root cannot be mounted here: {self._process.stderr.read()!r}")
            assert time.monotonic() < deadline, "systemd does not start"
            self._init = int((children.read_text() or "0").split()[0])
            comm = Path(f"/proc/{self._init}/comm")
            if self._init and comm.exists() and comm.read_text() == "systemd\n":
                state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
                if state in {"running", "degraded"}:
                    return
            time.sleep(0.1)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._process.send_signal(signal.SIGKILL)  # process 1 ends with it, and all with that
        self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()
        deadline = time.monotonic() + 20
        while "populated 1" in (self._group / "cgroup.events").read_text():
            assert time.monotonic() < deadline, "processes of the machine go on"
            time.sleep(0.05)
        for folder, _, _ in os.walk(self._group, topdown=False):
            Path(folder).rmdir()
        subprocess.run(["rm", "-rf", str(self._layers)], check=True)

    # What is done in it

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command of root's, to its end."""
        enter = ["nsenter", f"--target={self._init}", "--all", "env", "-i", "LC_ALL=C.UTF-8"]
        variables = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"]
        done = subprocess.run(
            [*enter, *variables, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )
        if check:
            assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done

    def write(self, path: str, content: bytes | str, mode: int = 0o644) -> None:
        """A file, with the folders that it is in."""
        data = content.encode() if isinstance(content, str) else content
        enter = ["nsenter", f"--target={self._init}", "--all", "sh", "-c"]
        script = f'mkdir -p "$(dirname {path})"; cat > {path}; chmod {mode:o} {path}'
        subprocess.run([*enter, script], input=data, check=True)

    def apt(self, action: str, *names: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """apt-get, of what is in its cache."""
        options = ["--yes", "--no-install-recommends", "--allow-downgrades"]
        return self.run("apt-get", action, *options, *names, check=check)

    def install(self, *packages: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Install package files, as a user does."""
        for package in packages:
            self.write(f"/root/{package.name}", package.read_bytes())
        names = [f"/root/{package.name}" for package in packages]
        return self.apt("install", *names, check=check)

    def get(self, path: str, port: int = 8000) -> bytes:
        """What the dashboard answers; nothing when it does not."""
        done = self.run("python3", "-c", GET, str(port), path, check=False)
        return done.stdout.encode()

    def json(self, path: str, port: int = 8000) -> Any:
        """The JSON that the dashboard answers."""
        return json.loads(self.get(path, port) or b"{}")

    def wait(self, what: str, *command: str, seconds: float = 60.0) -> None:
        """Until a command succeeds."""
        deadline = time.monotonic() + seconds
        while self.run(*command, check=False).returncode != 0:
            assert time.monotonic() < deadline, (what, self.log())
            time.sleep(0.2)

    def log(self) -> str:
        """What the service has logged."""
        return self.run("journalctl", "--unit=offspot-metrics", "--no-pager").stdout

    def files(self) -> set[str]:
        """All files, folders and links that are not of the running system or of apt."""
        found = self.run("find", "/", "-xdev", "-print").stdout.splitlines()
        passing = ("/var/cache/", "/var/lib/apt/", "/var/log/", "/var/lib/dpkg/", "/root/", "/tmp/")
        return {path for path in found if not path.startswith(passing)}
