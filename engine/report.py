"""What the REST API and the command line show: KPIs by period, from the store.

Answers are JSON-ready dicts in the shapes of `/api/v1/openapi.json`. Nothing here writes to the
database, and where an answer depends on the time, `now` is an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from engine import kpis
from engine.indicators import uptime
from engine.kpis.model import NO_DATA, Summary
from engine.store.reader import Reader
from engine.times import (
    EARLIEST_POSSIBLE,
    HOUR_SECONDS,
    KEPT,
    MINUTE_SECONDS,
    PERIOD_KINDS,
    TREND,
    Period,
    labels_of_hour,
    latest_possible,
    load_zone,
    local_day,
    next_period,
    period_of,
    previous_period,
    run_ending_at,
)

if TYPE_CHECKING:  # figures of any stretch are loaded by those who show them
    from engine.figures.answers import Query
    from engine.figures.figures import Known
    from engine.store.hourly_figures import HourlyFigures

Json = dict[str, Any]


class Report:
    """Answers about one database. One per thread; not to be shared."""

    def __init__(self, reader: Reader, zone: ZoneInfo | None = None) -> None:
        self.reader = reader
        stored = str(reader.get("timezone", "UTC"))
        self.zone = zone or load_zone(stored)
        self._stored_zone = self.zone.key == stored

    def version(self) -> str:
        """Changes with every commit of another connection; only compared by this object."""
        return str(self.reader.data_version())

    def close(self) -> None:
        """Close the reader."""
        self.reader.close()

    # The compatible routes

    def labels(self, kind: str) -> list[str]:
        """The labels of a kind that are kept, ascending: the newest ones, and every year."""
        labels = set(self.reader.stored_labels(kind)) if self._stored_zone else set()
        if self._stored_zone:
            for hour in self.reader.state_hours():
                labels.add(dict(labels_of_hour(hour, self.zone))[kind])
        else:
            found = self._periods(kind, sorted(self.reader.labels_by_kind(self.zone)[kind]))
            labels = {label for label, period in found if not self._is_purged(period)}
        return sorted(labels)[-KEPT.get(kind, len(labels) + 1) :]

    def aggregations(self) -> Json:
        """Every kept label: `{"aggregations": [{"kind", "value"}]}`."""
        with self.reader.snapshot():
            labels = {kind: self.labels(kind) for kind in PERIOD_KINDS}
        return {
            "aggregations": [
                {"kind": kind, "value": label} for kind in PERIOD_KINDS for label in labels[kind]
            ]
        }

    def aggregation(self, kind: str) -> Json:
        """All KPIs of all kept periods of a kind."""
        with self.reader.snapshot():
            kept = self.labels(kind)
            axis = self._values_all(kind, kept)
            labels = [label for label in kept if label in axis]  # the kept ones may lie far apart
            found = {label: self.summary(p) for label, p in self._periods(kind, labels)}
        return {
            "aggKind": kind,
            "valuesAvailable": labels,
            "valuesAll": axis,
            "kpis": [
                {
                    "kpiId": kpi.id,
                    "values": [
                        {"aggValue": label, "kpiValue": kpi.compute(found[label])}
                        for label in labels
                    ],
                }
                for kpi in kpis.COMPATIBLE.values()
                if labels
            ],
        }

    def _periods(self, kind: str, labels: list[str]) -> list[tuple[str, Period]]:
        found = [(label, period_of(kind, label, self.zone)) for label in labels]
        return [(label, period) for label, period in found if period is not None]

    def _values_all(self, kind: str, labels: list[str]) -> list[str]:
        if not labels:
            return []
        length = KEPT.get(kind) or int(labels[-1]) - int(labels[0]) + 1
        return run_ending_at(kind, labels[-1], length)

    def kpi_value(self, kpi_id: int, kind: str, label: str) -> Json | None:
        """One KPI of a kept period; None when there is none."""
        period = period_of(kind, label, self.zone)
        kpi = kpis.COMPATIBLE.get(kpi_id)
        if kpi is None or period is None:
            return None
        with self.reader.snapshot():
            if label not in self.labels(kind):
                return None
            return {"kpiId": kpi_id, "value": kpi.compute(self.summary(period))}

    # Our own routes

    def summary(self, period: Period) -> Summary:
        """What the store knows of a period: as stored, else from its records."""
        if self._is_stored(period):
            return Summary(self.reader.stored_sums(period, self.zone))
        if self._is_purged(period):
            return NO_DATA
        return Summary(self.reader.computed_sums(period, self.zone))

    def _is_stored(self, period: Period) -> bool:
        return self._stored_zone and period.label in self.reader.stored_labels(period.kind)

    def _is_purged(self, period: Period) -> bool:
        """Whether a period can no longer be computed: it began before the oldest kept record."""
        return period.start < int(self.reader.get("complete_from", 0))

    def is_gone(self, period: Period) -> bool:
        """Whether there were figures once that nobody can compute any more."""
        return self._is_purged(period) and not self._is_stored(period)

    def known_periods(self) -> list[Period]:
        """Every period that can be shown, newest first."""
        labels = self.reader.labels_by_kind(self.zone)
        if self._stored_zone:
            for kind in PERIOD_KINDS:
                labels[kind].update(self.reader.stored_labels(kind))
        found = [p for kind in PERIOD_KINDS for _, p in self._periods(kind, sorted(labels[kind]))]
        found = [period for period in found if not self.is_gone(period)]
        return sorted(found, key=lambda p: (-p.start, "DWMY".index(p.kind)))

    def periods(self, now: int) -> Json:
        """Every period of a possible date, newest first, and what was counted of other dates."""
        from engine.figures.known import impossible

        latest = latest_possible(now)
        with self.reader.snapshot():
            periods = self.known_periods()
            counted_from = self.figure_source(now)[1].counted_from
            apart = impossible(self.reader, now)
        return {
            "timezone": self.zone.key,
            "countedFrom": counted_from,
            "impossible": apart,
            "periods": [
                self._describe(period, now)
                for period in periods
                if period.end > EARLIEST_POSSIBLE and period.start < latest
            ],
        }

    def figure_source(self, now: int) -> tuple[HourlyFigures, Known]:
        """What figures of any stretch are made from; within one snapshot."""
        from engine.figures.known import read_known
        from engine.store.hourly_figures import HourlyFigures

        known = read_known(self.reader, self.zone, now, has_totals=self._stored_zone)
        return HourlyFigures(self.reader.connection), known

    def figures(self, query: Query, now: int) -> Json:
        """Figures of any stretch of days."""
        from engine.figures.answers import figures_answer

        with self.reader.snapshot():
            return figures_answer(*self.figure_source(now), query)

    def packages(self, now: int) -> Json:
        """Every package, and when it was used."""
        from engine.figures.packages import hours_of_use, package_list
        from engine.packages import Packages

        with self.reader.snapshot():
            stored = self.reader.get("packages")
            used = hours_of_use(self.reader, self.figure_source(now)[1])
        return package_list(Packages() if stored is None else Packages.from_json(stored), used)

    def _describe(self, period: Period, now: int) -> Json:
        return {
            "aggKind": period.kind,
            "aggValue": period.label,
            "start": period.start,
            "end": period.end,
            "complete": period.end <= now,
        }

    def kpi_list(self, summary: Summary) -> list[Json]:
        """Every KPI of a period, by id: `[{"kpiId", "value"}]`."""
        return [{"kpiId": kpi.id, "value": kpi.compute(summary)} for kpi in kpis.ALL]

    def _with_kpis(self, period: Period, now: int, summary: Summary) -> Json:
        elapsed = min(max(now, period.start), period.end) - period.start
        return {
            **self._describe(period, now),
            "hasData": summary.has_data(),
            "elapsedMinutes": elapsed // MINUTE_SECONDS,
            "kpis": self.kpi_list(summary),
        }

    def period(self, kind: str, label: str, now: int) -> Json | None:
        """One period with all KPIs, its neighbours and its trend; None for no label, or if gone."""
        period = period_of(kind, label, self.zone)
        if period is None:
            return None
        with self.reader.snapshot():
            return None if self.is_gone(period) else self._period(period, now)

    def _period(self, period: Period, now: int) -> Json:
        from engine.figures.answers import period_answer

        summary = self.summary(period)
        before, after = previous_period(period, self.zone), next_period(period, self.zone)
        return {
            **self._with_kpis(period, now, summary),
            **period_answer(*self.figure_source(now), period),
            "others": kpis.others(summary),
            "uptime": self.uptime(period),
            "previous": self._with_kpis(before, now, self.summary(before)) if before else None,
            "next": {
                **self._describe(after, now),
                "hasData": self.summary(after).has_data(),
            }
            if after
            else None,
            "trend": self._trend(period, now),
        }

    def uptime(self, period: Period) -> Json | None:
        """Minutes on of each hour (of a day or week) or local day (of a month or year), in order.

        None when no hour of the period has a record any more.
        """
        by_hour = self.reader.values_by_hour(uptime.id, period)
        if not by_hour:
            return None
        if period.kind in "DW":
            hours = (period.end - period.start + HOUR_SECONDS - 1) // HOUR_SECONDS
            minutes = [0] * hours
            for hour, value in by_hour.items():
                minutes[(hour - period.start) // HOUR_SECONDS] += value
            return {"unit": "hour", "minutes": minutes}
        first = local_day(period.start, self.zone)
        days = (local_day(period.end - 1, self.zone) - first).days + 1
        minutes = [0] * days
        for hour, value in by_hour.items():
            minutes[(local_day(hour, self.zone) - first).days] += value
        return {"unit": "day", "minutes": minutes}

    def _trend(self, period: Period, now: int) -> list[Json]:
        points = []
        labels = run_ending_at(period.kind, period.label, TREND[period.kind])
        for label, neighbour in self._periods(period.kind, labels):
            summary = self.summary(neighbour)
            points.append(
                {
                    "aggValue": label,
                    "start": neighbour.start,
                    "end": neighbour.end,
                    "complete": neighbour.end <= now,
                    "hasData": summary.has_data(),
                    **kpis.headlines(summary),
                }
            )
        return points

    def as_command_line(self, period: Period) -> Json:
        """`{"aggKind", "aggValue", "kpis"}`: what `kpis` and `replay` print as JSON."""
        with self.reader.snapshot():
            summary = self.summary(period)
        return {
            "aggKind": period.kind,
            "aggValue": period.label,
            "kpis": self.kpi_list(summary),
        }
