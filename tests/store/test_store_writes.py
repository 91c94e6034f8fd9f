"""How much is written to the card."""

import random
from pathlib import Path

from engine.sources.model import Generation
from engine.store.store import Store
from engine.times import load_zone
from tests.support.measured import measured

HOUR = 1_781_388_000
MOST_BYTES = 14_000
"""A third of what the tool to beat writes in a minute."""


def written() -> int:
    """Bytes that this process has given to the system to write."""
    text = Path("/proc/self/io").read_text()
    return int(text.split("wchar:")[1].split()[0])


def test_bytes_written_in_a_minute(tmp_path: Path) -> None:
    """Two hours of thirty lines a minute over 29 packages, saved each minute, write at most 14 kB a
    minute, checkpoints and the ends of hours included.
    """
    rng = random.Random(7)
    with Store.open(tmp_path / "metrics.db", load_zone("Europe/Paris")) as store:
        store.put("packages", "x" * 3000)
        for _ in range(100):
            old = Generation(rng.randbytes(12))
            for end in range(65_536, 17 * 65_536, 65_536):
                old.advance(end, rng.randbytes(2048))
            store.commit({}, [old], at=HOUR)
        generation = Generation(rng.randbytes(12))
        before = written()
        for minute in range(120):
            at = HOUR + minute * 60 + 30
            hour, bit = at // 3600 * 3600, 1 << (at % 3600 // 60)
            states = {(hour, 1004, ""): bit, (hour, 1005, ""): bit}
            for _ in range(30):
                title = f"Package {rng.randrange(29):02d} of many"
                states[hour, 1006, title] = bit
                if rng.random() < 0.2:
                    states[hour, 1001, title] = states.get((hour, 1001, title), 0) + 1
            generation.advance(generation.position + 30 * 830, rng.randbytes(2048))
            generation.fates["counted"] += 30
            facts = {"steady_seconds": minute * 60, "backup_age": minute * 60, "reading": "x"}
            store.commit(states, [generation], running_hour=hour, at=at, facts=facts)
        each = (written() - before) / 120
        measured(f"{each:,.0f} bytes a minute")
    assert each <= MOST_BYTES
