"""One hotspot has one id, through repairs; a copy of its card in another one gets its own."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from engine.store.site import Hardware
from engine.store.store import Store

OLD = Hardware("board 1", "card 1")
NUMBERS = {"same": "1", "other": "2", "unknown": ""}


@pytest.mark.parametrize("card", NUMBERS)
@pytest.mark.parametrize("board", NUMBERS)
def test_the_id_stays_while_board_or_card_is_the_same(
    tmp_path: Path, board: str, card: str
) -> None:
    """It is a new one only where each number that can be compared is another."""
    stays = "same" in (board, card) or (board, card) == ("unknown", "unknown")
    now = Hardware(
        *(
            f"{kind} {NUMBERS[state]}" if NUMBERS[state] else ""
            for kind, state in (("board", board), ("card", card))
        )
    )
    with contextlib.closing(Store.open(tmp_path / "metrics.db")) as store:
        first = store.identify(OLD)
        assert store.identify(OLD) == first
    with contextlib.closing(Store.open(tmp_path / "metrics.db")) as store:
        found = store.identify(now)
        assert (found == first) is stays
        assert store.identify(now) == found
        assert store.get("site_id") == found


def test_repairs_may_follow_each_other(tmp_path: Path) -> None:
    """A new card for the board, then a new board for that card: it is the same hotspot."""
    with contextlib.closing(Store.open(tmp_path / "metrics.db")) as store:
        first = store.identify(OLD)
        assert store.identify(Hardware("board 1", "card 2")) == first
        assert store.identify(Hardware("board 2", "card 2")) == first
        assert store.identify(Hardware("board 1", "card 1")) != first


def test_a_number_that_is_not_shown_for_once_is_not_forgotten(tmp_path: Path) -> None:
    """A start in a container that hides the board does not make the next one a copy."""
    with contextlib.closing(Store.open(tmp_path / "metrics.db")) as store:
        first = store.identify(OLD)
        for hidden in (Hardware(), Hardware("", "card 1"), Hardware("board 1", "")):
            assert store.identify(hidden) == first
        assert store.identify(Hardware("board 2", "card 1")) == first


def test_a_copy_remembers_nothing_of_the_hardware_it_came_from(tmp_path: Path) -> None:
    """The number that a copy cannot see is not that of the hotspot it was copied from."""
    with contextlib.closing(Store.open(tmp_path / "metrics.db")) as store:
        store.identify(OLD)
        copy = store.identify(Hardware("board 2", ""))
        assert (store.get("board"), store.get("card")) == ("board 2", "")
        assert store.identify(Hardware("board 2", "card 2")) == copy
        assert store.get("card") == "card 2"
