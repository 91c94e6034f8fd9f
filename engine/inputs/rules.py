"""The inputs that a request makes: which packages were requested, visited, or used to share files.

The same request always makes the same inputs; one that does not count makes none.
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
    home = path == "/" and not _leads_to(request, path, ("/",))
    visited = dict.fromkeys(site.files if visit and home else ())
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
    for library in site.libraries:
        found = zim_path(path, library.prefix)
        if found is None:
            continue
        name, legacy, rest = found
        if titles := library.titles(name):
            if legacy and leads_to_content(request, site):
                return (), False
            return titles, not rest and not _leads_to(request, path, _homes(library.prefix, name))
    return (), False


def zim_path(path: str, prefix: str) -> tuple[str, bool, str] | None:
    """The name in a ZIM's path, whether it is of the old form, and what comes after the name.

    None for a path that is not below the prefix or has no name, or one of kiwix-serve's own.
    """
    if not path.startswith(f"{prefix}/"):
        return None
    legacy = not path.startswith("/content/", len(prefix))
    name, _, rest = path[len(prefix) + (1 if legacy else len("/content/")) :].partition("/")
    if not name or (legacy and name in KIWIX_WORDS):
        return None
    return name, legacy, rest


def leads_to_content(request: Request, site: Site) -> bool:
    """Whether the response is a redirect to where a newer kiwix-serve has the pages of its ZIMs."""
    target = location_path(request)
    return any(target.startswith(f"{library.prefix}/content/") for library in site.libraries)


def _homes(prefix: str, name: str) -> tuple[str, ...]:
    below = (f"{prefix}/content/{name}", f"{prefix}/{name}")
    return (*below, *(f"{path}/" for path in below))


def _leads_to(request: Request, path: str, homes: tuple[str, ...]) -> bool:
    """Whether the response to a request for a home is a redirect to that home itself."""
    if not _is_redirect(request) or not first_value(request, "Location"):
        return False
    target = location_path(request)
    if not target:  # nothing but a query: the same path again
        target = path
    elif not target.startswith("/"):  # relative to the path
        target = f"{path.rpartition('/')[0]}/{target}"
    return _without_dots(target) in homes


def _without_dots(path: str) -> str:
    """A path as browsers ask for it: `.` and `..` are taken out, with what `..` goes up from."""
    clean: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            del clean[max(1, len(clean) - 1) :]  # nothing is above the first slash
        elif segment != ".":
            clean.append(segment)
    if segments[-1] in {".", ".."}:
        clean.append("")
    return "/".join(clean)


def _is_redirect(request: Request) -> bool:
    return 300 <= request.status <= 399 and request.status != NOT_MODIFIED


def location_path(request: Request) -> str:
    """The decoded path of a redirect's `Location`, as it is written there; else empty."""
    if not _is_redirect(request):
        return ""
    target = first_value(request, "Location")
    path = _QUERY.split(_ORIGIN.sub("", target, count=1), maxsplit=1)[0]
    return unquote(path) or ("/" if _ORIGIN.match(target) else "")


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
