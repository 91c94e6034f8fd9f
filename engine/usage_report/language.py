"""Texts, numbers and dates of the usage report in one of the languages of the page."""

from __future__ import annotations

import json
import pickle
import re
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from engine.settings.choices import LANGUAGES
from engine.times import first_day, next_first_day

if TYPE_CHECKING:
    from babel import Locale

RIGHT_TO_LEFT: Final = ("ar",)
_PLACE: Final = re.compile(r"\{(\w+)\}")

Text = str | dict[str, str]


class Language:
    """One language. Texts are those of the page, and the report's own."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.direction = "rtl" if code in RIGHT_TO_LEFT else "ltr"
        page = _read(f"{code}.json", "static", "src", "i18n")
        own = _read(f"{code}.json", __package__ or "", "texts")
        self._texts: dict[str, Text] = {**page, **own}

    @cached_property
    def locale(self) -> Locale:
        """What is known of the language's numbers and dates."""
        from babel import Locale  # noqa: PLC0415 (no other command needs it)

        _load_locale(self.code)
        return Locale(self.code)

    def text(self, key: str, **values: str | int) -> str:
        """A text with its places filled; `n` chooses the plural."""
        entry = self._texts[key]
        if isinstance(entry, dict):
            form = self.locale.plural_form(int(values["n"]))
            entry = entry.get(form) or entry["other"]

        def fill(place: re.Match[str]) -> str:
            value = values.get(place[1], place[0])
            return self.number(value) if isinstance(value, int) else value

        return _PLACE.sub(fill, entry)

    def text_or(self, key: str, default: str) -> str:
        """A text without places, or another where the language has none."""
        return self.text(key) if key in self._texts else default

    def number(self, n: int) -> str:
        """A whole number."""
        from babel.numbers import format_decimal  # noqa: PLC0415

        return format_decimal(n, locale=self.locale)

    def percent(self, part: int, whole: int) -> str:
        """A share; what is something is never shown as nothing, nor less than all as all."""
        from babel.numbers import format_percent  # noqa: PLC0415

        share = part / whole if whole > 0 else 0.0
        if 0 < share < 0.01:
            return f"< {format_percent(0.01, locale=self.locale)}"
        if 0.99 < share < 1:
            share = 0.99
        return format_percent(round(share, 2), locale=self.locale)

    def duration(self, minutes: int) -> str:
        """Hours and minutes."""
        hours, rest = divmod(minutes, 60)
        if not hours:
            return self.text("time.min", m=rest)
        return self.text("time.hmin", h=hours, m=rest) if rest else self.text("time.h", h=hours)

    def period(self, kind: str, label: str) -> str:
        """The name of a period."""
        from babel.dates import format_date  # noqa: PLC0415

        first = _first(kind, label)
        if kind == "D":
            return format_date(first, "full", locale=self.locale)
        if kind == "W":
            year, week, _ = first.isocalendar()
            return self.text("period.week", week=self.number(week), year=str(year))
        return self._date(first, {"M": "yMMMM", "Y": "y"}[kind])

    def days(self, kind: str, label: str) -> str:
        """The days that a period covers."""
        first = _first(kind, label)
        return self.stretch(first, next_first_day(kind, first) - timedelta(days=1))

    def stretch(self, first: date, last: date) -> str:
        """The days from one to another, both included."""
        from babel.dates import format_interval  # noqa: PLC0415

        if first == last:
            return self.period("D", first.isoformat())
        return format_interval(_noon(first), _noon(last), "yMMMd", locale=self.locale)

    def weekday_name(self, day: date) -> str:
        """The name of a day of the week."""
        from babel.dates import format_date  # noqa: PLC0415

        return format_date(day, "EEEE", locale=self.locale)

    @property
    def decimal_mark(self) -> str:
        """What stands before the tenths of a number."""
        from babel.numbers import get_decimal_symbol  # noqa: PLC0415

        return get_decimal_symbol(self.locale)

    def day(self, day: date) -> str:
        """A day without its year."""
        return self._date(day, "MMMd")

    def month(self, day: date) -> str:
        """The short name of a month."""
        return self._date(day, "MMM")

    def weekday(self, day: date) -> str:
        """The short name of a day of the week."""
        return self._date(day, "E")

    def instant(self, at: int, zone: ZoneInfo) -> str:
        """An instant as day and time in a zone."""
        from babel.dates import format_time  # noqa: PLC0415

        local = datetime.fromtimestamp(at, zone)
        time = format_time(local, "short", tzinfo=zone, locale=self.locale)
        return self.text("time.onDate", date=self._date(local.date(), "yMMMMd"), time=time)

    def _date(self, day: date, skeleton: str) -> str:
        from babel.dates import format_skeleton  # noqa: PLC0415

        return format_skeleton(skeleton, _noon(day), locale=self.locale)


def pick_language(wanted: str | None, environment: str) -> str:
    """The language that is wanted, else that of the environment (`LANG`), else English."""
    for tag in (wanted or "", environment):
        code = re.split(r"[-_.@]", tag.lower())[0]
        if code in LANGUAGES:
            return code
    return "en"


def _load_locale(code: str) -> None:
    """Give Babel the data of a language, which it would look for in a folder, not in an archive."""
    from babel import core, localedata  # noqa: PLC0415

    cache = localedata._cache  # noqa: SLF001
    if code not in cache:
        core._global_data = defaultdict(dict)  # noqa: SLF001 (names of regions and currencies)
        cache.update(_locales())


def _locales() -> dict[str, Any]:
    """What the build made of Babel's data; from a tree that was not built it is made now."""
    made = resources.files(__package__).joinpath("locales.pickle")
    if made.is_file():
        data = made.read_bytes()
    else:
        from engine.usage_report import locales  # noqa: PLC0415 (not in the archive)

        data = locales.pages()[locales.NAME]
    found: dict[str, Any] = pickle.loads(data)  # noqa: S301 (it travels in the archive)
    return found


def _first(kind: str, label: str) -> date:
    day = first_day(kind, label)
    assert day is not None, label
    return day


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def _read(name: str, package: str, *folders: str) -> dict[str, Any]:
    file = resources.files(package).joinpath(*folders, name)
    texts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return texts
