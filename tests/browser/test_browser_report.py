"""`report` as Chromium prints it: pages that can be told apart when they lie on a desk."""

from __future__ import annotations

import subprocess
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser

from engine.indicators.model import States
from engine.report import Report
from engine.store.store import Store
from engine.times import day_start, parse_period
from engine.usage_report.content import content_of
from engine.usage_report.language import Language
from engine.usage_report.page import Hotspot, page_of

ZONE = ZoneInfo("Africa/Bamako")
NAME = 'École "de" Ségou </style>\\'
NOTE = "For the Fund for Schools\nContract 17"


def test_every_page_says_whose_it_is(browser: Browser, tmp_path: Path) -> None:
    """Hotspot, period and number on each page of a long list of packages, whatever the name."""
    start = day_start(date(2026, 5, 4), ZONE) + 8 * 3600
    states: States = {(start, 1004, ""): (1 << 60) - 1, (start, 1005, ""): 1}
    for number in range(150):
        states[start, 1001, f"Package {number:03}"] = 200 - number
    with Store.open(tmp_path / "metrics.db", ZONE) as store:
        store.commit(states)
        report = Report(store.reader())
        now = day_start(date(2026, 7, 1), ZONE)
        content = content_of(report, parse_period("2026-05", now, ZONE), now)
        text = page_of(content, Hotspot(NAME, "0f1e", ZONE, NOTE), Language("en"), now)
    file, pdf = tmp_path / "report.html", tmp_path / "report.pdf"
    file.write_text(text, encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    page.pdf(path=pdf, prefer_css_page_size=True)
    page.close()
    printed = subprocess.run(
        ["pdftotext", "-layout", pdf, "-"], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    pages = printed.rstrip("\f").split("\f")
    assert len(pages) > 2
    for number, sheet in enumerate(pages, start=1):
        words = "".join(sheet.split())
        assert words.endswith("".join(f"{NAME} – May 2026 {number}/{len(pages)}".split()))
    assert "Contract 17" in pages[0]
    assert all(f"Package {number:03}" in printed for number in range(150))
