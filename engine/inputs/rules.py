"""What a request means: which packages were asked for, visited, or used to share files.

In: a `Request` and the `Packages`. Out: the inputs it makes; none when it does not count.
It must not keep anything: the same request always makes the same inputs.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from engine.inputs.model import (
    FILE_CREATED,
    FILE_DELETED,
    FilesShared,
    Input,
    PackageHomeVisit,
    PackageRequest,
    Request,
)
from engine.packages import EDUPI, FILE_MANAGER, Packages, Site

KIWIX_WORDS: Final = frozenset(
    ["content", "viewer", "raw", "search", "suggest", "random", "catalog", "skin", "catch", "nojs"]
)
MAX_SHARED_FILES: Final = 100_000
CREATED: Final = 201
NO_CONTENT: Final = 204
NOT_MODIFIED: Final = 304  # a revalidated page, no redirect

_ORIGIN = re.compile(r"\A(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*")
_QUERY = re.compile(r"[?#]")
_DOCUMENT = re.compile(r"/api/documents/[^/]+/?", re.S)
_COUNT = re.compile(r"0*([0-9]{1,6})")


def inputs_of(request: Request, packages: Packages) -> tuple[Input, ...]:
    """The inputs of a request, each title once per kind; empty when it is of no package."""
    if not 200 <= request.status <= 399:
        return ()
    site = packages.site(request.host)
    if site is None:
        return ()
    path = unquote(_QUERY.split(request.uri, maxsplit=1)[0])
    visit = request.method == "GET"
    requested = dict.fromkeys(site.files + site.apps)
    visited = dict.fromkeys(site.files if visit and path == "/" else ())
    titles, home = _zim(site, path, request)
    requested.update(dict.fromkeys(titles))
    if visit and home:
        visited.update(dict.fromkeys(titles))
    return (
        *map(PackageRequest, requested),
        *map(PackageHomeVisit, visited),
        *_shared_files(site, path, request),
    )


def _zim(site: Site, path: str, request: Request) -> tuple[tuple[str, ...], bool]:
    """The titles of the ZIM that a path leads to, and whether the path is its home."""
    if not site.zims:
        return (), False
    legacy = not path.startswith("/content/")
    name, _, rest = path[1 if legacy else len("/content/") :].partition("/")
    if not path.startswith("/") or not name or (legacy and name in KIWIX_WORDS):
        return (), False
    titles = site.zim_titles(name)
    if not titles:
        return (), False
    target = location_path(request)
    if legacy and target.startswith("/content/"):
        return (), False
    return titles, not rest and target not in _homes(name)


def _homes(name: str) -> tuple[str, str, str, str]:
    return (f"/content/{name}", f"/content/{name}/", f"/{name}", f"/{name}/")


def location_path(request: Request) -> str:
    """The decoded path that a redirect leads to; empty when the answer is no redirect."""
    if not 300 <= request.status <= 399 or request.status == NOT_MODIFIED:
        return ""
    target = first_value(request, "Location")
    return unquote(_QUERY.split(_ORIGIN.sub("", target, count=1), maxsplit=1)[0])


def first_value(request: Request, header: str) -> str:
    """The first value of a response header; empty when it is no list of strings."""
    values = request.headers.get(header)
    if not isinstance(values, list) or not values:
        return ""
    return values[0] if all(isinstance(value, str) for value in values) else ""


def _shared_files(site: Site, path: str, request: Request) -> list[FilesShared]:
    shared: list[FilesShared] = []
    if EDUPI in site.idents:
        if (request.method, request.status) == ("POST", CREATED) and path == "/api/documents/":
            shared.append(FilesShared(FILE_CREATED, 1))
        if (request.method, request.status) == ("DELETE", NO_CONTENT) and _DOCUMENT.fullmatch(path):
            shared.append(FilesShared(FILE_DELETED, 1))
    if FILE_MANAGER in site.idents:
        for header, operation in (
            ("X-Tfm-Files-Added", FILE_CREATED),
            ("X-Tfm-Files-Deleted", FILE_DELETED),
        ):
            match = _COUNT.fullmatch(first_value(request, header))
            if match and 1 <= int(match[1]) <= MAX_SHARED_FILES:
                shared.append(FilesShared(operation, int(match[1])))
    return shared
