"""The dashboard's files: listed once at start, then a fixed dictionary from name to answer.

No file is looked for after `load_assets`. Large files of the operator are opened for each request,
and sent only while they are still those that were listed (`folders`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from engine.api.answers import (
    FOREIGN_PAGE_POLICY,
    FOREVER,
    HTML_TYPE,
    REVALIDATE,
    STRICT_POLICY,
    Answer,
    headers_of,
)
from engine.api.folders import DiskFile, list_folder

PAGE = "index.html"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gif": "image/gif",
    ".html": HTML_TYPE,
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}
"""Fixed here, as the tables of the operating system differ from machine to machine."""

_STRETCH = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\.\.[0-9]{4}-[0-9]{2}-[0-9]{2}")
"""How an address of the dashboard names the days from one to another."""

_HASHED_NAME = re.compile(r"assets/(?:.*/)?[^/]*-(?=[^/.]*[A-Z0-9])[A-Za-z0-9_-]{8}\.[a-z0-9]+")
"""How Vite names what may be kept for ever; `logo-original.png` must not look like it."""

_MISSING_PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>offspot-metrics</title></head>
<body><h1>offspot-metrics</h1>
<p>The dashboard is not built into this copy: <code>make build</code> makes it.
The figures are here all the same: <a href="/api/v1/">REST API</a>.</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file. `gzip_body` is the compressed copy that was built beside it, if any.

    `immutable`: its name changes with its content. `foreign`: from the operator's own dashboard.
    """

    name: str
    body: bytes | DiskFile
    gzip_body: bytes | None = None
    immutable: bool = False
    foreign: bool = False

    @property
    def content_type(self) -> str:
        """By the ending of the name; unknown ones are bytes to be downloaded."""
        return _TYPES.get(PurePosixPath(self.name).suffix.lower(), "application/octet-stream")

    def answer(self) -> Answer:
        """The file as 200, with its tag and how long it may be kept."""
        return Answer(
            200,
            headers_of(
                self.content_type,
                FOREVER if self.immutable else REVALIDATE,
                FOREIGN_PAGE_POLICY if self.foreign else STRICT_POLICY,
            ),
            self.body,
            self.gzip_body,
            tagged=True,
        )


_LOGOS = tuple(
    f"{folder}/{name}-logo-light.png"
    for folder in ("branding", "offspot.branding")
    for name in ("square", "horizontal")
)
"""Files of an offspot's branding; the folder of the hotspot's owner comes first."""


class Assets:
    """Answers for dashboard paths, all made at start."""

    def __init__(self, assets: Mapping[str, Asset]) -> None:
        answers = {name: asset.answer() for name, asset in assets.items()}
        self._answers = answers
        self._page = answers.get(PAGE) or Asset(PAGE, _MISSING_PAGE).answer()

    @property
    def logo(self) -> str | None:
        """The path of the logo to show, if there is a folder of branding with one."""
        return next((f"/{name}" for name in _LOGOS if name in self._answers), None)

    def find(self, path: str) -> Answer | None:
        """The answer for a decoded path that starts with `/`; None is a 404.

        A path whose last segment has no dot, or is a stretch of days, is a view of the dashboard,
        which reads it itself.
        """
        name = path[1:]
        found = self._answers.get(name)
        if found is not None:
            return found
        last = name.rpartition("/")[2]
        return None if "." in last and not _STRETCH.fullmatch(last) else self._page


def is_plain(path: str) -> bool:
    """False for a decoded path that no honest client sends.

    That is one with empty or dot segments, backslashes, control characters or percent signs left
    over. It is refused before anything looks for it.
    """
    if not path.startswith("/") or "//" in path or "\\" in path or "%" in path:
        return False
    if not path.isprintable() or "\ufffd" in path:
        return False
    return not any(segment in (".", "..") for segment in path.split("/"))


def load_assets(
    ui_location: Path | None = None,
    folders: Mapping[str, Path] | None = None,
    package: str = "static",
) -> Assets:
    """Read every file of the dashboard, into memory but for large ones of the operator.

    `ui_location`: the operator's own dashboard; its `index.html` replaces the built-in one with all
    its files, and without an `index.html` its files stand beside the built-in ones. `folders`: more
    folders by the name they are served under, such as `{"branding": Path("/src/ui/branding")}`.
    A folder that is missing counts as empty, and says so in the log.
    """
    found: dict[str, Asset] = {}
    if ui_location is not None:
        own = dict(list_folder(ui_location))
        foreign = PAGE in own
        if not foreign:
            found.update(_built_in(package))
        for name, body in own.items():
            immutable = _HASHED_NAME.fullmatch(name) is not None
            found[name] = Asset(name, body, immutable=immutable, foreign=foreign)
    else:
        found.update(_built_in(package))
    for prefix, folder in (folders or {}).items():
        for name, body in list_folder(folder):
            full_name = f"{prefix.strip('/')}/{name}"
            found.setdefault(full_name, Asset(full_name, body))
    return Assets(found)


def _built_in(package: str) -> dict[str, Asset]:
    """The files of `static/dist`, `X.gz` folded into `X`. Empty when it was never built."""
    try:
        root = files(package).joinpath("dist")
    except ModuleNotFoundError:
        return {}
    bodies = dict(_walk(root, "")) if root.is_dir() else {}
    return {
        name: Asset(
            name,
            body,
            gzip_body=bodies.get(f"{name}.gz"),
            immutable=_HASHED_NAME.fullmatch(name) is not None,
        )
        for name, body in bodies.items()
        if not (name.endswith(".gz") and name.removesuffix(".gz") in bodies)
    }


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif entry.is_file():
            yield f"{prefix}{entry.name}", entry.read_bytes()
