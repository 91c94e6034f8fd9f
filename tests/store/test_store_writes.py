"""How much is written to the card."""

from pathlib import Path

from lab.writes import bytes_a_minute
from tests.support.measured import measured

MOST_BYTES = 14_000
"""A third of what the tool to beat writes in a minute."""


def test_bytes_written_in_a_minute(tmp_path: Path) -> None:
    """Two hours of thirty lines a minute over 29 packages, saved each minute, write at most 14 kB a
    minute, checkpoints and the ends of hours included.
    """
    each = bytes_a_minute(tmp_path)
    measured(f"{each:,.0f} bytes a minute")
    assert each <= MOST_BYTES
