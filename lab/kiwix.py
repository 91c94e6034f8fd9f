"""kiwix-serve, as an offspot runs it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.processes import LOOPBACK, Server


@dataclass
class KiwixServe(Server):
    """Debian's kiwix-serve over some ZIM files; `--nodatealiases` as an offspot runs it."""

    zims: Sequence[Path] = ()
    root: str = "/"
    """What stands before all its paths (`--urlRootLocation`)."""

    def _prepare(self) -> list[str]:
        command = ["kiwix-serve", "--address", LOOPBACK, "--port", str(self.port)]
        command += ["--threads", "2", "--nodatealiases", "--attachToProcess", str(os.getpid())]
        return [*command, "--urlRootLocation", self.root, *map(str, self.zims)]
