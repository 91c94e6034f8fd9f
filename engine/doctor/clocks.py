"""Checks of the clock and of the time zone: every figure is stored under a time."""

from __future__ import annotations

from datetime import UTC, datetime

from engine.doctor.databases import StoredState
from engine.doctor.model import Check, Examination, State, problem
from engine.errors import ConfigError
from engine.runtime.ticker import clock_is_trusted
from engine.settings import Config
from engine.text import clock_step, duration
from engine.times import load_zone, zone_data_version

SHOWN = 3


def check_zone(config: Config, stored: StoredState | None, found: Examination) -> str:
    """The zone of days and longer periods, and the tables by which its time is computed."""
    name = config.timezone.key if config.timezone else (stored.timezone if stored else "UTC")
    if stored and stored.timezone != name:
        text = f"{name} is configured, the database has {stored.timezone}"
        hint = "serve will recompute days, weeks, months and years when it starts with it"
        found.checks.append(Check("time zone", State.NOTE, text, hint))
    try:
        load_zone(name)
    except ConfigError as error:
        found.checks.append(problem("time zone", error))
    return (
        f"days are in the zone {name}, by the time zone data {zone_data_version()} of this program"
    )


def check_clock(config: Config, stored: StoredState | None, found: Examination) -> None:
    """Whether the clock can be believed, how often it was set, and which zone it is read in."""
    trusted = clock_is_trusted()
    verdict = {
        True: "synchronised, according to the kernel",
        False: "not synchronised (normal for a hotspot without Internet and without a clock chip)",
        None: "the kernel does not report whether it is synchronised",
    }[trusted]
    details = [check_zone(config, stored, found)]
    state, hint = (State.OK if trusted else State.NOTE), ""
    if stored:
        details.append(f"steady for {duration(stored.steady_seconds)} of running")
        for at, seconds in stored.steps[-SHOWN:]:
            moment = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
            details.append(f"set {clock_step(seconds)}, to {moment} UTC")
        if any(abs(seconds) > 86400 for _, seconds in stored.steps[-SHOWN:]):
            state = State.WARNING
            hint = (
                "figures are stored under the time that the clock had: look at the days around "
                "both dates; set the clock right after each start, or fit a clock chip"
            )
    found.checks.append(Check("clock", state, verdict, hint, tuple(details)))
