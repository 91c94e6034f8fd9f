"""The packages file: what the hotspot offers, and which title a host and a name lead to.

`document` reads YAML within bounds, `file` makes packages of it, with one warning for each entry
that cannot be used; `model` has the packages.
"""

from engine.packages.file import MAX_FILE_BYTES, parse_packages, read_packages
from engine.packages.model import (
    EDUPI,
    FILE_MANAGER,
    PACKAGE_KINDS,
    Library,
    Package,
    Packages,
    Site,
)

__all__ = [
    "EDUPI",
    "FILE_MANAGER",
    "MAX_FILE_BYTES",
    "PACKAGE_KINDS",
    "Library",
    "Package",
    "Packages",
    "Site",
    "parse_packages",
    "read_packages",
]
