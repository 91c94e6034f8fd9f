"""Filebeat as a child process: started, its output cut into events, stopped properly.

In: a program, a folder with a pattern. Out: events: (path, offset, lines that follow each other).
It must not be believed: what an event says is held against the file itself by the reader, and
what Filebeat drops, repeats or mixes up is put right there (`engine/runtime/reader.py`).
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

from engine.errors import ReaderUnavailable

STOP_SECONDS: Final = 3.0
MAX_EVENT_BYTES: Final = 4 * 1024 * 1024
"""More output than this without a newline is no event: filebeat.yml cuts lines at half of it."""
MAX_COMPLAINT_BYTES: Final = 4096

_EVENT = re.compile(rb"([0-9]{1,18})\t([^\t\n]*)\t([^\n]*\n)")
# Started by way of this: should we die, however suddenly, the kernel ends Filebeat.
_WITH_US = (
    "import ctypes,os,signal,sys;"
    "ctypes.CDLL(None).prctl(1,signal.SIGKILL);"
    "os.getppid()==int(sys.argv[1]) or sys.exit(1);"
    "os.execv(sys.argv[2],sys.argv[2:])"
)


class Event(NamedTuple):
    """Lines that follow each other in one file: `data` begins at `offset`."""

    path: str
    offset: int
    data: bytes


def find_filebeat(wish: str) -> str | None:
    """The Filebeat program: the one wished for, else beside this program, else in PATH."""
    if wish:
        return shutil.which(wish)
    here = Path(sys.argv[0]).resolve().parent
    for candidate in (here / "filebeat", here.parent / "build" / "filebeat"):
        if os.access(candidate, os.X_OK) and candidate.is_file():
            return str(candidate)
    return shutil.which("filebeat")


def require_filebeat(wish: str) -> str:
    """The Filebeat program. Raises ReaderUnavailable when there is none."""
    found = find_filebeat(wish)
    if found is None:
        raise ReaderUnavailable(
            f"Filebeat is not there: {wish}" if wish else "Filebeat was not found",
            "build it with make filebeat and name it with --filebeat, or use --reader tail",
        )
    return found


class Filebeat:
    """One running Filebeat. Everything of it lives in a folder that goes with it."""

    def __init__(self, program: str, folder: Path, pattern: str, base: Path) -> None:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        end_leftovers(base)
        self.home = Path(tempfile.mkdtemp(prefix="filebeat-", dir=base))
        config = self.home / "filebeat.yml"
        config.write_bytes(_configuration())
        config.chmod(0o600)
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "OFFSPOT_METRICS_LOGS": _quoted_glob(folder, pattern),
        }
        paths = [f"--path.{name}={self.home}" for name in ("home", "config", "data", "logs")]
        command = [program, "-c", str(config), *paths]
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _WITH_US, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            shutil.rmtree(self.home, ignore_errors=True)
            raise ReaderUnavailable(
                f"Filebeat {program} cannot be run: {error.strerror}"
            ) from error
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.output = self.process.stdout.fileno()
        self.errors = self.process.stderr.fileno()
        os.set_blocking(self.output, False)
        os.set_blocking(self.errors, False)
        self._begun: list[bytes] = []
        self._begun_bytes = 0
        self._said = b""
        self.rubbish = 0
        """Bytes of output that were no event."""

    def read_events(self) -> list[Event] | None:
        """The events that have come; None when the output has ended."""
        try:
            data = os.read(self.output, 1024 * 1024)
        except BlockingIOError:
            return []
        if not data:
            return None
        cut = data.rfind(b"\n") + 1
        if not cut:
            self._begun.append(data)
            self._begun_bytes += len(data)
            if self._begun_bytes > MAX_EVENT_BYTES:
                self.rubbish += self._begun_bytes
                self._begun, self._begun_bytes = [], 0
            return []
        whole = b"".join([*self._begun, data[:cut]])
        self._begun, self._begun_bytes = [data[cut:]], len(data) - cut
        events, rubbish = events_in(whole)
        self.rubbish += rubbish
        return events

    def read_complaints(self) -> bool:
        """Take what came on standard error; False when that has ended."""
        try:
            data = os.read(self.errors, 64 * 1024)
        except BlockingIOError:
            return True
        self._said = (self._said + data)[-MAX_COMPLAINT_BYTES:]
        return bool(data)

    def complaint(self) -> str:
        """The last thing that Filebeat said on standard error."""
        self.read_complaints()
        said = [line for line in self._said.decode("utf-8", "replace").split("\n") if line.strip()]
        return said[-1][:300] if said else ""

    def open_files(self) -> list[Path]:
        """Links to the files that it has open, deleted ones too."""
        try:
            return list(Path(f"/proc/{self.process.pid}/fd").iterdir())
        except OSError:
            return []

    def interrupt(self) -> None:
        """Ask it to end, and do not wait."""
        self._signal(signal.SIGINT)

    def stop(self, seconds: float = 0.0) -> int | None:
        """Make it end, by force after so many seconds; nothing of it stays. Its exit code."""
        if seconds > 0:
            self.interrupt()
            ends = select.poll()
            ends.register(self.output, 0)  # no event but that all have closed the other side
            ends.poll(seconds * 1000)
        # Not reaped yet, so its number and its group are still its own.
        self._signal(signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()
        shutil.rmtree(self.home, ignore_errors=True)
        return self.process.returncode

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


def events_in(data: bytes) -> tuple[list[Event], int]:
    """Events in output of the form `offset TAB path TAB line`, and how many bytes are none."""
    events: list[Event] = []
    path, begin, end = b"", 0, -1
    lines: list[bytes] = []
    used = 0
    for digits, where, line in _EVENT.findall(data):
        offset = int(digits)
        if where != path or offset != end:
            if lines:
                events.append(Event(os.fsdecode(path), begin, b"".join(lines)))
            path, begin, lines = where, offset, []
        lines.append(line)
        end = offset + len(line)
        used += len(digits) + len(where) + len(line) + 2
    if lines:
        events.append(Event(os.fsdecode(path), begin, b"".join(lines)))
    return events, len(data) - used


def _configuration() -> bytes:
    """filebeat.yml: from the archive, or from the checkout."""
    packed = resources.files("engine.sources").joinpath("filebeat.yml")
    if packed.is_file():
        return packed.read_bytes()
    return (Path(__file__).resolve().parents[2] / "filebeat.yml").read_bytes()


def _quoted_glob(folder: Path, pattern: str) -> str:
    """The folder as it is and the pattern as a pattern, in a form that survives the config."""
    escaped = re.sub(r"([*?\[\\])", r"\\\1", str(folder.resolve()))
    path = re.sub(r"\$(?=\{)", "[$]", f"{escaped}/{pattern}")  # else it would be a variable
    quoted = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'["{quoted}"]'


def end_leftovers(base: Path) -> None:
    """End Filebeats that an earlier life of ours left behind, and nobody else's.

    They are known by the folder that their command line names, which lies in `base`.
    """
    mark = f"--path.data={base}/filebeat-".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(argument.startswith(mark) for argument in arguments):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(process.name), signal.SIGKILL)
    for folder in base.glob("filebeat-*"):
        shutil.rmtree(folder, ignore_errors=True)
