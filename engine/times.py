"""Hours, minutes, slots, periods and their labels. Pure: nothing here reads the clock.

Times are epoch seconds (UTC), periods are half-open intervals of them. An hour is named by the
epoch second of its start. Days, ISO weeks, months and years are those of one zone; an hour belongs
to the period in which it starts.

The tables of zones are those of the package tzdata, which travels with the program, whatever the
machine has: one log gives the same figures everywhere.
"""

from __future__ import annotations

import io
import pkgutil
import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from engine.errors import ConfigError, UsageError

HOUR_SECONDS: Final = 3600
MINUTE_SECONDS: Final = 60
SLOT_MINUTES: Final = 10
PERIOD_KINDS: Final = ("D", "M", "W", "Y")  # in the order of the REST API: as text
KEPT: Final = {"D": 7, "W": 4, "M": 12}  # newest stored labels per kind; years are all kept
TREND: Final = {"D": 7, "W": 4, "M": 12, "Y": 5}  # length of a run of neighbouring periods

# Event times outside of this are the mark of a broken clock or line, not of use.
EARLIEST_AT: Final = 946_684_800  # 2000-01-01T00:00:00Z
LATEST_AT: Final = 4_102_444_800  # 2100-01-01T00:00:00Z

# What people are shown lies between this and a day after now: no hotspot is older than the logs of
# Caddy 2, and a clock that was never set begins in 1970 or 2000.
EARLIEST_POSSIBLE: Final = 1_577_836_800  # 2020-01-01T00:00:00Z
_LONGEST_AHEAD: Final = 86_400
MADE_AT: Final = 1_767_225_600  # 2026-01-01T00:00:00Z
"""A clock that shows less is wrong, as the program was not there yet; records may be older."""

zoneinfo.reset_tzpath(())  # no tables but those of tzdata, not even with PYTHONTZPATH

_ZONE = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")
_NO_ZONES: Final = ("localtime", "posixrules", "factory", "local", "system")
"""Names that mean another zone on each machine, or none."""

_LABEL = {
    "D": re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})"),
    "W": re.compile(r"([0-9]{4})[ -]W([0-9]{2})"),
    "M": re.compile(r"([0-9]{4})-([0-9]{2})"),
    "Y": re.compile(r"([0-9]{4})"),
}


@dataclass(frozen=True, order=True)
class Period:
    """A day, week, month or year: `[start, end)` in epoch seconds."""

    kind: str
    label: str
    start: int
    end: int


