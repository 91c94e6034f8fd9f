"""Shared by the tests of threats: lines as Caddy writes them, a running `serve`, its memory.

The real program runs over real files. Lines contain markers of data that must not be stored:
addresses, logins, user agents.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from lab.browser import Browser
from lab.metrics import Metrics
from lab.processes import LOOPBACK, Child, wait_until
from tests.support.archive import PROGRAM

ROOT = Path(__file__).resolve().parents[2]
FILEBEAT = ROOT / "build" / "filebeat"
NOON = 1_781_431_200
"""2026-06-14 10:00 UTC."""
DAY = "2026-06-14"
SECONDS = 120.0
"""For what takes seconds: the machine may be busy with other things."""
MIB = 1 << 20
MEGABYTE = 1_000_000
CURRENT = "caddy_access_logs.json"

PACKAGES = """\
packages:
  - {kind: zim, title: Bees, url: "//lib.box/viewer#bees_en"}
  - {kind: files, title: Games, url: "//games.box/"}
  - {kind: app, title: Docs, url: "//docs.box/", ident: edupi.offspot.kiwix.org}
  - {kind: app, title: Share, url: "//share.box/", ident: file-manager.offspot.kiwix.org}
"""


_NUMBERS = itertools.count()


def line(
    uri: str = "/content/bees_en/",
    *,
    host: str = "lib.box",
    at: float = NOON,
    method: str = "GET",
    status: int = 200,
    more: str = "",
) -> bytes:
    """A line of the shape of Caddy's, its newline included; `more` goes into `resp_headers`.

    No two have the same fraction of a second, as no two of Caddy's have.
    """
    number = next(_NUMBERS)
    return (
        f'{{"level":"info","ts":{int(at)}.{number % 10_000_000:07d},'
        '"logger":"http.log.access.log0","msg":"handled request",'
        f'"request":{{"remote_ip":"203.0.113.77","remote_port":"{number % 28_000 + 32_000}",'
        f'"client_ip":"203.0.113.77","proto":"HTTP/1.1","method":"{method}","host":"{host}",'
        f'"uri":"{uri}","headers":{{"User-Agent":["Mozilla/5.0"],"Accept":["*/*"]}}}},'
        '"bytes_read":0,"user_id":"","duration":0.00137,"size":1957,'
        f'"status":{status},"resp_headers":{{"Server":["Caddy"]{more}}}}}\n'
    ).encode("utf-8", "surrogatepass")


class Serve(Metrics):
    """`serve` with a folder of its own: packages file, logs, database."""

    def __init__(
        self,
        folder: Path,
        *,
        reader: str = "tail",
        packages: str = PACKAGES,
        more: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.packages = folder / "packages.yml"
        self.logs = folder / "logs"
        self.log = self.logs / CURRENT
        self.data = folder / "data"
        self.database = self.data / "metrics.db"
        self.logs.mkdir(exist_ok=True)
        self.data.mkdir(exist_ok=True)
        self.packages.write_text(packages, encoding="utf-8")
        arguments = ["--packages", str(self.packages), "--logs", str(self.logs)]
        arguments += ["--database", str(self.database), "--reader", reader, *more]
        if reader == "filebeat":
            arguments += ["--filebeat", str(FILEBEAT)]
        super().__init__(PROGRAM, arguments, folder)

    @property
    def pid(self) -> int:
        """Of the main process."""
        assert self._process is not None
        return self._process.pid

    def get(self, path: str) -> bytes:
        """The body of an answer."""
        with Browser((LOOPBACK, self.port)) as browser:
            return browser.get(f"{LOOPBACK}:{self.port}", path).body

    @property
    def status(self) -> dict[str, Any]:
        """What the status page shows."""
        found: dict[str, Any] = self.api("/api/v1/status")
        return found

    @property
    def lines(self) -> dict[str, int]:
        """Lines by fate."""
        found: dict[str, int] = self.status["lines"]
        return found

    def metric(self, name: str) -> float:
        """A number of `/metrics`."""
        found = re.search(rf"^offspot_metrics_{name} (\S+)$", self.get("/metrics").decode(), re.M)
        assert found, name
        return float(found[1])

    def wait_for_soon(self, condition: Callable[[], bool], what: str) -> None:
        """The same for what is a matter of milliseconds, and asks nothing of the API."""
        child = Child(self._process, self.output) if self._process else None
        wait_until(condition, what, SECONDS, child, 0.002)

    def wait_for_lines(self, number: int, seconds: float = SECONDS) -> None:
        """Until so many have been read."""
        self.wait_for(lambda: self.lines["read"] >= number, f"{number} lines", seconds)

    def figures(self, kpi: int, label: str = DAY) -> Any:
        """A KPI of a day, with the running hour, saved or not yet: as the last save has it."""
        return self.api(f"/api/v1/kpis/{kpi}/values?agg_kind=D&agg_value={label}").get("value")

    def stored_bytes(self) -> int:
        """What the database takes, with all that belongs to it."""
        return sum(path.stat().st_size for path in self.data.rglob("*") if path.is_file())

    def said(self) -> str:
        """Its own log."""
        return self.output.read_text(encoding="utf-8", errors="replace")


def parent_of(pid: int) -> int:
    """The parent of a process; 0 when it is gone."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def descendants(pid: int) -> list[int]:
    """A process and all that it started."""
    parents = {int(p.name): parent_of(int(p.name)) for p in Path("/proc").glob("[0-9]*")}
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def resident(pid: int) -> int:
    """Bytes of memory that a process has now."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def is_filebeat(pid: int) -> bool:
    """Whether a process runs Filebeat."""
    with contextlib.suppress(OSError):
        return b"--path.data=" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


class MemoryWatch:
    """The most memory that a process and its children had while this was open, five times a second.

    `own` leaves Filebeat out, `all` does not.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.own = self.all = 0
        self.looks = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def look(self) -> None:
        """See what is used now."""
        sizes = {pid: resident(pid) for pid in descendants(self.pid)}
        self.all = max(self.all, sum(sizes.values()))
        self.own = max(self.own, sum(n for pid, n in sizes.items() if not is_filebeat(pid)))
        self.looks += 1

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            self.look()

    def __enter__(self) -> Self:
        self.look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.look()


def peak(pid: int) -> int:
    """The most memory that one process ever had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


class ProxyLog:
    """A log as the proxy writes it: rolled by renaming at 1 MiB, so many rolls kept."""

    def __init__(self, path: Path, keep: int = 100) -> None:
        self.path = path
        self.keep = keep
        self.rolls: list[Path] = []
        self.written = 0
        self.lines = 0
        self._number = 0
        self._file = path.open("ab", buffering=0)

    def write(self, data: bytes, lines: int = 1) -> None:
        """Append complete lines."""
        if self._file.tell() and self._file.tell() + len(data) > MIB:
            self._roll()
        self._file.write(data)
        self.written += len(data)
        self.lines += lines

    def _roll(self) -> None:
        self._file.close()
        self._number += 1
        roll = self.path.with_name(f"caddy_access_logs-{self._number:06d}.json")
        self.path.rename(roll)
        self.rolls.append(roll)
        while len(self.rolls) > self.keep:
            self.rolls.pop(0).unlink()
        self._file = self.path.open("ab", buffering=0)

    def close(self) -> None:
        """Write no more."""
        self._file.close()


@contextlib.contextmanager
def proxy_log(path: Path, keep: int = 100) -> Iterator[ProxyLog]:
    """A log, closed at the end."""
    log = ProxyLog(path, keep)
    try:
        yield log
    finally:
        log.close()
