"""The clock: every figure is filed under its time.

In: what the database noted of it, and the kernel. Out: a check.
"""

from __future__ import annotations

from datetime import UTC, datetime

from engine.doctor.databases import Facts, duration
from engine.doctor.model import Check, Examination, State
from engine.runtime.ticker import clock_is_trusted

SHOWN = 3


def check_clock(facts: Facts | None, found: Examination) -> None:
    """Whether the clock can be believed, and how often it was set."""
    trusted = clock_is_trusted()
    says = {
        True: "the kernel says that it is synchronised",
        False: "not synchronised (a hotspot without Internet never is, unless it has a clock chip)",
        None: "the kernel does not say whether it is synchronised",
    }[trusted]
    details: list[str] = []
    state, hint = (State.OK if trusted else State.NOTE), ""
    if facts:
        details.append(f"steady for {duration(facts.steady_seconds)} of running")
        for at, seconds in facts.steps[-SHOWN:]:
            moment = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
            where = "forward" if seconds > 0 else "back"
            details.append(f"set {where} by {duration(abs(seconds))}, to {moment} UTC")
        if any(abs(seconds) > 86400 for _, seconds in facts.steps[-SHOWN:]):
            state = State.WARNING
            hint = (
                "figures are filed under the time that the clock had: look at the days around "
                "both dates; set the clock right after each start, or fit a clock chip"
            )
    found.checks.append(Check("clock", state, says, hint, tuple(details)))
