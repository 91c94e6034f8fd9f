"""What an examination finds: one `Check` for each part of the setup.

They are in the order in which a line passes these parts. How they are printed is up to `cli/`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from engine.errors import MetricsError
from engine.inputs.reasons import Explanation
from engine.verdict import LineCount, Verdict


class State(Enum):
    """The state of a part. Only a problem prevents counting."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Check:
    """One part of the setup: how it is, in a sentence, with what to do about it."""

    name: str
    state: State
    text: str
    hint: str = ""
    details: tuple[str, ...] = ()
    error: MetricsError | None = None
    """Of a problem: what stands for its exit code."""


@dataclass(frozen=True)
class SeenLine:
    """One of the newest lines, and what becomes of it. `ended`: its newline is there.

    `text` contains nothing about a visitor (`engine/inputs/masking.py`).
    """

    file: str
    offset: int
    """Of its first byte in the content of the file."""
    text: str
    explanation: Explanation
    ended: bool = True


@dataclass
class Examination:
    """Everything that was found. `now`: when it was looked at."""

    now: int = 0
    checks: list[Check] = field(default_factory=list)
    lines: list[SeenLine] = field(default_factory=list)
    """The newest lines, oldest first."""
    looked_at: int = 0
    """How many lines the reasons are counted over: more than are shown."""
    reasons: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """(fate, reason, detail) -> lines, of the lines that do not count, most frequent first."""
    counted: int = 0
    last_hour: LineCount = field(default_factory=LineCount)
    """The requests of the last hour among them."""
    first_at: int | None = None
    last_at: int | None = None
    """The oldest and the newest time of a request among them."""
    verdict: Verdict = field(default_factory=Verdict)
    log_hosts: dict[str, int] = field(default_factory=dict)
    """Host in the newest lines -> lines, most frequent first."""
    packages_hosts: tuple[str, ...] = ()

    @property
    def problems(self) -> list[Check]:
        """What has to be fixed, in the order of the checks."""
        return [check for check in self.checks if check.state is State.PROBLEM]


def problem(name: str, error: MetricsError, *details: str) -> Check:
    """The check of a part that an error makes useless."""
    return Check(name, State.PROBLEM, error.message, error.hint, details, error)
