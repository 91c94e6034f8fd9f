"""What the program needs of the system, by taking away all else (S21)."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lab.processes import missing_programs
from tests.security.cases import FILEBEAT, NOON, SECONDS, Serve, descendants, line
from tests.support.archive import PROGRAM

USER = 10001
DROPPED = [
    *("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"),
    *("--bounding-set=-all", "--inh-caps=-all", "--"),
]
ROOT_IS_READ_ONLY = """
set -e
mount --make-rprivate /
for at in $(cut -d' ' -f5 /proc/self/mountinfo); do
    mount -o remount,bind,ro "$at" 2>/dev/null || true
done
mount --bind "$1" "$1"
mount -o remount,bind,rw "$1"
shift
if touch /not-writable 2>/dev/null; then exit 99; fi
exec "$@"
"""
WRITES = re.compile(
    r"\b(?:open|openat|creat|mkdir|mkdirat|unlink|unlinkat|rename|renameat2?|link|linkat|symlink\w*"
    r'|chmod|fchmodat|chown|truncate)\((?:AT_FDCWD, )?"([^"]+)"(.*)'
)
OPENS = re.compile(r"\bopen(?:at)?\(")
CONNECTS = re.compile(r"connect\(\d+, \{(?!sa_family=AF_UNIX, sun_path=\"/var/run/nscd/socket\")")
"""A connection, but to the cache of user names that the C library asks, in any program."""


class Lowly(Serve):
    """`serve` started by way of another program that takes rights away."""

    def __init__(self, folder: Path, before: Sequence[str], *, reader: str = "filebeat") -> None:
        super().__init__(folder, reader=reader)
        program = shutil.copy2(PROGRAM, folder / "offspot-metrics")
        filebeat = shutil.copy2(FILEBEAT, folder / "filebeat")
        names = {str(PROGRAM): str(program), str(FILEBEAT): str(filebeat)}
        self._command = [*before, *(names.get(word, word) for word in self._command)]
        self.log.write_bytes(b"".join(line(at=NOON + n) for n in range(5)))
        os.chown(self.data, USER, USER)
        self.data.chmod(0o700)
        for path in (folder, self.logs):
            path.chmod(0o755)
        for path in (self.log, self.packages):
            path.chmod(0o644)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that every user may enter (those of pytest are its user's own)."""
    missing = missing_programs("setpriv", "unshare", "strace")
    if missing or os.geteuid():
        pytest.skip(f"only root can give up rights; not there: {missing}")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    made = Path(tempfile.mkdtemp(prefix="offspot-metrics-tests-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def field(pid: int, name: str) -> str:
    """A field of the status of a process."""
    found = re.search(rf"^{name}:\s+(.*)$", Path(f"/proc/{pid}/status").read_text(), re.M)
    assert found
    return found[1]


def counts_all(serve: Serve) -> None:
    """It reads what is there and what comes, saves it, and stops gracefully."""
    serve.wait_for_lines(5)
    with serve.log.open("ab") as log:
        log.write(line(at=NOON + 60))
    serve.wait_for(lambda: serve.lines["counted"] == 6, "another line", SECONDS)
    assert serve.status["health"]["ok"]


def test_it_runs_as_anybody_without_any_privilege(folder: Path) -> None:
    """S21: another user, no capability, none to gain, logs of root read only; so is Filebeat."""
    with Lowly(folder, DROPPED) as serve:
        counts_all(serve)
        for pid in descendants(serve.pid):
            assert field(pid, "Uid").split() == [str(USER)] * 4
            assert field(pid, "NoNewPrivs") == "1"
            assert {int(field(pid, f"Cap{kind}"), 16) for kind in ("Inh", "Prm", "Eff", "Bnd")} == {
                0
            }
        assert len(descendants(serve.pid)) >= 2, "Filebeat runs"
        assert serve.stop() == 0
    for path in serve.data.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    assert [path.name for path in serve.logs.iterdir()] == [serve.log.name], "nothing is put there"


def test_only_the_data_folder_need_be_writable(folder: Path) -> None:
    """S21: with every file system read only but the data folder, it counts, saves and stops."""
    data = str(folder / "data")
    before = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    before += ["sh", "-c", ROOT_IS_READ_ONLY, "sh", data, *DROPPED]
    with Lowly(folder, before, reader="filebeat") as serve:
        counts_all(serve)
        assert serve.status["reader"]["kind"] == "filebeat"
        ours = [pid for pid in descendants(serve.pid) if _is_ours(pid)]
        [inner] = [pid for pid in ours if field(pid, "NSpid").split()[-1] == "1"]
        assert len(ours) == 2, "process 1, and the child that does the work"
        os.kill(inner, 15)
        assert serve._process is not None
        assert serve._process.wait(30) == 0
    with Serve(folder) as again:
        assert again.lines["counted"] == 6
        assert again.stop() == 0


def _is_ours(pid: int) -> bool:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return b"serve" in words and words[0].rpartition(b"/")[2].startswith(b"python")


def _harmless(path: str, data: str) -> bool:
    return path.startswith((data, "/dev/null", "/proc/self")) or "offspot-metrics-" in path


@pytest.mark.parametrize("reader", ["filebeat", "tail"])
def test_it_writes_nowhere_else_and_calls_nobody(folder: Path, reader: str) -> None:
    """S21: of all it opens for writing, makes or removes, nothing lies elsewhere; no connection."""
    trace = folder / "trace"
    calls = "trace=%file,connect"
    before = ["strace", "-f", "--seccomp-bpf", "-qq", "-s", "300"]
    before += ["-e", calls, "-o", str(trace), "--"]
    with Lowly(folder, before, reader=reader) as serve:
        counts_all(serve)
        [inner] = [pid for pid in descendants(serve.pid) if _is_ours(pid)]
        os.kill(inner, 15)
        assert serve._process is not None
        assert serve._process.wait(60) == 0
    elsewhere = set()
    seen = 0
    for call in trace.read_text(errors="replace").splitlines():
        assert not CONNECTS.search(call), call
        found = WRITES.search(call)
        if found is None or (OPENS.search(call) and not re.search("O_WRONLY|O_RDWR|O_CREAT", call)):
            continue
        seen += 1
        if not _harmless(found[1], str(serve.data)) and " = -1 " not in call:
            elsewhere.add(call)
    assert seen > 3
    assert elsewhere == set()


def test_a_folder_that_may_not_be_written_is_said(folder: Path) -> None:
    """S21: a data folder of somebody else is an error at once, with a way out."""
    serve = Lowly(folder, DROPPED, reader="tail")
    os.chown(serve.data, 0, 0)
    done = subprocess.run(serve._command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in {74, 77}
    assert "Traceback" not in done.stderr
    assert "\n  try: " in done.stderr
