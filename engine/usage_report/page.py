"""A usage report as HTML: one file that needs no other, no script and no network."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from importlib import resources
from zoneinfo import ZoneInfo

from engine.usage_report.content import Bar, Content, Figure
from engine.usage_report.language import Language

FEW = 20
"""Below this many, a change is said as a difference: percentages of few things mislead."""
MANY_TIMES = 3
"""From three times as much on, a change is said as a multiple."""

_WIDTH, _HEIGHT, _TOP, _BOTTOM = 720, 150, 16, 18
_GRID = {"hour": 60, "day": 4 * 60, "month": 60 * 60}
"""The line at the top of the chart is at a multiple of so many minutes."""


@dataclass(frozen=True)
class Hotspot:
    """Whose report it is."""

    name: str
    identity: str
    zone: ZoneInfo


def page_of(content: Content, hotspot: Hotspot, language: Language, now: int) -> str:
    """The whole document."""
    t = language.text
    kind, label = content.period.kind, content.period.label
    name = language.period(kind, label)
    hotspot_name = hotspot.name or t("app.hotspot")
    style = resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    days = "" if kind == "D" else f"<p>{escape(language.days(kind, label))}</p>"
    whose = f"<p>{escape(t('print.report'))} · <bdi>{escape(hotspot_name)}</bdi></p>"
    foot = [
        t("print.made", date=language.instant(now, hotspot.zone)),
        t("report.timezone", timezone=hotspot.zone.key),
        t("report.id", id=hotspot.identity),
    ]
    parts = [
        f"<header>{whose}<h1>{escape(name)}</h1>{days}</header>",
        *(_figures(content, language) if content.has_figures else [_nothing(language)]),
        _completeness(content, hotspot, language, now),
        f'<p class="note">{escape(t("print.note"))}</p>',
        f"<footer>{' · '.join(map(escape, foot))}</footer>",
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="{language.code}" dir="{language.direction}">\n'
        '<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(f'{hotspot_name} – {name}')}</title>\n"
        f"<style>\n{style}</style>\n</head>\n<body>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def _nothing(language: Language) -> str:
    return f'<p class="summary">{escape(language.text("report.nothing"))}</p>'


def _figures(content: Content, language: Language) -> list[str]:
    return [
        f'<p class="summary">{escape(_summary(content, language))}</p>',
        '<ul class="figures">'
        + "".join(_figure(figure, content, language) for figure in content.figures)
        + "</ul>",
        _chart(content.bars, language),
        _packages(content, language),
    ]


def _summary(content: Content, language: Language) -> str:
    values = {figure.name: figure.value for figure in content.figures}
    return language.text(
        "report.summaryDay" if content.period.kind == "D" else "report.summary",
        uptime=language.duration(values["Uptime.nbMinutesOn"]),
        usage=language.duration(values["TotalUsage.totalMinutesActivity"]),
        n=values["PackagePopularity.totalVisits"],
        daysOn=content.days_on,
        days=content.days,
    )


def _figure(figure: Figure, content: Content, language: Language) -> str:
    shown = _shown(figure.value, figure, language)
    parts = [
        f"<li>{escape(language.text_or(figure.name, figure.title))}<strong>{escape(shown)}</strong>"
    ]
    is_uptime = figure.name == "Uptime.nbMinutesOn"
    if is_uptime and content.period.kind != "D" and not content.running:
        a_day = language.duration(round(figure.value / content.days))
        parts.append(f"<small>{escape(language.text('report.perDay', time=a_day))}</small> ")
    if content.fair:
        previous = language.text(f"previous.{content.period.kind}")
        if figure.value == figure.before:
            texts = [language.text("report.same", previous=previous)]
        else:
            before = _shown(figure.before, figure, language)
            was = language.text("report.before", before=before, previous=previous)
            texts = [change(figure, language), was]
        parts += [f"<small>{escape(text)}</small>" for text in texts]
    return "".join(parts) + "</li>"


def _shown(value: int, figure: Figure, language: Language) -> str:
    return language.duration(value) if figure.is_duration else language.number(value)


def change(figure: Figure, language: Language) -> str:
    """A change: a difference of few, a share, or a multiple. Isolated from the text's direction."""
    value, before = figure.value, figure.before
    sign = "+" if value > before else "−"
    if before and value >= MANY_TIMES * before and value >= FEW:
        text = f"× {language.number(round(value / before))}"
    elif min(value, before) < FEW or not before:
        text = sign + _shown(abs(value - before), figure, language)
    else:
        text = sign + language.percent(abs(value - before), before)
    return f"\u2066{text}\u2069"


