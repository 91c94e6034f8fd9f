"""What a browser sees of the page: opening it, watching it, reading numbers off it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, ViewportSize

from tests.browser.hotspot import NOW

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "static" / "node_modules" / "axe-core" / "axe.min.js"

PHONE: ViewportSize = {"width": 360, "height": 740}
DESKTOP: ViewportSize = {"width": 1280, "height": 900}

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")

COMPLETE = "main :is(.cards.whole, .fact-groups, .notice, .prose)"
"""A view that has its figures, or says why it has none."""

WATCH_POLICY = """
window.policyViolations = [];
document.addEventListener('securitypolicyviolation', (event) =>
  window.policyViolations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


CLOCK = f"""
(() => {{
  const Real = Date;
  const ahead = {NOW * 1000} - Real.now();
  const now = () => Real.now() + ahead;
  window.Date = new Proxy(Real, {{
    construct: (target, args, self) =>
      Reflect.construct(target, args.length ? args : [now()], self),
    apply: () => new Real(now()).toString(),
    get: (target, name) => (name === 'now' ? now : target[name]),
  }});
}})();
"""
"""Each page begins at `NOW` by its wall clock; timers and measured times are the real ones."""


@dataclass
class Watch:
    """All that a page must not do, as it happens."""

    host: str
    errors: list[str] = field(default_factory=list)
    abroad: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def on_error(self, error: Error) -> None:
        self.errors.append(str(error))

    def on_request(self, request: Request) -> None:
        self.requests.append(request)
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws"} and parts.netloc != self.host:
            self.abroad.append(request.url)


_kept: dict[Browser, tuple[str, Page]] = {}
"""A page that was left, with its language: starting another costs as much as what most tests do."""


@contextmanager
def _page(browser: Browser, lang: str, *, fresh: bool, **options: Any) -> Iterator[Page]:
    """A page without a past: a fresh one, or one that was left, in which nothing is stored."""
    kept_lang, page = ("", None) if fresh else _kept.pop(browser, ("", None))
    if page and kept_lang != lang:
        page.context.close()
        page = None
    if page is None:
        context = browser.new_context(
            locale=lang, timezone_id="UTC", reduced_motion="reduce", **options
        )
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.add_init_script(CLOCK)
        page.add_init_script(WATCH_POLICY)
    keep = False
    try:
        yield page
        keep = not fresh
    finally:
        if keep:
            page.unroute_all()
            page.evaluate("localStorage.clear()")
            page.goto("about:blank")
            page.mouse.move(0, 0)
            page.emulate_media(media="null")
            _kept[browser] = lang, page
        else:
            page.context.close()


@contextmanager
def opened(
    browser: Browser,
    url: str,
    *,
    viewport: ViewportSize | None = None,
    lang: str = "en",
    scheme: Scheme = "light",
    prepare: Callable[[Page], None] | None = None,
    fresh: bool = False,
    **options: Any,
) -> Iterator[tuple[Page, Watch]]:
    """A page that is watched from the first request on.

    Nothing is stored in its profile; with `fresh`, and where it is `prepare`d or has other options,
    it is a new one, without what was fetched before and without a history.
    """
    fresh = fresh or prepare is not None or bool(options)
    with _page(browser, lang, fresh=fresh, **options) as page:
        page.set_viewport_size(viewport or DESKTOP)
        page.emulate_media(color_scheme=scheme)
        watch = Watch(urlsplit(url).netloc)
        watching: list[tuple[Any, Callable[..., None]]] = [
            ("console", watch.on_console),
            ("pageerror", watch.on_error),
            ("request", watch.on_request),
        ]
        for event, heard in watching:
            page.on(event, heard)
        if prepare:
            prepare(page)
        page.goto(url)
        yield page, watch
        for event, heard in watching:
            page.remove_listener(event, heard)


def settled(page: Page) -> None:
    """Wait until the view has its figures, or says why it has none."""
    page.wait_for_selector(COMPLETE)
    page.wait_for_function("() => document.querySelector('link[media=print]')?.sheet")


def saved(page: Page, choice: str) -> tuple[str, bytes]:
    """Name and content of what the export menu saves."""
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as started:
        page.get_by_role("button", name=choice).click()
    download = started.value
    return download.suggested_filename, Path(download.path()).read_bytes()


def violations(page: Page) -> list[str]:
    """What axe objects to, told so that it can be found."""
    if not page.evaluate("typeof axe === 'object'"):
        # Not a script element: the page's policy would rightly refuse it.
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [
        f"{page.url} {violation['id']}: {node['target']} {node.get('failureSummary', '')}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def wider_than_window(page: Page) -> int:
    """Pixels by which the page scrolls sideways."""
    root = "document.documentElement"
    return int(page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))


OUTSIDE = """(sizes) => sizes.sort((one) => {
  // First the one that the page has now: it needs no other layout.
  return one === document.documentElement.style.fontSize ? -1 : 1;
}).flatMap((size) => {
  if (size !== null) document.documentElement.style.fontSize = size;
  const root = document.documentElement;
  const found = root.scrollWidth > root.clientWidth ? [`the page: ${root.scrollWidth}`] : [];
  const boxes = '.card, .button, .segments a, .pill, .notice, .verdict, .panel, td, th, body';
  const beyond = (what, inner, left, right) => {
    if (inner.width && (inner.left < left - 1 || inner.right > right + 1))
      found.push(`${what}: ${inner.left.toFixed()}..${inner.right.toFixed()}` +
        ` not in ${left.toFixed()}..${right.toFixed()}`);
  };
  const look = (element, scrolls) => {  // a table as wide as it must be may scroll in its frame
    const style = getComputedStyle(element);
    if (style.display === 'none' || style.clip !== 'auto' || element.matches('option, .skip'))
      return;
    const name = `${element.tagName} ${element.getAttribute('class') || ''}`;
    if (!scrolls) beyond(name, element.getBoundingClientRect(), 0, root.clientWidth);
    for (const node of element.childNodes) {
      if (node.nodeType !== Node.TEXT_NODE || !node.data.trim()) continue;
      if (style.textOverflow === 'ellipsis') continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const text = range.getBoundingClientRect();
      const box = element.closest(boxes).getBoundingClientRect();
      beyond(`${name} "${node.data.trim().slice(0, 40)}"`, text, box.left, box.right);
    }
    const frame = scrolls || element.matches('.twin') && style.overflowX === 'auto';
    for (const child of element.children) look(child, frame);
  };
  look(document.body, false);
  return [...new Set(found)].map((text) => (size ? `with text of ${size}, ${text}` : text));
})"""


def outside(page: Page, sizes: Sequence[str | None] = (None,)) -> list[str]:
    """What is wider than the window, and each text that leaves its card, cell or button.

    `sizes`: of text, such as 200%; "" is the usual one, None the one that is set.
    """
    found: list[str] = page.evaluate(OUTSIDE, list(sizes))
    return found


def go(page: Page, path: str) -> None:
    """Another address in the page that is open, without reloading it."""
    page.evaluate(
        """(path) => {
          history.pushState(null, '', path);
          window.dispatchEvent(new PopStateEvent('popstate'));
        }""",
        path,
    )
    page.wait_for_selector(".skeleton", state="detached")
    settled(page)


def neighbours(period: dict[str, Any]) -> list[dict[str, Any]]:
    """The trend as the page shows it: from the first period with figures on."""
    trend: list[dict[str, Any]] = period["trend"]
    first = next(i for i, e in enumerate(trend) if e["hasData"] or e is trend[-1])
    return trend[first:]


def minutes(text: str) -> int:
    """'1,188 h 15 min' as minutes."""
    plain = text.replace(",", "").replace("\u00a0", " ")
    hours = re.search(r"(\d+) h", plain)
    rest = re.search(r"(\d+) min", plain)
    assert hours or rest, text
    return (int(hours[1]) * 60 if hours else 0) + (int(rest[1]) if rest else 0)


def count(text: str) -> int:
    """'1,464 visits' as a number."""
    found = re.search(r"\d[\d,]*", text)
    assert found, text
    return int(found[0].replace(",", ""))
