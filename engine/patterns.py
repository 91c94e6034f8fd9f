r"""Patterns for names of log files, read in one way by everything that uses them.

The language is that of the POSIX shell for one name: `*`, `?`, `[abc]`, `[a-z]`, `[!abc]` or
`[^abc]`, and `\` before a character that stands for itself. `*` also matches a leading dot. What
shells and other programs read in different ways (`{a,b}`, `[[:alpha:]]`, a `[` without its `]`) is
refused. A pattern is compiled to an expression for names, and written again for Go's
`filepath.Match`, which Filebeat uses and which knows neither `[!abc]` nor `[]abc]`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from engine.text import displayable

_ALTERNATIVES = re.compile(r"\{[^{}]*(?:,|\.\.)[^{}]*\}")
_GO_SPECIAL: Final = frozenset("*?[]\\-^")


class BadPattern(ValueError):
    """A pattern that cannot be meant, and what to write in its place."""


@dataclass(frozen=True, slots=True)
class _Any:
    """Any one character, or any number of them."""

    many: bool


@dataclass(frozen=True, slots=True)
class _Set:
    """One character of these ranges, or none of them."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool


_Part = str | _Any | _Set


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A pattern that was read."""

    text: str
    _parts: tuple[_Part, ...]
    _expression: re.Pattern[str]

    def matches(self, name: str) -> bool:
        """Whether a name of a file matches as a whole."""
        return self._expression.fullmatch(name) is not None

    def for_go(self) -> str:
        """The same pattern as Go's `filepath.Match` reads it."""
        return "".join(map(_go_part, self._parts))


@lru_cache(maxsize=16)
def read_pattern(text: str) -> NamePattern:
    """Read a pattern. Raises BadPattern with the reason and a way out."""
    if not text:
        raise BadPattern("an empty pattern matches no file")
    if "\0" in text or "/" in text:
        raise BadPattern("a pattern is for names of files in the log folder, it cannot have a /")
    parts: list[_Part] = []
    place = 0
    while place < len(text):
        character = text[place]
        place += 1
        if character in "*?":
            if not (character == "*" and parts and parts[-1] == _Any(many=True)):
                parts.append(_Any(many=character == "*"))
        elif character == "[":
            part, place = _read_set(text, place)
            parts.append(part)
        elif character == "\\":
            if place == len(text):
                raise BadPattern(r"it ends with a backslash; write \\ for a backslash in a name")
            parts.append(text[place])
            place += 1
        elif character == "{" and (found := _ALTERNATIVES.match(text, place - 1)):
            raise BadPattern(
                f"{displayable(found[0])} is no choice here; use * or ?, "
                r"or write \{ for a brace in a name"
            )
        else:
            parts.append(character)
    expression = re.compile("".join(map(_expression_part, parts)), re.DOTALL)
    return NamePattern(text, tuple(parts), expression)


def _read_set(text: str, place: int) -> tuple[_Set, int]:
    """The set that begins behind a `[`, and the place behind its `]`."""
    negated = text[place : place + 1] in {"!", "^"}
    place += negated
    ranges: list[tuple[str, str]] = []
    first = True
    while first or text[place : place + 1] != "]":
        first = False
        if text[place : place + 2] in {"[:", "[.", "[="}:
            raise BadPattern("classes such as [[:alpha:]] are not known; write [A-Za-z]")
        low, place = _read_member(text, place)
        high = low
        if text[place : place + 1] == "-" and text[place + 1 : place + 2] not in {"]", ""}:
            high, place = _read_member(text, place + 1)
            if high < low:
                raise BadPattern(f"the range {displayable(f'{low}-{high}')} is empty")
        ranges.append((low, high))
    return _Set(tuple(ranges), negated), place + 1


def _read_member(text: str, place: int) -> tuple[str, int]:
    if text[place : place + 1] == "\\":
        place += 1
    if place >= len(text):
        raise BadPattern(r"a [ has no ] after it; write \[ for a bracket in a name")
    return text[place], place + 1


def _expression_part(part: _Part) -> str:
    if isinstance(part, str):
        return re.escape(part)
    if isinstance(part, _Any):
        return ".*" if part.many else "."
    ranges = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in part.ranges)
    return f"[{'^' if part.negated else ''}{ranges}]"


def _go_part(part: _Part) -> str:
    if isinstance(part, _Any):
        return "*" if part.many else "?"
    if isinstance(part, _Set):
        ranges = "".join(f"{_go_literal(low)}-{_go_literal(high)}" for low, high in part.ranges)
        return f"[{'^' if part.negated else ''}{ranges}]"
    # In brackets, as Filebeat would take a dollar sign before a brace for a variable.
    return "[$]" if part == "$" else _go_literal(part)


def _go_literal(character: str) -> str:
    return f"\\{character}" if character in _GO_SPECIAL else character
