"""Two hours of a school's traffic through the real store, at the speed of the machine.

Thirty lines a minute over 29 packages, saved each minute; checkpoints and the ends of two hours are
in it.
"""

from __future__ import annotations

import random
from pathlib import Path

from engine.sources.log_file import LogFile
from engine.store.store import Store
from engine.times import load_zone

HOUR = 1_781_388_000
MINUTES = 120
LINES = 30
PACKAGES = 29


def bytes_a_minute(folder: Path) -> float:
    """Bytes a minute that this process gives to the system to write, in an empty folder."""
    rng = random.Random(7)
    with Store.open(folder / "metrics.db", load_zone("Europe/Paris")) as store:
        store.put("packages", "x" * 3000)
        for _ in range(100):  # a device that has run for a while
            old = LogFile(rng.randbytes(12))
            for end in range(65_536, 17 * 65_536, 65_536):
                old.advance(end, rng.randbytes(2048))
            store.commit({}, [old], meta={"saved_at": HOUR})
        log_file = LogFile(rng.randbytes(12))
        before = _written()
        for minute in range(MINUTES):
            at = HOUR + minute * 60 + 30
            hour, bit = at // 3600 * 3600, 1 << (at % 3600 // 60)
            states = {(hour, 1004, ""): bit, (hour, 1005, ""): bit}
            for _ in range(LINES):
                title = f"Package {rng.randrange(PACKAGES):02d} of many"
                states[hour, 1006, title] = bit
                if rng.random() < 0.2:
                    states[hour, 1001, title] = states.get((hour, 1001, title), 0) + 1
            log_file.advance(log_file.position + LINES * 830, rng.randbytes(2048))
            log_file.fates["counted"] += LINES
            meta = {
                "saved_at": at,
                "steady_seconds": minute * 60,
                "backup_age": minute * 60,
                "reading": "x",
            }
            store.commit(states, [log_file], running_hour=hour, meta=meta)
        return (_written() - before) / MINUTES


def _written() -> int:
    """Bytes that this process has given to the system to write."""
    text = Path("/proc/self/io").read_text(encoding="ascii")
    return int(text.split("wchar:")[1].split()[0])
