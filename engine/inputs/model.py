"""The nouns of this stage: a request as the log tells it, and the inputs that it makes.

In: nothing. Out: small frozen values. It must not know any log format or any indicator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

FATES: Final = (
    "counted",
    "unmatched",
    "bad-time",
    "incomplete",
    "not-access-log",
    "not-json",
    "too-long",
)
"""What can become of a line; every line has exactly one."""

VALID_FATES: Final = ("counted", "unmatched")
"""The fates of a line whose time can be believed: its minute was on."""

FILE_CREATED: Final = "FILE_CREATED"
FILE_DELETED: Final = "FILE_DELETED"


@dataclass(frozen=True, slots=True)
class Request:
    """A valid line of the access log, as far as it is read. `at` is in whole epoch seconds."""

    at: int
    method: str
    host: str
    uri: str
    status: int
    headers: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PackageRequest:
    """A package was asked for."""

    title: str


@dataclass(frozen=True, slots=True)
class PackageHomeVisit:
    """The home of a package was visited."""

    title: str


@dataclass(frozen=True, slots=True)
class FilesShared:
    """Visitors created or deleted `count` files; `operation` is FILE_CREATED or FILE_DELETED."""

    operation: str
    count: int


@dataclass(frozen=True, slots=True)
class ClockTick:
    """The offspot was on during a minute."""


Input = PackageRequest | PackageHomeVisit | FilesShared | ClockTick
