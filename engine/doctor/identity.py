"""What the hotspot is known by: copies of its card are told apart by board and card."""

from __future__ import annotations

from engine.doctor.databases import StoredState
from engine.doctor.model import Check, Examination, State
from engine.runtime.hardware import read_hardware
from engine.settings import Config


def check_identity(config: Config, stored: StoredState | None, found: Examination) -> None:
    """Whether a copy of this card in another hotspot would be noticed."""
    hardware = read_hardware(config.database)
    known = [kind for kind, number in zip(("board", "card"), hardware, strict=True) if number]
    identity = f"{stored.site_id}: " if stored and stored.site_id else ""
    if known:
        text = f"{identity}known by its {' and its '.join(known)}"
        found.checks.append(Check("identity", State.OK, text))
        return
    text = (
        f"{identity}neither the board nor the card has a readable serial number, so copies of this "
        "card cannot be told apart"
    )
    hint = "if you copy cards, start the program on each card only after copying"
    found.checks.append(Check("identity", State.NOTE, text, hint))
