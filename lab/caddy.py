"""Caddy with its JSON access log, and a log to which a test appends as Caddy does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.processes import LOOPBACK, Server


@dataclass
class Caddy(Server):
    """A real Caddy: one site on a free port, whose directives are given, with a JSON access log."""

    site: str = ""
    """Directives of the one site block; hosts are told apart by matchers."""
    log: Path = Path("caddy_access_logs.json")
    roll_size: str = "1MiB"
    roll_keep: int = 1000
    program: str = "caddy"
    max_header: str = ""
    """The largest header that it takes; its own limit when empty."""

    def _prepare(self) -> list[str]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        config = self.folder / "Caddyfile"
        limits = f"  servers {{\n    max_header_size {self.max_header}\n  }}\n"
        limits = limits if self.max_header else ""
        config.write_text(
            f"{{\n  admin off\n  auto_https off\n{limits}}}\n"
            f"http://:{self.port} {{\n"
            f"  bind {LOOPBACK}\n"
            "  log {\n"
            f"    output file {self.log} {{\n"
            f"      roll_size {self.roll_size}\n"
            f"      roll_keep {self.roll_keep}\n"
            "      roll_uncompressed\n"
            "    }\n"
            "    format json\n"
            "  }\n"
            f"{self.site}\n"
            "}\n",
            encoding="utf-8",
        )
        return [self.program, "run", "--adapter", "caddyfile", "--config", str(config)]


@contextlib.contextmanager
def appending(path: Path) -> Iterator[IO[bytes]]:
    """A log file to append to, every write at once in the file."""
    with path.open("ab", buffering=0) as stream:
        yield stream
