"""Filebeat as a child process: started, its output cut into events, stopped properly.

What an event holds is not trusted: the source compares it with the file (`source.py`), and puts
right there what Filebeat drops, repeats or mixes up.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

from engine.errors import ReaderUnavailable
from engine.patterns import read_pattern
from engine.sources.filebeat.stderr import StderrLines
from engine.sources.filebeat.run_folder import RunFolder, left_over

STOP_SECONDS: Final = 3.0
MAX_LAST_READS: Final = 64
MAX_EVENT_BYTES: Final = 4 * 1024 * 1024
"""More output than this without a newline is no event: filebeat.yml cuts lines at half of it."""

_EVENT = re.compile(rb"([0-9]{1,18})\t([^\t\n]*)\t([^\n]*\n)")
# Started by way of this: should we die, however suddenly, the kernel ends Filebeat. It also gives
# way to us: logs must be opened as they are made, and what it brings too late we read ourselves.
_WITH_US = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
os.nice(10)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"Exiting: {sys.argv[2]} cannot be run: {error.strerror}")
"""
_NOT_PLAIN = re.compile(rb"[^A-Za-z0-9/._*?-]")
_NO_EVENT_NAME = re.compile("[\t\n]")


class Event(NamedTuple):
    """Lines that follow each other in one file: `data` begins at `offset`."""

    path: str
    offset: int
    data: bytes


def find_filebeat(program: str) -> str | None:
    """The Filebeat program: the given one, else the one next to this program, else from PATH."""
    if program:
        return shutil.which(program)
    here = Path(sys.argv[0]).resolve().parent
    for candidate in (here / "filebeat", here.parent / "build" / "filebeat"):
        if os.access(candidate, os.X_OK) and candidate.is_file():
            return str(candidate)
    return shutil.which("filebeat")


def require_filebeat(program: str) -> str:
    """The Filebeat program. Raises ReaderUnavailable when there is none."""
    found = find_filebeat(program)
    if found is None:
        raise missing_filebeat(program)
    return found


def missing_filebeat(program: str) -> ReaderUnavailable:
    """Why there is no Filebeat that can be run, and what to do."""
    path = Path(program)
    hint = (
        "build it (make filebeat) and name it with --filebeat, or use READER=tail (--reader tail)"
    )
    if not program:
        return ReaderUnavailable("Filebeat was not found", hint)
    if os.path.isdir(program):  # noqa: PTH112 (no error, whatever the name)
        return ReaderUnavailable(f"{program} is a folder, not Filebeat", "name the program in it")
    if not os.path.isfile(program):  # noqa: PTH113
        return ReaderUnavailable(f"Filebeat is not there: {program}", hint)
    if os.statvfs(path).f_flag & os.ST_NOEXEC:
        return ReaderUnavailable(
            f"{program} is on a file system from which no program may be run (mounted with noexec)",
            "copy it to another folder and name it with --filebeat, or use --reader tail",
        )
    return ReaderUnavailable(f"{program} may not be run by this user", f"chmod a+rx {program}")


def can_be_in_an_event(name: str) -> bool:
    """Whether events can name a log: one with a tab or a newline is left out (filebeat.yml)."""
    return _NO_EVENT_NAME.search(name) is None


