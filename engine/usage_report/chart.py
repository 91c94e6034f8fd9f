"""The chart of a usage report: visits as bars, and below them a band that shows when it was on."""

from __future__ import annotations

from html import escape
from typing import Final

from engine.usage_report.content import Bar
from engine.usage_report.language import Language

_WIDTH: Final = 720
_TOP: Final = 16
_FLOOR: Final = 132
_BAND: Final = (138, 150)
_HEIGHT: Final = 168
_TICKS: Final = 16
"""At most so many names below the bars."""


def chart_of(bars: list[Bar], language: Language) -> str:
    """The chart from left to right, or right to left, with sentences that say what it shows."""
    most = max(bars, key=lambda bar: bar.visits)
    top = _round_up(most.visits)
    drawn = [f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{y}" y2="{y}"/>' for y in (_FLOOR, _TOP)]
    edge, anchor = (0, "start") if language.direction == "ltr" else (_WIDTH, "end")
    drawn.append(
        f'<text x="{edge}" y="{_TOP - 4}" text-anchor="{anchor}">'
        f"\u2068{escape(language.number(top))}\u2069</text>"
    )
    for number, bar in enumerate(bars):
        place = number if language.direction == "ltr" else len(bars) - 1 - number
        drawn += _bar(bar, place, len(bars), top)
        if number % -(-len(bars) // _TICKS) == 0:
            middle = (place + 0.5) * _WIDTH / len(bars)
            drawn.append(
                f'<text x="{middle:.1f}" y="{_HEIGHT - 5}" text-anchor="middle">'
                f"{escape(_tick(bar, language))}</text>"
            )
    title = language.text(f"report.chart.{bars[0].unit}")
    texts = [language.text("report.chart.band")]
    if most.visits:
        name, visits = _name(most, language), language.number(most.visits)
        texts.insert(0, language.text("report.chart.most", name=name, visits=visits))
    return (
        f"<h2>{escape(title)}</h2>\n<figure>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}" '
        f'direction="ltr">{"".join(drawn)}</svg>'
        f"<figcaption>{escape(' '.join(texts))}</figcaption></figure>"
    )


def _bar(bar: Bar, place: int, number: int, top: int) -> list[str]:
    """Visits as a bar, and the part of its time that the hotspot was on in the band."""
    step = _WIDTH / number
    x, width = place * step + step * 0.14, step * 0.72
    high, low = _BAND
    drawn = [_rect("none", x, high, width, low - high)] if bar.counted else []
    if bar.visits:
        height = max(bar.visits * (_FLOOR - _TOP) / top, 1.0)
        drawn.append(_rect("bar", x, _FLOOR - height, width, height))
    if bar.minutes:
        height = max(bar.minutes * (low - high) / bar.most, 1.0)
        drawn.append(_rect("on", x, low - height, width, height))
    return drawn


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
    )


def _round_up(visits: int) -> int:
    """A round number that is not smaller: 1, 2 or 5 and zeros."""
    top = 1
    while top < visits:
        top = top * 5 // 2 if str(top)[0] == "2" else top * 2
    return top


def _tick(bar: Bar, language: Language) -> str:
    if bar.unit == "hour":
        return language.number(bar.hour)
    return language.month(bar.day) if bar.unit == "month" else language.number(bar.day.day)


def _name(bar: Bar, language: Language) -> str:
    if bar.unit == "hour":
        return f"{bar.hour:02d}:00"
    return language.month(bar.day) if bar.unit == "month" else language.day(bar.day)
