"""A request of an access log of any format, the fates of lines, and the inputs of a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

MAX_LINE_BYTES: Final = 1024 * 1024

FATES: Final = (
    "counted",
    "unmatched",
    "bad-time",
    "incomplete",
    "not-access-log",
    "not-json",
    "too-long",
)
"""What can become of a line, best first; every line has exactly one."""


class Reason(Enum):
    """Why a line does not count. The value is its name in JSON."""

    # too-long
    TOO_LONG = "too-long"
    # not-json
    EMPTY = "empty-line"
    COMMON_LOG = "another-log-format"  # a line of another program that is JSON, too
    BINARY = "binary"
    BROKEN = "broken-json"
    NO_OBJECT = "no-object"
    # not-access-log
    ANOTHER_MESSAGE = "another-message"
    # incomplete
    FIELD_MISSING = "field-missing"
    FIELD_WRONG = "field-wrong"
    # bad-time
    BAD_TIME = "bad-time"
    TIME_FORMAT = "time-format"
    # unmatched
    STATUS = "status"
    HOST = "host"
    NO_NAME = "no-zim-name"
    KIWIX_WORD = "kiwix-word"
    ZIM_UNKNOWN = "zim-unknown"
    REDIRECT = "redirect-to-content"
    OTHER = "other"


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
    """A package was requested."""

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
