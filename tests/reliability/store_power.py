"""Possible contents of a disk after a power cut, derived from the system calls of a writer.

From a trace by strace it makes folders as the next start may find them: of what was written and not
synced, any part may be there, complete, torn at 512 bytes, or missing, in any order; names come in
order, but may be late. The writer is below: a real store at work.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engine.runtime.counting import CountingLoop
from engine.sources.tail.folder import LogFolder
from engine.store.files import sync_path
from engine.store.store import Store
from tests.reliability.store_support import (
    HOUR,
    UTC,
    line,
    look_and_read,
    make_counting,
    make_folder,
    write_packages,
)

SECTOR: Final = 512
_CALLS: Final = "openat,creat,pwrite64,write,fdatasync,fsync,ftruncate,rename,unlink,unlinkat,mkdir"
_LINE: Final = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)(?:<([^>]*)>)?")
_HEX: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
ACKED: Final = "acked"


@dataclass(frozen=True)
class Call:
    """One system call on files of the folder."""

    name: str
    path: str
    data: bytes = b""
    number: int = 0
    other: str = ""


@dataclass
class Node:
    """A file: what is durable of it, and what was done since."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Call] = field(default_factory=list)


def log_line(number: int) -> bytes:
    """A line of the log that the writer counts: one visit, always as long."""
    return line(HOUR + number // 20 * 3600, 0, f"{number:08d}")


def log_of(folder: Path) -> Path:
    """The log that the writer counts."""
    return folder / "logs" / "caddy_access_logs.json"


class Proxy:
    """Writes a log line by line, and never syncs it: that is up to whoever counts it."""

    def __init__(self, folder: Path) -> None:
        log_of(folder).parent.mkdir()
        self.descriptor = os.open(log_of(folder), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        sync_path(log_of(folder).parent)  # the file's name has been there for long
        sync_path(folder)

    def write(self, number: int) -> None:
        """One more line."""
        os.write(self.descriptor, log_line(number))


def write_much(folder: Path, commits: int) -> None:
    """Counting at work, line by line: a database is made, written to, backed up, repaired, closed.
    Each line that is saved is told.
    """
    path = folder / "metrics.db"
    write_packages(folder)
    told = os.open(folder / ACKED, os.O_WRONLY | os.O_CREAT)
    proxy = Proxy(folder)
    store = Store.open(path, UTC, repair_at=HOUR)
    counting, logs = _start(store, folder)
    for number in range(commits):
        proxy.write(number)
        at = HOUR + number // 20 * 3600
        counting.running_hour = at
        look_and_read(counting, logs, number)
        assert counting.save(at=at)
        os.pwrite(told, b"%08d" % (number + 1), 0)
        if number in (commits // 4, commits // 2):
            store.back_up()
        if number == commits * 3 // 4:
            store.recover("as a trial", HOUR)
            counting, logs = _start(store, folder)
    store.verified = True
    store.close()


def _start(store: Store, folder: Path) -> tuple[CountingLoop, LogFolder]:
    counting = make_counting(store, folder)
    path = log_of(folder)
    logs = make_folder(counting, path.parent, path.name)
    counting.begin(HOUR)
    return counting, logs


def trace(folder: Path, commits: int) -> list[Call]:
    """Run the writer under strace, in a process of its own."""
    log = folder.parent / "trace"
    code = (
        "from pathlib import Path; from tests.reliability.store_power import write_much; "
        f"write_much(Path({str(folder)!r}), {commits})"
    )
    subprocess.run(
        [
            *("strace", "-f", "--seccomp-bpf", "-y", "-xx", "-s", "100000"),
            *("-e", f"trace={_CALLS}", "-o", str(log)),
            *(sys.executable, "-c", code),
        ],
        check=True,
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.DEVNULL,
        timeout=120,
    )
    calls = []
    for text in log.read_text("ascii", "replace").splitlines():
        call = _parse(text, str(folder))
        if call:
            calls.append(call)
    return calls


def _decode(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _path(raw: str) -> str:
    return _decode(raw).decode() if raw.startswith("\\x") else raw


def _parse(text: str, folder: str) -> Call | None:
    found = _LINE.match(text)
    if not found or int(found[3]) < 0:
        return None
    name, arguments = found[1], found[2]
    if name in ("openat", "creat"):
        path = _path(found[4] or "")
        flags = "O_CREAT" in arguments or name == "creat"
        call = Call("create" if flags else "open", path)
        if "O_TRUNC" in arguments:
            call = Call("trunc", path)
    elif name in ("rename", "unlink", "unlinkat", "mkdir"):
        names = [_decode(raw).decode() for raw in _HEX.findall(arguments)]
        call = Call(name.removesuffix("at"), names[0], other=names[-1])
    else:
        path = _path(arguments[arguments.index("<") + 1 : arguments.index(">")])
        number = 0
        data = b""
        if name in ("pwrite64", "write"):
            data = _decode(_HEX.findall(arguments)[0])
            number = int(arguments.rsplit(",", 1)[1]) if name == "pwrite64" else -1
        elif name == "ftruncate":
            number = int(arguments.rsplit(",", 1)[1])
        call = Call("sync" if "sync" in name else name, path, data, number)
    return call if call.path.startswith(folder) and not call.path.endswith("-shm") else None


class Disk:
    """The state of a folder at one moment of a trace."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.names: dict[str, Node] = {}
        self.seen: dict[str, Node] = {}
        """Names as the running system sees them; `names` are those that are durable."""
        self.late: list[tuple[Call, Node]] = []
        """Changes of names that are not durable yet, and the files that they made."""
        self.folders: list[str] = []
        self.acked = 0

    def apply(self, call: Call, *, lies: bool = False) -> None:
        """Let a system call happen; on a disk that lies, a sync does nothing."""
        if call.path.endswith("/" + ACKED):
            if call.data:
                self.acked = int(call.data)
            return
        if call.name in ("create", "trunc"):
            if call.path not in self.seen:
                node = self.seen[call.path] = Node()
                self.late.append((call, node))
            if call.name == "trunc":
                self.seen[call.path].pending.append(Call("ftruncate", call.path))
        elif call.name == "mkdir":
            self.folders.append(call.path)
        elif call.name == "rename":
            if call.path in self.seen:
                node = self.seen[call.other] = self.seen.pop(call.path)
                self.late.append((call, node))
        elif call.name == "unlink":
            if call.path in self.seen:
                self.late.append((call, self.seen.pop(call.path)))
        elif call.name == "sync":
            if not lies:
                self._sync(call.path)
        elif call.name != "open" and call.path in self.seen:
            node = self.seen[call.path]
            if call.number == -1:  # a plain write goes to the end
                size = max([len(node.durable), *(p.number + len(p.data) for p in node.pending)])
                call = Call("pwrite64", call.path, call.data, size)
            node.pending.append(call)

    def _sync(self, path: str) -> None:
        node = self.seen.get(path)
        if node is None:  # a folder
            self._make_names(len(self.late))
            return
        for call in node.pending:
            _write(node.durable, call, call.data)
        node.pending.clear()

    def _make_names(self, many: int) -> None:
        apply_names(self.names, self.late[:many])
        del self.late[:many]

    def crash(self, rng: random.Random, target: Path) -> None:
        """Write to a folder what may be found after the power went now."""
        replay = dict(self.names)
        apply_names(replay, self.late[: rng.randint(0, len(self.late))])
        for folder in self.folders:
            (target / Path(folder).relative_to(self.root)).mkdir(exist_ok=True)
        for path, node in replay.items():
            content = bytearray(node.durable)
            for call in node.pending:
                fate = rng.random()
                if fate < 0.4:
                    _write(content, call, call.data)
                elif fate < 0.6 and call.data:
                    keep = rng.randint(0, len(call.data) // SECTOR) * SECTOR
                    _write(content, call, call.data[:keep])
            (target / Path(path).relative_to(self.root)).write_bytes(content)


def apply_names(names: dict[str, Node], late: list[tuple[Call, Node]]) -> None:
    """Make late changes of names, in order."""
    for call, node in late:
        if call.name in ("create", "trunc"):
            names[call.path] = node
        elif call.name == "rename":
            if names.pop(call.path, None):
                names[call.other] = node
        else:
            names.pop(call.path, None)


def _write(content: bytearray, call: Call, data: bytes) -> None:
    if call.name == "ftruncate":
        if call.number <= len(content):
            del content[call.number :]
        else:
            content.extend(bytes(call.number - len(content)))
    elif data:
        if len(content) < call.number:
            content.extend(bytes(call.number - len(content)))
        content[call.number : call.number + len(data)] = data
