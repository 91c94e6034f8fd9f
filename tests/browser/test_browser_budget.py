"""How much travels, and how soon it is seen."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.hotspot import Hotspot
from tests.browser.pages import PHONE, opened

FIRST_VIEW_BYTES = 60_000
ALL_BYTES = 95_000
BUDGET_MILLISECONDS = 1_000
SLOWDOWN = 4
TRIES = 25
BYTES_PER_SECOND = 1_600_000 / 8
LATENCY_MILLISECONDS = 20
"""A Wi-Fi hop."""

PART = re.compile(r"(?:import\(|from) *[`'\"]\./([^`'\"]+)|/assets/([\w.-]+\.css)")
"""What a script names of other files, loaded with it or when it asks."""
LANGUAGE = re.compile(r"/assets/(?:fr|es|ar)-")

SEEN = """
window.seenAt = null;
new MutationObserver((_, observer) => {
  if (!document.querySelector('[data-kpi] .big')) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.seenAt = performance.now(); }));
}).observe(document, { childList: true, subtree: true });
"""


def throttled(page: Page) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
    devtools.send("Network.enable")
    devtools.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": LATENCY_MILLISECONDS,
            "downloadThroughput": BYTES_PER_SECOND,
            "uploadThroughput": BYTES_PER_SECOND,
        },
    )


@pytest.fixture
def empty_page() -> Iterator[str]:
    """An address that answers a page with one letter."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<!doctype html><html lang=en><title>-</title><body>-"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Empty)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_code_and_styles_keep_their_budget(hotspot: Hotspot) -> None:
    """As they travel, scripts and styles are at most 60 kB until the first view is complete in any
    of the languages, and 95 kB in all.
    """
    sizes: dict[str, int] = {}
    with urlopen(hotspot.url) as answer:
        wanted = set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', answer.read().decode()))
    first = wanted.copy()  # what the page itself names; other languages and views are parts
    while missing := wanted - sizes.keys():
        path = missing.pop()
        request = Request(hotspot.url + path, headers={"Accept-Encoding": "gzip"})
        with urlopen(request) as answer:
            raw = answer.read()
            compressed = answer.headers["Content-Encoding"] == "gzip"
        sizes[path] = len(raw)
        assert compressed or len(raw) < 1000, path
        text = (gzip.decompress(raw) if compressed else raw).decode()
        wanted |= {f"/assets/{script or style}" for script, style in PART.findall(text)}
    languages = {path: size for path, size in sizes.items() if LANGUAGE.match(path)}
    assert len(languages) == 3, f"three more languages: {sizes}"
    assert sum(sizes[path] for path in first) + max(languages.values()) <= FIRST_VIEW_BYTES, sizes
    assert sum(sizes.values()) <= ALL_BYTES, sizes


def test_a_first_visit_makes_few_requests(whole_browser: Browser, hotspot: Hotspot) -> None:
    """The first page takes no more than eight requests, all to the hotspot."""
    with opened(whole_browser, hotspot.url, fresh=True) as (page, watch):
        page.wait_for_selector('[data-kpi="2001"] .big')
        page.wait_for_load_state("networkidle")
        assert watch.abroad == []
        assert len(watch.requests) <= 8, [request.url for request in watch.requests]


@pytest.mark.full  # a time is only worth something on a machine that does nothing else
def test_figures_are_seen_within_a_second(
    whole_browser: Browser, hotspot: Hotspot, empty_page: str
) -> None:
    """On a slow phone and line, figures are there at most 1.0 s after an empty page would be."""

    def prepared(page: Page) -> None:
        throttled(page)
        page.add_init_script(SEEN)

    def empty() -> float:
        with opened(whole_browser, empty_page, viewport=PHONE, prepare=throttled) as (page, _):
            paint = page.wait_for_function(
                "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
            )
            return float(paint.json_value())

    def figures() -> float:
        with opened(whole_browser, hotspot.url, viewport=PHONE, prepare=prepared) as (page, _):
            return float(page.wait_for_function("() => window.seenAt").json_value())

    # The best of some tries on either side: what else the machine does is not what is measured.
    base = min(empty() for _ in range(3))
    best = figures() - base
    for _ in range(TRIES):
        if best <= BUDGET_MILLISECONDS:
            break
        best = min(best, figures() - base)
    print(f"figures {best:.0f} ms after an empty page")
    assert best <= BUDGET_MILLISECONDS
