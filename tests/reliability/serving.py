"""`serve` as a real process for the tests of disk, clock, threads and signals.

It runs in a folder, with options and an environment, optionally under strace or faketime; tests see
its address, responses, log and exit. Every wait has a condition and a deadline.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self

from tests.reliability.store_support import line, wait_for, write_packages

ROOT = Path(__file__).resolve().parents[2]
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/")
START_SECONDS = 60.0
LONGEST_PAUSE = 0.05
"""Each look is a request, which the process that is waited for has to answer."""


class Serving:
    """One process; started by `with`, ended by it at the latest."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        database: Path | None = None,
        under: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        code: str = "",
        **popen: Any,
    ) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.logs.mkdir(exist_ok=True)
        self.log = self.logs / "caddy_access_logs.json"
        self.database = database or folder / "data" / "metrics.db"
        self.output = folder / "serve.log"
        self.port = 0
        program = ["-c", code] if code else ["-m", "offspot_metrics"]
        self.command = [*under, sys.executable, *program, "serve", "--port", "0"]
        self.command += ["--packages", str(write_packages(folder)), "--logs", str(self.logs)]
        self.command += ["--database", str(self.database), "--timezone", "UTC"]
        self.command += options or ("--reader", "tail")
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
        self.popen = popen
        self.process: subprocess.Popen[bytes]

    def begin(self) -> Self:
        """Start, and do not wait for anything."""
        with self.output.open("wb") as output:
            options = {"stdout": output, "stderr": output, **self.popen}
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                env=self.environment,
                cwd=self.folder,
                **options,
            )
        return self

    def __enter__(self) -> Self:
        self.begin()
        try:
            self.wait(self._listens, START_SECONDS)
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Kill what is left of it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def text(self) -> str:
        """All that it has logged."""
        return self.output.read_text("utf-8", "replace")

    def _listens(self) -> bool:
        found = _ADDRESS.search(self.text())
        self.port = int(found[1]) if found else 0
        return self.port > 0

    def wait(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Until a condition holds; fails when time is up or the process has ended."""

        def holds() -> bool:
            if condition():
                return True
            assert self.process.poll() is None, (self.process.poll(), self.text())
            return False

        try:
            wait_for(holds, seconds, LONGEST_PAUSE)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text()}") from None

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body; (0, b"") when there is no answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, HTTPException):
                return 0, b""

    def status(self) -> dict[str, Any]:
        """What the status route says; empty while there is no answer."""
        code, body = self.get("/api/v1/status")
        found: dict[str, Any] = json.loads(body) if code == 200 else {}
        return found

    def metric(self, name: str) -> float:
        """One value of /metrics."""
        for text in self.get("/metrics")[1].decode().splitlines():
            if text.startswith(f"offspot_metrics_{name} "):
                return float(text.split()[1])
        return -1.0

    def add(self, count: int, at: float | None = None, first: int = 0) -> None:
        """Append lines to the log, at once."""
        at = time.time() if at is None else at
        with self.log.open("ab", buffering=0) as log:
            log.write(b"".join(line(at + n / 1000, first + n) for n in range(count)))

    def counted(self, lines: int) -> Callable[[], bool]:
        """Whether so many lines have been counted."""
        return lambda: self.status().get("lines", {}).get("read") == lines

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20.0) -> tuple[int, float]:
        """Send a signal and wait for the end: exit code, and the seconds that it took."""
        begin = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(seconds)
        return code, time.monotonic() - begin
