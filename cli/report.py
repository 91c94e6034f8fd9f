"""`offspot-metrics report`: a period as one HTML file, to be printed and filed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.settings import Config


def report(config: Config) -> None:
    """Write a day, week, month or year as a page to print.

    It is one self-contained HTML file. It shows the figures next to those of the period before,
    when the hotspot was on, every package, and how complete the figures are.
    """
    import os
    from contextlib import closing
    from pathlib import Path

    from cli import output
    from engine.packages import Packages
    from engine.report import Report
    from engine.runtime.clock import now
    from engine.store.reader import Reader
    from engine.times import parse_period
    from engine.usage_report.content import content_of
    from engine.usage_report.language import Language, pick_language
    from engine.usage_report.logo import data_address
    from engine.usage_report.page import Hotspot, page_of

    at = now()
    with closing(Report(Reader.open(config.database), config.timezone)) as figures:
        period = parse_period(config.period, at, figures.zone)
        content = content_of(figures, period, at)
        kept = figures.reader.get("packages")
        name = config.site or (Packages.from_json(str(kept)).name if kept is not None else "")
        identity = str(figures.reader.get("site_id", ""))
    logo = data_address(Path(config.logo)) if config.logo else ""
    hotspot = Hotspot(name, identity, figures.zone, config.note, logo)
    environment = os.environ.get("LC_ALL") or os.environ.get("LANG", "")
    language = Language(pick_language(config.language, environment))
    output.write_file(config.output, page_of(content, hotspot, language, at))
