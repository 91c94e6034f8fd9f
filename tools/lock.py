"""Writes requirements*.txt from requirements*.in: exact versions with the hashes of their files.

The locks hold for every Python from 3.11 on, and for every system. uv resolves them, as pip cannot
do that for a Python that it does not run on; it is not needed to use them.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = [
    "--quiet",
    "--upgrade",
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-header",
    "--no-annotate",
    # Where a machine gets its packages from is that machine's business.
    "--no-emit-index-url",
    "--no-emit-find-links",
]
LOCKS = [
    ("requirements.in", "requirements.txt", []),
    # The tests run what the archive ships.
    ("requirements-dev.in", "requirements-dev.txt", ["--constraint=requirements.txt"]),
]


def main() -> int:
    adjacent = Path(sys.executable).with_name("uv")
    uv = str(adjacent) if adjacent.exists() else shutil.which("uv")
    if uv is None:
        print("lock: uv is missing; `pip install uv` brings it", file=sys.stderr)
        return 1
    for source, target, more in LOCKS:
        command = [uv, "pip", "compile", *OPTIONS, *more, source, f"--output-file={target}"]
        done = subprocess.run(command, cwd=ROOT, check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
