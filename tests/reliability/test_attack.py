"""S26: a visitor who fills the logs of a real Caddy hides nobody, and what is lost is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.processes import missing_programs
from tests.reliability.attack import Outcome, attack
from tests.support.measured import measured
from tests.support.reading import FILEBEAT, READERS

HONEST_ENOUGH = 0.8
"""Of the rate, which a busy machine may not reach."""


def is_honest(outcome: Outcome) -> None:
    """What is missing of the figures is said, and nothing is said where nothing is missing."""
    assert outcome.answered > 0
    assert outcome.counted <= outcome.answered, outcome
    assert outcome.read <= outcome.answered + outcome.rolls, "nothing counts twice"
    assert outcome.loss is not None
    if outcome.counted < outcome.answered:
        assert outcome.loss["logs"] > 0, outcome
        assert outcome.loss["atLeast"] or outcome.loss["bytes"], outcome
    if not outcome.loss["logs"]:
        assert outcome.loss == {"bytes": 0, "atLeast": False, "logs": 0}
    assert outcome.healthy


@pytest.fixture(autouse=True)
def _programs() -> None:
    if missing_programs("caddy") or not FILEBEAT.exists():
        pytest.fail("caddy or build/filebeat is not there: make packages filebeat")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("reader", READERS)
def test_one_visitor_does_not_hide_the_others(tmp_path: Path, reader: str) -> None:
    """S26: 20 Mbit/s of addresses that each fill a log, two rolls kept: at most one in fifty of
    the other visits is missing, on a machine that does other things too, and it is said.
    """
    outcome = attack(tmp_path, reader, 20.0, 7.0)
    measured(outcome.sentence())
    assert outcome.rolls > 20
    is_honest(outcome)
    assert outcome.lost <= 0.02, outcome


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("rate", "most"), [(0.0, 0.0), (11.0, 0.005), (20.0, 0.005), (53.0, 0.05)])
@pytest.mark.parametrize("reader", READERS)
def test_at_any_rate(tmp_path: Path, reader: str, rate: float, most: float) -> None:
    """S26: in a minute at most 0.5 % is lost at 20 Mbit/s and 5 % at 53, and all of it is said."""
    outcome = attack(tmp_path, reader, rate, 60.0)
    measured(outcome.sentence())
    is_honest(outcome)
    assert outcome.lost <= most, outcome
    assert outcome.rate >= rate * HONEST_ENOUGH, "the machine is too busy to tell"
