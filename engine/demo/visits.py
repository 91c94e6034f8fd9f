"""What a visitor of each kind of package asks for, and what the hotspot answers."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final
from urllib.parse import quote

from engine.demo.caddy_line import Exchange
from engine.packages import EDUPI, FILE_MANAGER, Package

PROBE: Final = Exchange(0, "connectivitycheck.gstatic.com", "/generate_204", status=204, headers=())
"""What a phone asks for once a minute, to see whether there is an Internet."""
_PAGES: Final = (
    "Water",
    "Malaria",
    "Fractions",
    "Volcano",
    "Elephant",
    "Planet",
    "Compost",
    "Bread",
)


def visit(package: Package, chance: Random) -> Iterator[Exchange]:
    """The requests of one visit, in order; none of them lasts longer than a few minutes."""
    if package.kind == "zim":
        return _zim(package, chance)
    if package.kind == "files":
        return _files(package, chance)
    return _app(package, chance)


def _zim(package: Package, chance: Random) -> Iterator[Exchange]:
    home = f"{package.prefix}/content/{quote(package.name)}"
    if chance.random() < 0.9:  # the others follow a link to a page
        yield Exchange(0, package.host, f"{home}/")
    for _ in range(chance.randrange(1, 4)):
        yield Exchange(chance.randrange(5, 120), package.host, f"{home}/{chance.choice(_PAGES)}")


def _files(package: Package, chance: Random) -> Iterator[Exchange]:
    yield Exchange(0, package.host, "/")
    for _ in range(chance.randrange(0, 3)):
        uri = f"/Form%20{chance.randrange(1, 5)}/Paper%20{chance.randrange(1, 9)}.pdf"
        pdf = (("Content-Type", "application/pdf"),)
        yield Exchange(chance.randrange(5, 60), package.host, uri, headers=pdf)


def _app(package: Package, chance: Random) -> Iterator[Exchange]:
    host = package.host
    yield Exchange(0, host, "/")
    if package.ident == EDUPI and chance.random() < 0.5:
        yield Exchange(chance.randrange(20, 90), host, "/api/documents/", "POST", 201)
    elif package.ident == EDUPI and chance.random() < 0.2:
        uri = f"/api/documents/{chance.randrange(1, 400)}"
        yield Exchange(30, host, uri, "DELETE", 204, headers=())
    elif package.ident == FILE_MANAGER and chance.random() < 0.6:
        added = (("X-Tfm-Files-Added", str(chance.choice((1, 1, 1, 2, 5)))),)
        yield Exchange(25, host, "/index.php?p=Homework", "POST", headers=added)
    elif package.ident == FILE_MANAGER and chance.random() < 0.3:
        deleted = (("X-Tfm-Files-Deleted", "1"),)
        yield Exchange(12, host, "/index.php?p=Homework", "POST", headers=deleted)
    for _ in range(chance.randrange(0, 3)):
        yield Exchange(chance.randrange(5, 60), host, f"/api/content/{chance.randrange(1000)}")
