"""A usage report as HTML: one file that needs no other, no script and no network."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from importlib import resources
from zoneinfo import ZoneInfo

from engine.text import rounded_minutes
from engine.usage_report.chart import chart_of
from engine.usage_report.content import Content, Figure
from engine.usage_report.language import Language

FEW = 20
"""Below this many, a change is said as a difference: percentages of few things mislead."""
MANY_TIMES = 3
"""From three times as much on, a change is said as a multiple."""


@dataclass(frozen=True)
class Hotspot:
    """Whose report it is, and what the operator adds to it."""

    name: str
    identity: str
    zone: ZoneInfo
    note: str = ""
    logo: str = ""
    """An image as a `data:` address."""


def page_of(content: Content, hotspot: Hotspot, language: Language, now: int) -> str:
    """The whole document."""
    t = language.text
    kind, label = content.period.kind, content.period.label
    name = language.period(kind, label)
    hotspot_name = hotspot.name or t("app.hotspot")
    style = resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    days = "" if kind == "D" else f"<p>{escape(language.days(kind, label))}</p>"
    whose = f"<p>{escape(t('print.report'))} · <bdi>{escape(hotspot_name)}</bdi></p>"
    logo = f'<img src="{escape(hotspot.logo)}" alt="">' if hotspot.logo else ""
    note = f'<p class="own">{escape(hotspot.note)}</p>' if hotspot.note else ""
    foot = [
        t("print.made", date=language.instant(now, hotspot.zone)),
        t("report.timezone", timezone=hotspot.zone.key),
        t("report.id", id=hotspot.identity),
    ]
    parts = [
        f"<header>{logo}{whose}<h1>{escape(name)}</h1>{days}</header>",
        note,
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
        f"<style>\n{_every_page(hotspot_name, name)}{style}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _every_page(hotspot_name: str, period: str) -> str:
    """The style that writes whose report of which period it is on every printed page."""
    text = "".join(f"\\{ord(letter):x} " for letter in f"{hotspot_name} – {period}"[:120])
    small = "color: #4a535a; font: 9px sans-serif;"
    return (
        f'@page {{\n  @bottom-left {{ content: "{text}"; {small} }}\n'
        f'  @bottom-right {{ content: counter(page) " / " counter(pages); {small} }}\n}}\n'
    )


def _nothing(language: Language) -> str:
    return f'<p class="summary">{escape(language.text("report.nothing"))}</p>'


def _figures(content: Content, language: Language) -> list[str]:
    return [
        f'<p class="summary">{escape(_summary(content, language))}</p>',
        '<ul class="figures">'
        + "".join(_figure(figure, content, language) for figure in content.figures)
        + "</ul>",
        chart_of(content.bars, language),
        _packages(content, language),
    ]


def _summary(content: Content, language: Language) -> str:
    values = {figure.name: figure.value for figure in content.figures}
    without_days = content.period.kind == "D" or content.days_on is None
    return language.text(
        "report.summaryDay" if without_days else "report.summary",
        uptime=language.duration(values["Uptime.nbMinutesOn"]),
        usage=language.duration(values["TotalUsage.totalMinutesActivity"]),
        n=values["PackagePopularity.totalVisits"],
        daysOn=content.days_on or 0,
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
    if content.missing_days:
        texts.append(t("report.missing", n=content.missing_days))
    if content.before and not content.fair:
        texts.append(t("report.unfair", previous=t(f"previous.{period.kind}")))
    if content.clock_steps:
        most = max(abs(seconds) for _, seconds in content.clock_steps)
        text = language.duration(max(1, rounded_minutes(most)))
        texts.append(t("report.clockSet", n=len(content.clock_steps), most=text))
    else:
        texts.append(t("report.clockSteady"))
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<h2>{escape(t("report.about"))}</h2><ul class="texts">{items}</ul>'
