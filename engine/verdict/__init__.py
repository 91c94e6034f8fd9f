"""The verdict on a hotspot: whether it is counting, why not, and what to do about it."""

from __future__ import annotations

from engine.verdict.evidence import Evidence, LineCount
from engine.verdict.judge import Reason, Verdict, judge
from engine.verdict.model import Code, Probe, State

__all__ = ["Code", "Evidence", "LineCount", "Probe", "Reason", "State", "Verdict", "judge"]
