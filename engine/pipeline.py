"""The pipeline: lines to inputs to states. The one place that calls the stages in order.

In: blocks of complete lines, and ticks of the clock. Out: a `Tally`: states, lines by fate, the
span of time. `serve` and `replay` use the same code; it must not know where lines come from, nor
what becomes of the tally.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from engine import indicators
from engine.indicators.model import Effect, States
from engine.inputs import blocks, caddy
from engine.inputs.blocks import Scanner, Usual
from engine.inputs.model import Request
from engine.inputs.rules import inputs_of
from engine.packages import FILE_MANAGER, Packages, without_port
from engine.times import MINUTE_SECONDS, hour_of, minute_bit

Span = range
"""Seconds, as `range(first, last + 1)`."""

MAX_REMEMBERED: Final = 20_000
MAX_REMEMBERED_BYTES: Final = 500
"""Longer questions are looked at each time: a visitor may send a thousand of 900 kB."""
STATUS_DIGITS: Final = 3
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
    """The seconds in which there are valid lines (only of one block, to look for known logs)."""

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


class _Meaning:
    """What usual lines of one meaning do to the states; equal only to itself."""

    __slots__ = ("effects",)

    def __init__(self, effects: tuple[Effect, ...]) -> None:
        self.effects = effects


class _Meanings(dict[tuple[bytes, bytes], _Meaning]):
    """The meaning of (what was asked, answer), worked out once; bounded, as visitors choose."""

    def __init__(self, packages: Packages) -> None:
        super().__init__()
        self._packages = packages
        self._by_effects: dict[tuple[Effect, ...], _Meaning] = {}

    def __missing__(self, key: tuple[bytes, bytes]) -> _Meaning:
        request = blocks.request_of(*key)
        effects = indicators.effects_of(inputs_of(request, self._packages))
        meaning = self._by_effects.setdefault(effects, _Meaning(effects))
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        if len(key[0]) + len(key[1]) <= MAX_REMEMBERED_BYTES:
            self[key] = meaning
        return meaning


class Pipeline:
    """Counts lines for one packages file."""

    def __init__(self, packages: Packages) -> None:
        self.packages = packages
        shares = (entry.host for entry in packages.entries if entry.ident == FILE_MANAGER)
        # An IPv6 address can be written in many ways: of these all are looked at.
        names = {"[" if host.startswith("[") else without_port(host) for host in shares}
        self._scanner = Scanner(names, packages.prefixes)
        self._meanings = _Meanings(packages)

    def count(self, block: bytes, *, outside: Span | None = None) -> Tally:
        """The tally of a block of complete lines, the last one with its newline too.

        With `outside`, only lines whose time is not within those seconds are looked at.
        """
        return self.count_all((block,), outside=outside)

    def count_all(self, those: Iterable[bytes], *, outside: Span | None = None) -> Tally:
        """The tally of several blocks."""
        tally = Tally()
        usual, odd = self._scanner.scan(those)
        if outside is not None:
            usual = Counter({key: n for key, n in usual.items() if int(key[0]) not in outside})
        seconds = self._count_usual(usual, tally)
        for line in odd:
            parsed = caddy.parse_line(line)
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

    def _count_usual(self, usual: Counter[Usual], tally: Tally) -> set[int]:
        """Count equal requests together, by hour and meaning; the seconds they were made in."""
        on: dict[int, int] = defaultdict(int)
        cells: dict[tuple[int, _Meaning], int] = defaultdict(int)  # lines, and below them minutes
        seconds: set[int] = set()
        meanings = self._meanings
        last, minute, hour, bit = b"", -1, 0, 0
        for (second, asked, answer, _), n in usual.items():
            if second != last:  # lines are nearly in order
                last, at = second, int(second)
                seconds.add(at)
                if at // MINUTE_SECONDS != minute:
                    minute, hour, bit = at // MINUTE_SECONDS, hour_of(at), minute_bit(at)
                    on[hour] |= bit
            if len(answer) > STATUS_DIGITS:
                answer = blocks.redirect_of(answer)  # noqa: PLW2901
            cell = hour, meanings[asked, answer]
            cells[cell] = (cells[cell] | bit) + (n << HOUR_MINUTES)
        for hour, bits in on.items():
            indicators.apply(tally.states, indicators.ON, hour, bits, 1)
        for (hour, meaning), both in cells.items():
            n = both >> HOUR_MINUTES
            indicators.apply(tally.states, meaning.effects, hour, both & ALL_MINUTES, n)
            tally.fates["counted" if meaning.effects else "unmatched"] += n
        return seconds

    def _count_request(self, request: Request, tally: Tally) -> None:
        effects = indicators.effects_of(inputs_of(request, self.packages))
        hour, bit = hour_of(request.at), minute_bit(request.at)
        indicators.apply(tally.states, indicators.ON, hour, bit, 1)
        indicators.apply(tally.states, effects, hour, bit, 1)
        tally.fates["counted" if effects else "unmatched"] += 1


def fill_silences(states: States, gap_minutes: int) -> None:
    """Put all minutes on between two that are at most `gap_minutes` apart (`replay` only)."""
    uptime = indicators.uptime.id
    hours = sorted(key[0] for key in states if key[1] == uptime)
    previous: int | None = None
    for hour in hours:
        minutes = states[hour, uptime, ""]
        while minutes:
            lowest = minutes & -minutes
            minutes ^= lowest
            minute = hour // 60 + lowest.bit_length() - 1
            if previous is not None and 1 < minute - previous <= gap_minutes:
                _switch_on(states, range(previous + 1, minute))
            previous = minute


def _switch_on(states: States, minutes: Iterable[int]) -> None:
    for at in (minute * MINUTE_SECONDS for minute in minutes):
        indicators.apply(states, indicators.ON, hour_of(at), minute_bit(at), 1)


__all__ = ["Pipeline", "Tally", "fill_silences"]