def hour_of(at: float) -> int:
    """The hour (epoch second of its start) of an instant."""
    return int(at // HOUR_SECONDS) * HOUR_SECONDS


def is_possible(at: int, now: int) -> bool:
    """Whether a line that is read now can have been written at this instant."""
    return MADE_AT <= at < latest_possible(now)


def minute_bit(at: int) -> int:
    """The bit of an instant's minute in its hour's set of minutes."""
    return 1 << (at % HOUR_SECONDS // MINUTE_SECONDS)


def slots(minutes: int) -> int:
    """How many ten-minute slots of an hour hold an active minute (0 to 6).

    `minutes` is a set as 60 bits. Slots are aligned on the first active minute.
    """
    count = 0
    while minutes:
        first = (minutes & -minutes).bit_length() - 1
        if not count:
            minutes >>= first
            first = 0
        start = first // SLOT_MINUTES * SLOT_MINUTES
        minutes = minutes >> (start + SLOT_MINUTES) << (start + SLOT_MINUTES)
        count += 1
    return min(count, 6)


def latest_possible(now: int) -> int:
    """From here on, nothing that was counted can be of its time."""
    return now + _LONGEST_AHEAD


def load_zone(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises ConfigError for another, with what may be meant."""
    if _ZONE.fullmatch(name) and name.lower() not in _NO_ZONES:
        try:
            return _zone(name)
        except (OSError, ValueError, ImportError, KeyError):  # KeyError: there is no such zone
            pass
    meant = _zone_meant(name)
    hint = f"write {meant}" if meant else "give an IANA name, such as Africa/Bamako or UTC"
    if name.lower().rpartition("/")[2] in _NO_ZONES:
        hint = "that is another zone on each machine: " + hint
    raise ConfigError(f"time zone {name[:100]!r} is not known", f"{hint} (--timezone, TZ)")


@cache
def _zone(name: str) -> ZoneInfo:
    """As `ZoneInfo(name)`, which lists the whole archive first: a tenth of the time of `replay`."""
    table = pkgutil.get_data("tzdata", f"zoneinfo/{name}") or b""
    return ZoneInfo.from_file(io.BytesIO(table), key=name)


def _zone_meant(name: str) -> str:
    """The zone that is meant by another spelling of its name; empty when there is none."""
    name = re.sub(r".*zoneinfo[^/]*/|posix/|right/", "", name.strip().lower().replace(" ", "_"))
    known = {zone.lower(): zone for zone in zoneinfo.available_timezones()}
    return known.get(name, "") if name not in _NO_ZONES else ""


def zone_data(name: str) -> str:
    """The version of the tables that the hours of a zone go by; empty for UTC, which has none."""
    return "" if name == "UTC" else zone_data_version()


def zone_data_version() -> str:
    """The version of IANA's tables that come with this program, such as `2026f`."""
    import tzdata  # noqa: PLC0415 (its tables are read without it)

    return str(tzdata.IANA_VERSION)


def label_of(kind: str, day: date) -> str:
    """The label of the period of that kind in which a local day lies."""
    if kind == "D":
        return f"{day:%Y-%m-%d}" if day.year > 999 else day.isoformat()
    if kind == "W":
        year, week, _ = day.isocalendar()
        return f"{year:04d} W{week:02d}"
    if kind == "M":
        return f"{day.year:04d}-{day.month:02d}"
    return f"{day.year:04d}"


@lru_cache(maxsize=4096)
def labels_of_hour(hour: int, zone: ZoneInfo) -> tuple[tuple[str, str], ...]:
    """The four (kind, label) of the periods that an hour belongs to."""
    day = datetime.fromtimestamp(hour, zone).date()
    return tuple((kind, label_of(kind, day)) for kind in PERIOD_KINDS)


def local_day(at: int, zone: ZoneInfo) -> date:
    """The local calendar day of an instant."""
    return datetime.fromtimestamp(at, zone).date()


def local_hour(at: int, zone: ZoneInfo) -> int:
    """The local hour of the day (0 to 23) of an instant."""
    return datetime.fromtimestamp(at, zone).hour


def day_start(day: date, zone: ZoneInfo) -> int:
    """Epoch second at which a local day begins (also where midnight is skipped)."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def first_day(kind: str, label: str) -> date | None:
    """The first day of the period of a label; None for a label that is none."""
    match = _LABEL[kind].fullmatch(label)
    if match is None:
        return None
    numbers = [int(part) for part in match.groups()]
    try:
        if kind == "W":
            return date.fromisocalendar(numbers[0], numbers[1], 1)
        return date(*[*numbers, 1, 1][:3])
    except ValueError:
        return None


def next_first_day(kind: str, day: date) -> date:
    """The first day of the period after the one that begins on `day`."""
    if kind == "D":
        return day + timedelta(days=1)
    if kind == "W":
        return day + timedelta(days=7)
    if kind == "M":
        return date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return date(day.year + 1, 1, 1)


def period_of(kind: str, label: str, zone: ZoneInfo) -> Period | None:
    """The period of a label (`2026 W24` and `2026-W24` alike); None for one that is none.

    Years from 1971 to 9998 only: what lies outside has no instant that a clock can hold.
    """
    day = first_day(kind, label)
    if day is None or not 1971 <= day.year <= 9998:
        return None
    following = next_first_day(kind, day)
    return Period(kind, label_of(kind, day), day_start(day, zone), day_start(following, zone))


def period_at(kind: str, at: int, zone: ZoneInfo) -> Period:
    """The period of that kind in which an instant lies."""
    found = period_of(kind, label_of(kind, local_day(at, zone)), zone)
    if found is None:
        raise UsageError(f"no {kind} period at {at}")
    return found


def previous_period(period: Period, zone: ZoneInfo) -> Period | None:
    """The calendar predecessor of a period."""
    day = first_day(period.kind, period.label)
    if day is None:
        return None
    return period_of(period.kind, label_of(period.kind, day - timedelta(days=1)), zone)


def next_period(period: Period, zone: ZoneInfo) -> Period | None:
    """The calendar successor of a period."""
    day = first_day(period.kind, period.label)
    if day is None:
        return None
    return period_of(period.kind, label_of(period.kind, next_first_day(period.kind, day)), zone)


def run_ending_at(kind: str, label: str, length: int) -> list[str]:
    """`length` consecutive calendar labels, oldest first, the last one being `label`."""
    labels: list[str] = []
    day = first_day(kind, label)
    while day is not None and len(labels) < length and day.year > 1:
        labels.append(label_of(kind, day))
        day = first_day(kind, label_of(kind, day - timedelta(days=1)))
    return labels[::-1]


def parse_period(text: str, now: int, zone: ZoneInfo) -> Period:
    """The period that a person names on the command line.

    `2026-06-14`, `2026-W24`, `2026-06`, `2026`, `today`, `yesterday`, `this-week`,
    `this-month`, `this-year`. Raises UsageError for anything else.
    """
    names = {"today": "D", "this-week": "W", "this-month": "M", "this-year": "Y"}
    found: Period | None = None
    word = text.strip()
    if word in names:
        found = period_at(names[word], now, zone)
    elif word == "yesterday":
        found = previous_period(period_at("D", now, zone), zone)
    else:
        for kind in PERIOD_KINDS:
            found = found or period_of(kind, word, zone)
    if found is None:
        raise UsageError(
            f"{text!r} names no period",
            "give a day (2026-06-14), a week (2026-W24), a month (2026-06), a year (2026), "
            "or today, yesterday, this-week, this-month, this-year",
        )
    return found


def set_minutes(minutes: int) -> Iterator[int]:
    """The minutes (0 to 59) that are in a set of 60 bits, ascending."""
    while minutes:
        lowest = minutes & -minutes
        yield lowest.bit_length() - 1
        minutes ^= lowest
