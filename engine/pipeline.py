"""The pipeline: blocks of complete lines to inputs to states, in `serve` and in `replay` alike.

What a block amounts to is a `Tally`: states, lines by fate, the span of time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from engine import indicators
from engine.indicators.model import Effect, States
from engine.inputs import formats
from engine.inputs.formats import STATUS_DIGITS, BlockScanner, RequestKey
from engine.inputs.model import Request
from engine.inputs.rules import inputs_of
from engine.packages import Packages
from engine.times import MINUTE_SECONDS, hour_of, minute_bit, set_minutes

Span = range
"""Seconds, as `range(first, last + 1)`."""

MAX_CACHED: Final = 20_000
MAX_CACHED_BYTES: Final = 500
"""Longer requests are parsed each time: a visitor may send a thousand of 900 kB."""
HOUR_MINUTES: Final = 60
ALL_MINUTES: Final = (1 << HOUR_MINUTES) - 1


@dataclass(slots=True)
class Tally:
    """What a part of the logs amounts to. Tallies of parts merge to that of the whole."""

    states: States = field(default_factory=dict)
    fates: Counter[str] = field(default_factory=Counter)
    first_at: int | None = None
    last_at: int | None = None
    seconds: frozenset[int] = frozenset()
    """The seconds of valid lines (only of one block, to find known logs in it)."""

    def add(self, other: Tally) -> None:
        """Merge the tally of another part."""
        indicators.merge(self.states, other.states)
        self.fates.update(other.fates)
        self.saw(other.first_at, other.last_at)

    def saw(self, first_at: int | None, last_at: int | None) -> None:
        """Widen the span of time."""
        if first_at is not None:
            self.first_at = first_at if self.first_at is None else min(self.first_at, first_at)
        if last_at is not None:
            self.last_at = last_at if self.last_at is None else max(self.last_at, last_at)

    def tick(self, at: int) -> None:
        """The offspot was on in the minute of an instant."""
        indicators.apply(self.states, indicators.ON, hour_of(at), minute_bit(at), 1)

    @property
    def lines(self) -> int:
        """How many lines there were."""
        return self.fates.total()


class _Effects:
    """What lines of some request keys do to the states; equal only to itself."""

    __slots__ = ("effects",)

    def __init__(self, effects: tuple[Effect, ...]) -> None:
        self.effects = effects


class _CachedEffects(dict[tuple[bytes, bytes], _Effects]):
    """The effects of (request, response), computed once; bounded, as visitors choose both."""

    def __init__(self, scanner: BlockScanner, packages: Packages) -> None:
        super().__init__()
        self._scanner = scanner
        self._packages = packages
        self._equal: dict[tuple[Effect, ...], _Effects] = {}

    def __missing__(self, key: tuple[bytes, bytes]) -> _Effects:
        request = self._scanner.request_of(*key)
        effects = indicators.effects_of(inputs_of(request, self._packages))
        cached = self._equal.setdefault(effects, _Effects(effects))
        if len(self) >= MAX_CACHED:
            self.clear()
        if len(key[0]) + len(key[1]) <= MAX_CACHED_BYTES:
            self[key] = cached
        return cached


class Pipeline:
    """Counts lines for one packages file."""

    def __init__(self, packages: Packages) -> None:
        self.packages = packages
        scanners = (log_format.scanner(packages) for log_format in formats.ALL)
        self._scanners = [(one, _CachedEffects(one, packages)) for one in scanners if one]

    def count(self, block: bytes, *, outside: Span | None = None) -> Tally:
        """The tally of a block of complete lines, the last one with its newline too.

        With `outside`, only lines whose time is not within those seconds are counted.
        """
        return self.count_all((block,), outside=outside)

    def count_all(self, blocks: Iterable[bytes], *, outside: Span | None = None) -> Tally:
        """The tally of several blocks."""
        tally = Tally()
        seconds: set[int] = set()
        for scanner, effects in self._scanners:
            keys, blocks = scanner.scan(blocks)
            if outside is not None:
                keys = Counter({key: n for key, n in keys.items() if int(key[0]) not in outside})
            seconds |= _count_keys(keys, scanner, effects, tally)
        for line in (line for block in blocks for line in block.split(b"\n")[:-1]):
            parsed = formats.parse_line(line)
            if isinstance(parsed, str):
                if outside is None:
                    tally.fates[parsed] += 1
            elif outside is None or parsed.at not in outside:
                self._count_request(parsed, tally)
                seconds.add(parsed.at)
        if seconds:
            tally.saw(min(seconds), max(seconds))
            tally.seconds = frozenset(seconds)
        return tally

    def _count_request(self, request: Request, tally: Tally) -> None:
        effects = indicators.effects_of(inputs_of(request, self.packages))
        hour, bit = hour_of(request.at), minute_bit(request.at)
        indicators.apply(tally.states, indicators.ON, hour, bit, 1)
        indicators.apply(tally.states, effects, hour, bit, 1)
        tally.fates["counted" if effects else "unmatched"] += 1


def _count_keys(
    keys: Counter[RequestKey], scanner: BlockScanner, cached: _CachedEffects, tally: Tally
) -> set[int]:
    """Count equal requests together, by hour and effects; the seconds they were made in."""
    on: dict[int, int] = defaultdict(int)
    cells: dict[tuple[int, _Effects], int] = defaultdict(int)  # lines, and below them minutes
    seconds: set[int] = set()
    last, minute, hour, bit = b"", -1, 0, 0
    for (second, request, response, _), n in keys.items():
        if second != last:  # lines are nearly in order
            last, at = second, int(second)
            seconds.add(at)
            if at // MINUTE_SECONDS != minute:
                minute, hour, bit = at // MINUTE_SECONDS, hour_of(at), minute_bit(at)
                on[hour] |= bit
        if len(response) > STATUS_DIGITS:
            response = scanner.shortened(response)  # noqa: PLW2901
        cell = hour, cached[request, response]
        cells[cell] = (cells[cell] | bit) + (n << HOUR_MINUTES)
    for hour, bits in on.items():
        indicators.apply(tally.states, indicators.ON, hour, bits, 1)
    for (hour, group), both in cells.items():
        n = both >> HOUR_MINUTES
        indicators.apply(tally.states, group.effects, hour, both & ALL_MINUTES, n)
        tally.fates["counted" if group.effects else "unmatched"] += n
    return seconds


def fill_silences(states: States, gap_minutes: int) -> None:
    """Put all minutes on between two that are at most `gap_minutes` apart (`replay` only)."""
    uptime = indicators.uptime.id
    hours = sorted(key[0] for key in states if key[1] == uptime)
    previous: int | None = None
    for hour in hours:
        for minute_of_hour in set_minutes(states[hour, uptime, ""]):
            minute = hour // MINUTE_SECONDS + minute_of_hour
            if previous is not None and 1 < minute - previous <= gap_minutes:
                _switch_on(states, range(previous + 1, minute))
            previous = minute


def _switch_on(states: States, minutes: Iterable[int]) -> None:
    for at in (minute * MINUTE_SECONDS for minute in minutes):
        indicators.apply(states, indicators.ON, hour_of(at), minute_bit(at), 1)
