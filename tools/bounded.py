"""Runs a command that may never end, such as tests of a program that was broken on purpose."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

RUN_SECONDS = 900
FAILED = 1
"""pytest's exit code when a test failed; all others but 0 say that no test could judge."""


def run(
    command: list[str], tree: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command in a copy of the tree; what it prints is kept. One that does not end, such as
    tests whose mutant spins in a thread, is killed with all that it has started.
    """
    with subprocess.Popen(
        command,
        cwd=tree,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            failed = re.search(r"^(FAILED|ERROR) |^=+ .*[1-9] failed", said, re.M)
            return subprocess.CompletedProcess(command, FAILED if failed else -1, said)
        return subprocess.CompletedProcess(command, process.returncode, said)
