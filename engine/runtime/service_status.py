"""What the process knows of its own health, for `/health`, `/metrics` and the status page.

Threads that answer requests read it. Attributes are only ever replaced, by the main thread, so that
they see an old or a new value.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.api.hosts import names_of_hotspot
from engine.hosts import ascii_name, without_port
from engine.inputs.model import FATES
from engine.packages import Packages
from engine.runtime import clock, evidence
from engine.runtime.evidence import MAX_PROBLEMS, NewestLines
from engine.runtime.metrics import metrics_of
from engine.settings import Config
from engine.sources.model import Look
from engine.store.files import free_bytes
from engine.verdict import Probe, Verdict, judge
from engine.verdict.evidence import Silence


@dataclass
class ServiceStatus:
    """The state of a running `serve`. Owned by the main thread; others only read."""

    version: str
    config: Config
    timezone: str = "UTC"
    site_id: str = ""
    logo: str | None = None
    """Path of the logo that the operator has put next to the dashboard."""
    packages: Packages = field(default_factory=Packages)
    packages_problem: str = ""
    waits_for_packages: bool = False
    """There were none since the start, so that nothing is counted yet."""
    host_names: frozenset[str] = frozenset()
    """Names under which visitors may ask for the dashboard."""
    look: Look | None = None
    """What the source of the logs saw last; None where there is none."""
    fates: Counter[str] = field(default_factory=Counter)
    last_seen: dict[str, int] = field(default_factory=dict)
    collecting_since: int | None = None
    last_line_at: int | None = None
    newest: NewestLines = field(default_factory=NewestLines)
    """What became of the newest lines."""
    silence: Silence = field(default_factory=Silence)
    """How long no package was used, as of the last full hour."""
    started_at: int = 0
    started_monotonic: float = field(default_factory=clock.monotonic)
    saved_at: int | None = None
    saved_monotonic: float = 0.0
    unsaved_since: float | None = None
    """Since when there is something to save that cannot wait (monotonic)."""
    beat_at: float = 0.0
    """When the main thread last did something (monotonic)."""
    save_problem: str = ""
    saves: int = 0
    queue_depth: int = 0
    lost_bytes: int = 0
    lost_at_least: bool = False
    lost_logs: int = 0
    """Logs of which something was lost."""
    clock_trusted: bool | None = None
    steady_seconds: int = 0
    steps: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=20))
    backup_age: int = 0
    """Seconds of running since the last backup."""
    not_counted: int = 0
    """Lines on which the program itself failed."""
    dead: str = ""
    """The thread that ended by itself, on the way to the exit."""
    check_database: Callable[[], str] = str
    """Why the figures cannot be shown, where nothing is counted; called by HTTP threads."""
    figures_are_readable: Callable[[], bool] = lambda: True
    """Whether the last answer could read the figures; called by HTTP threads."""
    notes: list[str] = field(default_factory=list)
    """What was done to the database, or is out of the ordinary, and not of now."""

    def use_packages(self, packages: Packages) -> None:
        """Show these packages, and answer under the names that they give the hotspot."""
        self.packages = packages
        names = {*self.config.allowed_hosts, *(_host_name(e.host) for e in packages.entries)}
        self.host_names = names_of_hotspot(
            _host_name(packages.fqdn), frozenset(name for name in names if name)
        )

    @property
    def site_name(self) -> str:
        """Of `--site`, else of the packages file."""
        return self.config.site or self.packages.name

    def verdict(self) -> Verdict:
        """Whether it is counting, and why not."""
        return judge(evidence.of_all(self))

    def liveness(self) -> list[str]:
        """Why only a new start can help; empty when the process is at work."""
        return judge(evidence.of_process(self)).health(Probe.LIVE)

    def readiness(self) -> list[str]:
        """Why it does not do its work yet, or not any more; empty when it does."""
        return self.verdict().health(Probe.READY)

    def health(self) -> list[str]:
        """Why this is not healthy; empty when it is."""
        return self.verdict().health(Probe.HEALTH)

    def database_bytes(self) -> int:
        """The size of the database on disk."""
        total = 0
        for suffix in ("", "-wal"):
            with suppress(OSError):  # not there, or in a folder that may not be entered
                total += Path(f"{self.config.database}{suffix}").stat().st_size
        return total

    def _all_notes(self) -> list[str]:
        notes = list(self.notes)
        if self.look is not None:
            notes += self.look.notes[:MAX_PROBLEMS]
        if self.not_counted:
            notes.append(f"{self.not_counted} lines were not counted because the program failed")
        return notes

    def as_json(self) -> dict[str, Any]:
        """What the status page shows."""
        verdict = self.verdict()
        reasons = verdict.health(Probe.HEALTH)
        return {
            "version": self.version,
            "serverTime": clock.now(),
            "startedAt": self.started_at,
            "timezone": self.timezone,
            "site": {
                "name": self.site_name or None,
                "fqdn": self.packages.fqdn or None,
                "id": self.site_id or None,
                "logo": self.logo,
            },
            "processing": self.config.processing,
            "verdict": verdict.as_json(),
            "collectingSince": self.collecting_since,
            "lastLineAt": self.last_line_at,
            "lastSaveAt": self.saved_at,
            "lines": {"read": self.fates.total()} | {fate: self.fates[fate] for fate in FATES},
            "packages": self._packages_as_json(),
            "reader": self._reader_as_json(),
            "loss": {
                "bytes": self.lost_bytes,
                "atLeast": self.lost_at_least,
                "logs": self.lost_logs,
            },
            "clock": {
                "trusted": self.clock_trusted,
                "steadySeconds": self.steady_seconds,
                "steps": [{"at": at, "seconds": seconds} for at, seconds in list(self.steps)],
            },
            "disk": {
                "databaseBytes": self.database_bytes(),
                "freeBytes": free_bytes(self.config.database) or 0,
            },
            "notes": self._all_notes(),
            "health": {"ok": not reasons, "reasons": reasons},
        }

    def _packages_as_json(self) -> dict[str, Any]:
        kinds: dict[str, dict[str, None]] = {}
        for entry in self.packages.entries:
            kinds.setdefault(entry.title, {})[entry.kind] = None
        return {
            "stale": bool(self.packages_problem) and not self.waits_for_packages,
            "message": self.packages_problem or None,
            "warnings": list(self.packages.warnings[:100]),
            "items": [
                {"title": title, "kinds": list(of), "lastSeenAt": self.last_seen.get(title)}
                for title, of in kinds.items()
            ],
        }

    def _reader_as_json(self) -> dict[str, Any]:
        look = self.look
        return {
            "kind": look.kind if look else None,
            "state": look.state if look else "stopped",
            "restarts": look.restarts if look else 0,
            "lagBytes": look.lag_bytes if look else 0,
            "files": len(look.logs) if look else 0,
        }

    def metrics(self) -> str:
        """The Prometheus text format, about the process itself."""
        return metrics_of(self)


def _host_name(host: str) -> str:
    """A host of the packages file as browsers send it, without its port; empty if it has none."""
    try:
        return ascii_name(without_port(host))
    except ValueError:
        return ""
