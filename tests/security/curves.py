"""Measures the cost of crowds, and prints it as tables: `python -m tests.security.curves`.

The tables show how long a visitor waits next to 500 to 4,000 connections of each kind, and the
memory used for clients that never read. It takes about ten minutes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.security.test_crowds import KINDS, visit
from tests.security.test_non_reading_clients import non_reading_clients

CONNECTIONS = (500, 900, 1000, 2000, 4000)
ADDRESSES = 32
CLIENTS = (16, 64, 256, 900)
ANSWERS = {"a file of 1 MiB": (1, 1), "a file of 8 MiB": (8, 1), "an answer of 1.2 MB": (0, 4000)}


def place() -> Path:
    """A new folder."""
    return Path(tempfile.mkdtemp(prefix="offspot-metrics-curves-"))


def waits() -> None:
    """A row for each kind, a column for each number of connections."""
    print(f"\nA visitor's wait, median and longest, in ms; from {ADDRESSES} addresses\n")
    print("| kind |" + "".join(f" {count:,} |" for count in CONNECTIONS))
    print("|---|" + "---|" * len(CONNECTIONS))
    for kind in KINDS:
        cells = []
        for count in CONNECTIONS:
            visitor = visit(place(), kind, count, ADDRESSES, "none")
            cells.append(f"{visitor.percentile(0.5) * 1000:.0f}, {max(visitor.waits) * 1000:.0f}")
        print(f"| {kind} | {' | '.join(cells)} |", flush=True)


def memory() -> None:
    """A row for each answer, a column for each number of clients."""
    print("\nMemory that the program grew by, in MB, and temporary files\n")
    print("| clients that never read |" + "".join(f" {count} |" for count in CLIENTS))
    print("|---|" + "---|" * len(CLIENTS))
    for name, (mebibytes, titles) in ANSWERS.items():
        cells = []
        for count in CLIENTS:
            found = non_reading_clients(place(), count, mebibytes, titles)
            cells.append(f"{found.grew_bytes / 1e6:.0f}, {found.temporary_files}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    for table in {"waits": [waits], "memory": [memory]}.get("".join(sys.argv[1:]), [waits, memory]):
        table()
