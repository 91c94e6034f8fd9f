"""The wall clock of a child process, set by libfaketime.

The monotonic clock stays the real one, so that waits, deadlines and threads are not affected.
"""

from __future__ import annotations

from pathlib import Path

from lab.processes import missing_programs

LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)
FAKED = ("LD_PRELOAD", "FAKETIME", "FAKETIME_FMT", "FAKETIME_SHARED", "FAKETIME_TIMESTAMP_FILE")
"""What a test run under `faketime` passes on to each of its children."""


def _library() -> dict[str, str]:
    assert LIBRARY, "faketime is not installed: " + ", ".join(missing_programs("faketime"))
    return {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DISABLE_SHM": "1",
        # Its cure for condition variables of old libraries ends each timed wait at once: of Python
        # threads that wait for each other, all but one are then busy with waiting.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


def starting_at(at: float) -> dict[str, str]:
    """Variables for a child whose wall clock shows `at` (seconds since 1970) when it starts."""
    return {**_library(), "FAKETIME": f"@{at:.0f}", "FAKETIME_FMT": "%s"}


def read_from(file: Path) -> dict[str, str]:
    """Variables for a child whose wall clock follows a file: `+90` is 90 s ahead of the real one.

    `FAKETIME` is empty, as the library would read that first.
    """
    return {**_library(), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1"}