def _chart(bars: list[Bar], language: Language) -> str:
    """Minutes on, as bars from left to right (or right to left) with a sentence below."""
    step = _WIDTH / len(bars)
    most = max(bars, key=lambda bar: bar.minutes)
    floor = _HEIGHT - _BOTTOM
    top = min(-(-most.minutes // _GRID[most.unit]) * _GRID[most.unit], most.most)
    scale = (floor - _TOP) / (top or 1)
    drawn = [f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{y}" y2="{y}"/>' for y in (floor, _TOP)]
    edge, anchor = (0, "start") if language.direction == "ltr" else (_WIDTH, "end")
    drawn.append(
        f'<text x="{edge}" y="{_TOP - 4}" text-anchor="{anchor}">'
        f"\u2068{escape(language.duration(top))}\u2069</text>"
    )
    every = -(-len(bars) // 16)
    for number, bar in enumerate(bars):
        place = number if language.direction == "ltr" else len(bars) - 1 - number
        x, width = place * step + step * 0.14, step * 0.72
        height = max(bar.minutes * scale, 1.0)
        kind = "bar" if bar.minutes else "none"
        drawn.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{floor - height:.1f}" '
            f'width="{width:.1f}" height="{height:.1f}"/>'
        )
        if number % every == 0:
            drawn.append(
                f'<text x="{x + width / 2:.1f}" y="{_HEIGHT - 5}" text-anchor="middle">'
                f"{escape(_tick(bar, language))}</text>"
            )
    title = language.text(f"report.chart.{bars[0].unit}")
    longest = language.text(
        "report.chart.longest", name=_name(most, language), time=language.duration(most.minutes)
    )
    return (
        f"<h2>{escape(title)}</h2>\n<figure>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}" '
        f'direction="ltr">{"".join(drawn)}</svg>'
        f"<figcaption>{escape(longest)}</figcaption></figure>"
    )


def _tick(bar: Bar, language: Language) -> str:
    if bar.unit == "hour":
        return language.number(bar.hour)
    return language.month(bar.day) if bar.unit == "month" else language.number(bar.day.day)


def _name(bar: Bar, language: Language) -> str:
    if bar.unit == "hour":
        return f"{bar.hour:02d}:00"
    return language.month(bar.day) if bar.unit == "month" else language.day(bar.day)


def _packages(content: Content, language: Language) -> str:
    t = language.text
    heading = f"<h2>{escape(t('report.packages'))}</h2>"
    if not content.packages:
        return f"{heading}<p>{escape(t('report.noPackages'))}</p>"
    with_before = content.fair
    previous = t(f"previous.{content.period.kind}")
    visits, time = t("popularity.title"), t("usage.title")
    columns = [visits, *([f"{visits}, {previous}"] if with_before else []), time]
    head = f"<th>{escape(t('table.package'))}</th>" + "".join(
        f'<th class="n">{escape(column)}</th>' for column in columns
    )
    rows = []
    for package in content.packages:
        title = package.title or t("report.remainder")
        cells = [
            language.number(package.visits),
            *([language.number(package.visits_before)] if with_before else []),
            language.duration(package.minutes),
        ]
        rows.append(
            f"<tr><td><bdi>{escape(title)}</bdi></td>"
            + "".join(f'<td class="n">{escape(cell)}</td>' for cell in cells)
            + "</tr>"
        )
    return (
        f"{heading}\n<table><thead><tr>{head}</tr></thead><tbody>\n"
        + "\n".join(rows)
        + f'\n</tbody></table>\n<p class="note">{escape(t("usage.overlap"))}</p>'
    )


def _completeness(content: Content, hotspot: Hotspot, language: Language, now: int) -> str:
    t, period = language.text, content.period
    texts = []
    since = content.counted_from
    if content.running:
        texts.append(t("report.running", time=language.instant(now, hotspot.zone)))
    if since is not None and period.start < since < period.end:
        texts.append(t("report.from", time=language.instant(since, hotspot.zone)))
    if not texts and since is not None and since <= period.start:
        texts.append(t("report.whole"))
    if content.before and not content.fair:
        texts.append(t("report.unfair", previous=t(f"previous.{period.kind}")))
    if content.clock_steps:
        most = max(abs(seconds) for _, seconds in content.clock_steps)
        text = language.duration(-(-most // 60))
        texts.append(t("report.clockSet", n=len(content.clock_steps), most=text))
    else:
        texts.append(t("report.clockSteady"))
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<h2>{escape(t("report.about"))}</h2><ul class="texts">{items}</ul>'
