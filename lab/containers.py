"""Runs an image as Docker 20.10 would, by crun: its capabilities, masked paths and system calls.

Each container has a network of its own, whose other end is an address of this machine that only it
can reach.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import resource
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from lab.browser import Browser
from lab.images import Image
from lab.processes import Child, wait_until

CAPABILITIES = (
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW"),
    *("CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE"),
    *("CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"),
)
MASKED = [
    *(f"/proc/{name}" for name in ("asound", "acpi", "kcore", "keys", "latency_stats", "scsi")),
    *(f"/proc/{name}" for name in ("timer_list", "timer_stats", "sched_debug")),
    "/sys/firmware",
]
READ_ONLY = [f"/proc/{name}" for name in ("bus", "fs", "irq", "sys", "sysrq-trigger")]
SECCOMP = Path("/usr/share/containers/seccomp.json")
_SAFE = ["nosuid", "noexec", "nodev"]
_MOUNTS: list[dict[str, Any]] = [
    {"destination": "/proc", "type": "proc", "source": "proc", "options": _SAFE},
    {
        "destination": "/dev",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
        "destination": "/dev/shm",  # noqa: S108 (in the container)
        "type": "tmpfs",
        "source": "shm",
        "options": [*_SAFE, "mode=1777", "size=65536k"],
    },
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*_SAFE, "ro"]},
]
_numbers = itertools.count(1)


@dataclass
class Container:
    """One run of an image, between __enter__ and __exit__."""

    image: Image
    folder: Path
    mounts: Mapping[str, tuple[Path, str]] = field(default_factory=dict)
    """Path in the container -> path here, and `ro` or `rw`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: Sequence[str] | None = None
    """In place of the image's command, after its entry point."""
    user: int = 0
    capabilities: Sequence[str] = CAPABILITIES
    read_only: bool = True
    refused: Mapping[str, int] = field(default_factory=dict)
    """System calls that the profile refuses, with the error number."""
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        number = next(_numbers)
        self.name = f"offspot-metrics-{os.getpid()}-{number}"
        self._link = f"om{os.getpid() % 100000}-{number}"
        self._network = f"10.{os.getpid() % 200 + 20}.{number % 250}"
        self.address = f"{self._network}.2"
        self.output = self.folder / "container.out"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.remove()

    def start(self) -> None:
        """Start it, also once more after it ended."""
        self.remove()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.json").write_text(json.dumps(self._specification()))
        self._make_network()
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *_WITHOUT_CGROUP_2,
                    _CGROUP_2,
                    *_CRUN,
                    "run",
                    "--bundle",
                    str(self.folder),
                    self.name,
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def remove(self) -> None:
        """Kill what runs, and take its network away."""
        _quietly(*_CRUN, "delete", "--force", self.name)
        if self._process is not None:
            self._process.wait(30)
            self._process = None
        _quietly("ip", "link", "delete", self._link)  # the kernel would do it, but later
        _quietly("ip", "netns", "delete", self.name)

    def kill(self) -> None:
        """SIGKILL to its first process, as a power cut."""
        subprocess.run([*_CRUN, "kill", self.name, "KILL"], check=True)
        self.wait()

    def stop(self) -> int:
        """SIGTERM, as `docker stop`; the exit code."""
        subprocess.run([*_CRUN, "kill", self.name, "TERM"], check=True)
        return self.wait()

    def wait(self, seconds: float = 60.0) -> int:
        """The exit code."""
        assert self._process is not None
        return self._process.wait(seconds)

    def wait_for(self, condition: Any, what: str, seconds: float = 60.0) -> None:
        assert self._process is not None
        wait_until(condition, what, seconds, Child(self._process, self.output), 0.1)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another process of the program in the running container, as `docker exec`."""
        entry = self.image.config["config"]["Entrypoint"]
        command = [*_CRUN, "exec", f"--user={self.user}", self.name, *entry, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    @property
    def text(self) -> str:
        """All that it printed."""
        return self.output.read_text("utf-8", "replace") if self.output.exists() else ""

    @property
    def pids(self) -> list[int]:
        """Its processes, by their numbers here."""
        state = subprocess.run(
            [*_CRUN, "state", self.name], capture_output=True, text=True, check=True
        )
        found = [int(json.loads(state.stdout)["pid"])]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, children.read_text().split())
        return found

    def api(self, path: str, host: str = "localhost") -> Any:
        """The JSON of a response, whatever its status."""
        with Browser((self.address, 80), source=f"{self._network}.1") as browser:
            return json.loads(browser.get(host, path).body)

    def answers(self, path: str, status: int = 200) -> bool:
        """Whether it answers with this status now."""
        try:
            with Browser((self.address, 80), source=f"{self._network}.1") as browser:
                return browser.get("localhost", path).status == status
        except OSError:
            return False

    def _make_network(self) -> None:
        inner = ["ip", "-netns", self.name]
        for command in (
            ["ip", "netns", "add", self.name],
            ["ip", "link", "add", self._link, "type", "veth", "peer", "eth0", "netns", self.name],
            ["ip", "address", "add", f"{self._network}.1/24", "dev", self._link],
            ["ip", "link", "set", self._link, "up"],
            [*inner, "link", "set", "lo", "up"],
            [*inner, "address", "add", f"{self.address}/24", "dev", "eth0"],
            [*inner, "link", "set", "eth0", "up"],
            [*inner, "route", "add", "default", "via", f"{self._network}.1"],
        ):
            subprocess.run(command, check=True, capture_output=True)

    def _specification(self) -> dict[str, Any]:
        entry = self.image.config["config"]["Entrypoint"]
        args = self.image.command if self.arguments is None else [*entry, *self.arguments]
        environment = self.image.environment | {"HOSTNAME": "metrics"} | dict(self.environment)
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        # Docker gives a user who is not root no effective capability.
        has = list(self.capabilities) if self.user == 0 else []
        sets = {"bounding": list(self.capabilities), "effective": has, "permitted": has}
        return {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": self.user, "gid": self.user},
                "args": args,
                "env": [f"{name}={value}" for name, value in environment.items()],
                "cwd": "/",
                "capabilities": {**sets, "inheritable": [], "ambient": []},
                "rlimits": [{"type": "RLIMIT_NOFILE", "hard": files, "soft": files}],
                "noNewPrivileges": False,
            },
            "root": {"path": str(self.image.root), "readonly": self.read_only},
            "hostname": "metrics",
            "mounts": [*_MOUNTS, *self._binds()],
            "linux": {
                "namespaces": [
                    *({"type": kind} for kind in ("pid", "ipc", "uts", "mount")),
                    {"type": "network", "path": f"/run/netns/{self.name}"},
                ],
                "maskedPaths": MASKED,
                "readonlyPaths": READ_ONLY,
                "seccomp": seccomp(self.capabilities, self.refused),
            },
        }

    def _binds(self) -> list[dict[str, Any]]:
        return [
            {
                "destination": target,
                "type": "bind",
                "source": str(source),
                "options": ["rbind", "rprivate", mode],
            }
            for target, (source, mode) in self.mounts.items()
        ]


def seccomp(capabilities: Sequence[str], refused: Mapping[str, int]) -> dict[str, Any]:
    """The default profile of the container engines for these capabilities, less what is refused."""
    profile = json.loads(SECCOMP.read_text())
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    rules: list[dict[str, Any]] = []
    for rule in profile["syscalls"]:
        needs, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
        applies = all(one in capabilities for one in needs.get("caps") or [])
        applies &= machine in (needs.get("arches") or [machine])
        applies &= not any(one in capabilities for one in excludes.get("caps") or [])
        applies &= machine not in (excludes.get("arches") or [])
        names = [name for name in rule["names"] if name not in refused]
        if applies and names and rule["action"] == "SCMP_ACT_ALLOW":
            rules.append({"names": names, "action": rule["action"], "args": rule.get("args") or []})
    for name, code in refused.items():
        rules.append({"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": code})
    return {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": rules}


_CRUN = ("crun", "--cgroup-manager=disabled")
# crun refuses to run where both versions of cgroups are mounted, though it is to use none.
_WITHOUT_CGROUP_2 = ("unshare", "--mount", "sh", "-c", 'umount -l "$0" 2>/dev/null; exec "$@"')
_CGROUP_2 = "/sys/fs/cgroup/unified"


def _quietly(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=False)
