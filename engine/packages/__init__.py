"""The packages file: what the hotspot offers, and which title a host and a name lead to.

`document` reads YAML within bounds, `file` makes packages of it, with one warning per entry that
cannot be used; `model` is what comes out. None of it touches logs.
"""

from engine.packages.document import MAX_NODES
from engine.packages.file import MAX_FILE_BYTES, parse_packages, read_packages
from engine.packages.hosts import normal_host, without_port
from engine.packages.model import EDUPI, FILE_MANAGER, KINDS, Library, Package, Packages, Site
from engine.packages.text import clean_text

__all__ = [
    "EDUPI",
    "FILE_MANAGER",
    "KINDS",
    "MAX_FILE_BYTES",
    "MAX_NODES",
    "Library",
    "Package",
    "Packages",
    "Site",
    "clean_text",
    "normal_host",
    "parse_packages",
    "read_packages",
    "without_port",
]