class Filebeat:
    """One running Filebeat. Everything of it lives in a folder that goes with it."""

    def __init__(self, program: str, folder: Path, pattern: str, base: Path) -> None:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        end_leftovers(base)
        self.run_folder = RunFolder(base)
        try:
            self.process = self._start(program, folder, pattern)
        except OSError as error:
            self.run_folder.remove()
            hint = ""
            if error.errno == errno.EAGAIN:
                hint = ": the limit on processes is reached (ulimit -u, TasksMax=, pids limit)"
            raise ReaderUnavailable(
                f"Filebeat {program} cannot be run: {error.strerror}{hint}"
            ) from error
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.output = self.process.stdout.fileno()
        self.errors = self.process.stderr.fileno()
        os.set_blocking(self.output, False)
        os.set_blocking(self.errors, False)
        self._begun: list[bytes] = []
        self._begun_bytes = 0
        self._stderr_lines = StderrLines()
        self.unparsed = 0
        """Bytes of output that were no event."""

    def _start(self, program: str, folder: Path, pattern: str) -> subprocess.Popen[bytes]:
        home = self.run_folder.path
        config = home / "filebeat.yml"
        config.write_bytes(_configuration())
        config.chmod(0o600)
        # A link with a simple name: the path of the logs may have bytes that no setting can hold.
        (home / "logs").symlink_to(folder.absolute(), target_is_directory=True)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "OFFSPOT_METRICS_LOGS": _quoted_glob(home / "logs", pattern),
        }
        paths = [f"--path.{name}={home}" for name in ("home", "config", "data", "logs")]
        command = [str(Path(program).absolute()), "-c", str(config), *paths, *_permissions(config)]
        python = sys.executable or _python()
        with_us = [python, "-I", "-S", "-c", _WITH_US, str(os.getpid())] if python else []
        return subprocess.Popen(
            [*with_us, *command],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )

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
                self.unparsed += self._begun_bytes
                self._begun, self._begun_bytes = [], 0
            return []
        whole = b"".join([*self._begun, data[:cut]])
        self._begun, self._begun_bytes = [data[cut:]], len(data) - cut
        events, unparsed = events_in(whole)
        self.unparsed += unparsed
        return events

    def read_stderr(self) -> bool:
        """Take what came on standard error; False when that has ended."""
        try:
            data = os.read(self.errors, 64 * 1024)
        except BlockingIOError:
            return True
        self._stderr_lines.add(data)
        return bool(data)

    def last_stderr_line(self) -> str:
        """The last error that Filebeat reported on standard error, else its last line."""
        for _ in range(MAX_LAST_READS):
            self._stderr_lines.grew = False
            if not self.read_stderr() or not self._stderr_lines.grew:
                break
        return self._stderr_lines.reason()

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
        self.run_folder.remove()
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
    archived = resources.files("engine.sources").joinpath("filebeat.yml")
    if archived.is_file():
        return archived.read_bytes()
    return (Path(__file__).resolve().parents[3] / "filebeat.yml").read_bytes()


def _quoted_glob(folder: Path, pattern: str) -> str:
    """The folder as it is and the pattern as a pattern, in a form that survives the config."""
    escaped = re.sub(r"([*?\[\]\\])", r"\\\1", str(folder)).replace("$", "[$]")
    path = os.fsencode(f"{escaped}/{read_pattern(pattern).for_go()}")
    # Byte by byte: a name may have any of them, and Filebeat takes quotes in its own way.
    return '["' + _NOT_PLAIN.sub(lambda found: b"\\x%02x" % ord(found[0]), path).decode() + '"]'


def _permissions(config: Path) -> list[str]:
    """What lets Filebeat take a configuration that we just wrote in a folder of our own.

    On file systems with one fixed owner or mode (exFAT, FUSE) it would refuse any.
    """
    found = config.stat()
    is_strict = found.st_uid == os.geteuid() and not found.st_mode & 0o022
    return [] if is_strict else ["--strict.perms=false"]


def _python() -> str:
    """This interpreter, when it does not know its own path (no PATH, `env -i`)."""
    try:
        return os.readlink("/proc/self/exe")  # noqa: PTH115 (text)
    except OSError:
        return ""


def end_leftovers(base: Path) -> None:
    """End the Filebeat processes that an earlier run of this program left behind, and no others.

    They work in a folder in `base` that is ours and whose owner has ended: the same folder, not
    only one of that name, as containers may show us processes with folders of their own.
    """
    for path, folder in left_over(base):
        for process in Path("/proc").glob("[0-9]*"):
            try:
                place = (process / "cwd").stat()
                if (place.st_dev, place.st_ino) == (folder.st_dev, folder.st_ino):
                    os.kill(int(process.name), signal.SIGKILL)
            except OSError:
                continue
        shutil.rmtree(path, ignore_errors=True)
