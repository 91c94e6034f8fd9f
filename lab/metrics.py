"""`offspot-metrics serve` as a child process, its API and its end."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from lab.browser import Browser
from lab.processes import (
    API_POLL_SECONDS,
    LOOPBACK,
    START_SECONDS,
    STOP_SECONDS,
    ChainError,
    Child,
    stop,
    wait_until,
)

_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/")


class Metrics:
    """The program, running between __enter__ and __exit__."""

    def __init__(
        self, program: Path, arguments: Sequence[str], folder: Path, zone: str = "UTC"
    ) -> None:
        self._zone = zone
        self._command = [str(program), "serve", "--port", "0", *arguments]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def output(self) -> Path:
        return self._folder / "offspot-metrics.err"

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "HOME": str(self._folder), "TZ": self._zone}
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        try:
            self.wait_for(self._has_address, "address of serve", START_SECONDS)
        except ChainError:
            self.stop()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def _has_address(self) -> bool:
        found = _ADDRESS.search(self.output.read_text(encoding="utf-8", errors="replace"))
        if found:
            self.port = int(found[1])
        return found is not None

    def api(self, path: str) -> Any:
        """The JSON of a response, whatever its status."""
        with Browser((LOOPBACK, self.port)) as browser:
            return json.loads(browser.get(f"{LOOPBACK}:{self.port}", path).body)

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        assert self._process is not None
        child = Child(self._process, self.output)
        wait_until(condition, what, seconds, child, API_POLL_SECONDS)

    def stop(self, seconds: float = STOP_SECONDS) -> int | None:
        """SIGTERM, then the exit code; None when it did not stop in time and was killed."""
        return None if self._process is None else stop(self._process, seconds)
