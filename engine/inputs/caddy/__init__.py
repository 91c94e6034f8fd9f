"""Caddy's JSON access log, as a `LogFormat` (`engine/inputs/formats.py`)."""

from engine.inputs.caddy.blocks import Scanner as scanner  # noqa: N813 (called, it makes one)
from engine.inputs.caddy.explanation import explain, field_names, visitor_of
from engine.inputs.caddy.line import parse_line, second_of, time_mark

__all__ = [
    "explain",
    "field_names",
    "parse_line",
    "scanner",
    "second_of",
    "time_mark",
    "visitor_of",
]
