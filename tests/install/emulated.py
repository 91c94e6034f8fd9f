"""A Debian for arm64 whose programs this processor emulates, with nothing changed on this machine.

In a user namespace of its own the kernel has a table of emulators (binfmt_misc) of its own, so that
everything in the root runs as on a Raspberry Pi: the shell, dpkg, the scripts of packages, Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.install.packages import ROOT, alone

ROOTS = ROOT / "build/roots"
MIRROR = "http://deb.debian.org/debian"
INSTALLED = "python3,systemd,systemd-sysv"
EMULATOR = "/usr/bin/qemu-aarch64-static"
# The start of an ELF file for this processor; F opens the emulator now, so that a root needs none.
EMULATED = (
    rf":aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:"
    rf"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:{EMULATOR}:F"
)
UNSHARE = ("unshare", "--user", "--mount", "--pid", "--fork", "--kill-child")
ENTER = r"""
read mapped
set -e
mount --make-rprivate /
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
printf %s "$1" > /proc/sys/fs/binfmt_misc/register
shift
exec "$@"
"""
CHROOT = r"""
set -e
root=$1
shift
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive "$@"
"""


class Emulated:
    """A copy of the clean root."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        subprocess.run(["cp", "-a", str(clean_root()), str(self.root)], check=True)

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """A command of root's in it, with its output in a pipe."""
        return enter("sh", "-c", CHROOT, "chroot", str(self.root), *command)

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The same, to its end."""
        return finished(self.start(*command), command, check=check)

    def install(self, *packages: Path) -> str:
        """Install package files, as a user does. What was printed."""
        for package in packages:
            shutil.copy(package, self.root / "root")
        names = [f"/root/{package.name}" for package in packages]
        return self.run("apt-get", "install", "--yes", *names).stdout


def enter(*command: str) -> subprocess.Popen[bytes]:
    """A command of a root that has every right in namespaces of its own, with the emulator."""
    process = subprocess.Popen(
        [*UNSHARE, "sh", "-c", ENTER, "enter", EMULATED, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    ours = Path("/proc/self/ns/user").readlink()
    while process.poll() is None and Path(f"/proc/{process.pid}/ns/user").readlink() == ours:
        pass  # it is about to leave it
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{process.pid}/{name}").write_text("0 0 65536\n")
    assert process.stdin
    process.stdin.write(b"mapped\n")
    process.stdin.close()
    process.stdin = None
    return process


def finished(
    process: subprocess.Popen[bytes], command: Sequence[str], *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """What it has printed, on both streams, when it has ended."""
    printed, _ = process.communicate()
    text = printed.decode("utf-8", "replace")
    assert not check or process.returncode == 0, (command, process.returncode, text)
    return subprocess.CompletedProcess(command, process.returncode, text)


def clean_root() -> Path:
    """A clean Debian 13 for arm64 with Python and systemd, made when it is not there yet."""
    root = ROOTS / "trixie-arm64"
    with alone("root-arm64"):
        if not root.is_dir():
            _make_root(root)
    return root


def _make_root(root: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("mmdebstrap") or not Path(EMULATOR).exists():
        pytest.skip("mmdebstrap, qemu-user-static, or root, is not here")
    partial = root.with_suffix(".partial")
    subprocess.run(["rm", "-rf", str(partial)], check=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    command = ["mmdebstrap", "--arch=arm64", "--variant=apt", f"--include={INSTALLED}"]
    command += ["--skip=cleanup/apt/lists", "trixie", str(partial), MIRROR]
    finished(enter(*command), command)
    partial.rename(root)
