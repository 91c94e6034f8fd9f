"""Take the picture of the README: the dashboard of `demo` in a real browser, as a PNG.

.venv/bin/python tools/picture.py [docs/dashboard.png [/2026-W24]]
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
BROWSER = "/usr/bin/chromium"
WIDTH, HEIGHT = 1120, 860


def main() -> int:
    """Start the demo, open the page of the last week, and save what is seen of it first."""
    target = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs/dashboard.png"
    path = sys.argv[2] if sys.argv[2:] else f"/{datetime.now(UTC) - timedelta(days=7):%G-W%V}"
    command = [sys.executable, str(ROOT / "dist/offspot-metrics"), "demo", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stderr is not None
        said = iter(demo.stderr.readline, "")
        address = next(found[0] for line in said if (found := re.search(r"http://\S+(?=/)", line)))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=BROWSER, args=["--no-sandbox", "--hide-scrollbars"]
            )
            page = browser.new_page(
                viewport={"width": WIDTH, "height": HEIGHT}, locale="en", color_scheme="light"
            )
            page.goto(f"{address}{path}?lang=en", wait_until="networkidle")
            page.screenshot(path=target)
            browser.close()
        demo.terminate()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
