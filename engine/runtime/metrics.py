"""`/metrics`: the process in the text format of Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.inputs.model import FATES
from engine.runtime import clock
from engine.settings.choices import SOURCES
from engine.verdict import Code, State

if TYPE_CHECKING:
    from engine.runtime.service_status import ServiceStatus

_Sample = tuple[str, float]


class _Page:
    """The text as it is made."""

    def __init__(self) -> None:
        self.out: list[str] = []

    def add(self, name: str, kind: str, text: str, *samples: _Sample) -> None:
        """One metric, with its samples: labels and value."""
        self.out.append(f"# HELP offspot_metrics_{name} {text}")
        self.out.append(f"# TYPE offspot_metrics_{name} {kind}")
        self.out.extend(f"offspot_metrics_{name}{labels} {value!r}" for labels, value in samples)


def metrics_of(status: ServiceStatus) -> str:
    """All metrics of the process."""
    page = _Page()
    add = page.add
    add("build_info", "gauge", "The version.", (f'{{version="{status.version}"}}', 1))
    fates: list[_Sample] = [(f'{{fate="{fate}"}}', status.fates[fate]) for fate in FATES]
    add("lines_total", "counter", "Log lines by fate.", *fates)
    _add_reader(page, status)
    add("saves_total", "counter", "Commits to the database.", ("", status.saves))
    if status.saved_monotonic:
        age = clock.monotonic() - status.saved_monotonic
        add("last_save_age_seconds", "gauge", "Seconds since the last commit.", ("", age))
    add("queue_depth", "gauge", "Chunks waiting to be counted.", ("", status.queue_depth))
    add("lost_bytes_total", "counter", "Bytes known to be lost.", ("", status.lost_bytes))
    lost = int(status.lost_at_least)
    add("lost_at_least", "gauge", "1 when more may be lost than is known.", ("", lost))
    add("clock_steps_total", "counter", "Steps of the wall clock.", ("", len(status.steps)))
    logs = status.lost_logs
    add("lost_logs_total", "counter", "Logs of which something was lost.", ("", logs))
    steady = status.steady_seconds
    add("clock_steady_seconds", "gauge", "How long the clock has been steady.", ("", steady))
    add("database_bytes", "gauge", "Size of the database.", ("", status.database_bytes()))
    _add_verdict(page, status)
    return "\n".join(page.out) + "\n"


def _add_reader(page: _Page, status: ServiceStatus) -> None:
    look = status.look
    if look is None:
        return
    kinds: list[_Sample] = [(f'{{kind="{k}"}}', int(look.kind == k)) for k in SOURCES]
    page.add("reader_active", "gauge", "Which reader is at work.", *kinds)
    lag = look.lag_bytes
    page.add("reader_lag_bytes", "gauge", "Bytes in the logs not read yet.", ("", lag))
    page.add("reader_restarts_total", "counter", "Ends of Filebeat.", ("", look.restarts))
    page.add("reader_repairs_total", "counter", "Reads ahead of Filebeat.", ("", look.repairs))


def _add_verdict(page: _Page, status: ServiceStatus) -> None:
    verdict = status.verdict()
    healthy = int(not status.health())
    page.add("healthy", "gauge", "1 when healthy.", ("", healthy))
    states = [(f'{{state="{s.value}"}}', int(s is verdict.state)) for s in State]
    page.add("verdict", "gauge", "1 for the state of the verdict, else 0.", *states)
    codes = {reason.code for reason in verdict.reasons}
    reasons = [(f'{{code="{code.value}"}}', int(code in codes)) for code in Code]
    page.add("verdict_reason", "gauge", "1 for each reason of the verdict, else 0.", *reasons)
