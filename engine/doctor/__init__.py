"""Doctor: examines every part of a setup to find out why a dashboard is empty.

It writes nothing, takes no lock and needs no part to be there, so it can run while `serve` does.
"""

from __future__ import annotations

from engine.doctor.clocks import check_clock
from engine.doctor.databases import check_database, check_running
from engine.doctor.identity import check_identity
from engine.doctor.lines import check_lines
from engine.doctor.logs import check_logs
from engine.doctor.model import Examination
from engine.doctor.setup import check_packages, check_reader
from engine.doctor.verdict import evidence_of
from engine.settings import Config
from engine.verdict import judge


def examine(config: Config, lines: int, now: int) -> Examination:
    """Look at everything; `lines` is how many of the newest log lines are shown."""
    found = Examination(now=now)
    packages = check_packages(config, found)
    files = check_logs(config, found)
    check_reader(config, found)
    check_running(config, found)
    stored = check_database(config, files, found, now)
    check_identity(config, stored, found)
    check_clock(config, stored, found)
    check_lines(files, packages, lines, found)
    found.verdict = judge(evidence_of(config, packages, files, stored, found))
    return found
