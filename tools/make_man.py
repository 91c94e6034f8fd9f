"""Write the man page and the completions that a package installs into `build/`: `make man`."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def files() -> dict[str, str]:
    """The text of each file, by its path in the folder. bash and zsh expect these names."""
    from engine.version import __version__
    from tools import completions
    from tools.man_page import man_page

    return {
        "man/offspot-metrics.1": man_page(__version__, _date()),
        "completions/offspot-metrics": completions.bash(),
        "completions/_offspot-metrics": completions.zsh(),
        "completions/offspot-metrics.fish": completions.fish(),
    }


def _date() -> str:
    """SOURCE_DATE_EPOCH, else the date of the newest commit, as the same sources make the same."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not seconds:
        command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = done.stdout.strip() or "1577836800"
    return datetime.fromtimestamp(int(seconds), UTC).date().isoformat()


def main() -> int:
    """Write the files into `build/`, or into another folder."""
    sys.path.insert(0, str(ROOT))
    folder = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "build"
    for name, text in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
