"""Sentences for exit codes, and for fates and reasons of lines: what each means, what to do.

`engine/inputs/reasons.py` finds the reason of a line.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from engine.inputs.model import (
    FILE_CREATED,
    FilesShared,
    Input,
    PackageHomeVisit,
    PackageRequest,
    Reason,
)

FATES: Final = {
    "counted": "added to a figure",
    "unmatched": "no known package, or a response status that is not counted",
    "bad-time": "with a time outside 2000 to 2100",
    "incomplete": "with a required field missing",
    "not-access-log": "other messages of the proxy, or of another program",
    "not-json": "broken, empty, or of another log format",
    "too-long": "longer than 1 MiB",
}
"""What the lines of each fate are."""


EXIT_CODES: Final = {
    0: "success",
    1: "other errors: a piece of a log refused, a port in use",
    2: "wrong usage: an option, an argument, an invalid period",
    os.EX_DATAERR: "damaged: a log, a database",
    os.EX_NOINPUT: "missing: a log, a folder, a database",
    os.EX_UNAVAILABLE: "Filebeat is required and cannot be run",
    os.EX_SOFTWARE: "a part of the program ended unexpectedly",
    os.EX_IOERR: "reading or writing failed: disk full, read-only",
    os.EX_TEMPFAIL: "in use: another instance, a locked database",
    os.EX_NOPERM: "no permission to read it",
    os.EX_CONFIG: "packages file, configuration, a database of another program or a newer version",
    130: "interrupted by Ctrl-C",
}
"""What each exit code means."""


class Words(NamedTuple):
    """A reason in words: `{}` is the detail. No remedy: nothing is wrong."""

    meaning: str
    remedy: str = ""


CADDY_JSON: Final = "configure Caddy to write JSON: `log` with `output file ...` and `format json`"

REASONS: Final[dict[Reason, Words]] = {
    Reason.TOO_LONG: Words("a line of {}", "see which visitor sends such requests; limit headers"),
    Reason.EMPTY: Words("an empty line", "only the proxy should write to this file"),
    Reason.COMMON_LOG: Words("another log format", CADDY_JSON),
    Reason.BINARY: Words(
        "binary data",
        "the file is damaged or compressed: move it away; new lines are read anyway",
    ),
    Reason.BROKEN: Words(
        "broken JSON",
        "normal, and harmless, after a power cut; if it happens often, check whether another "
        "program writes to the same file",
    ),
    Reason.NO_OBJECT: Words("not a line of Caddy's access log", CADDY_JSON),
    Reason.ANOTHER_MESSAGE: Words(
        "another message of the proxy: {}",
        "normal for a few lines; if there are no others, the site has no `log` directive: "
        "access logs must be turned on for each site",
    ),
    Reason.FIELD_MISSING: Words(
        "the field {} is missing", "remove filters and renamed fields from Caddy's `log` block"
    ),
    Reason.FIELD_WRONG: Words(
        "the field {} has an unexpected type or value",
        "remove `time_format` and filters from Caddy's `log` block",
    ),
    Reason.BAD_TIME: Words("the time {} is impossible", "set the hotspot's clock"),
    Reason.TIME_FORMAT: Words(
        "the time is in {}, not in seconds", "remove `time_format` from Caddy's `log` block"
    ),
    Reason.STATUS: Words(
        "response status {}",
        "only 200 to 399 count; if all are errors, check that the content is there and that "
        "kiwix-serve is running",
    ),
    Reason.HOST: Words(
        "no package at host {}",
        "normal for the hotspot's own pages and for background requests from phones; if your "
        "content is at one of these hosts, change the url of its packages to //HOST/...",
    ),
    Reason.NO_NAME: Words("{}: a page of kiwix-serve itself, not of a ZIM"),
    Reason.KIWIX_WORD: Words("/{}: part of kiwix-serve itself, not of a ZIM"),
    Reason.ZIM_UNKNOWN: Words(
        "no package has the ZIM {}",
        "add it to the packages file, as kind zim with the url //HOST/viewer#NAME; if the path in "
        "the log has a prefix before /content/, put it before viewer",
    ),
    Reason.REDIRECT: Words("a redirect to /content/{}, which is counted instead"),
    Reason.OTHER: Words("it is not counted, for an unknown reason", "please report this line"),
}
"""What each reason means, and what to do about it."""


def meaning_of(reason: str, detail: str) -> str:
    """A reason, by its name, in words."""
    return REASONS[Reason(reason)].meaning.replace("{}", detail) if reason else ""


def remedy_of(reason: str) -> str:
    """What to do about a reason; empty when nothing is wrong."""
    return REASONS[Reason(reason)].remedy if reason else ""


def inputs_in_words(inputs: tuple[Input, ...]) -> str:
    """What a line counts as: `Bees: visit; Share: request, 2 files added`."""
    by_title: dict[str, list[str]] = {}
    shared: list[str] = []
    for event in inputs:
        if isinstance(event, PackageRequest):
            by_title.setdefault(event.title, []).append("request")
        elif isinstance(event, PackageHomeVisit):
            by_title.setdefault(event.title, []).append("visit")
        elif isinstance(event, FilesShared):
            verb = "added" if event.operation == FILE_CREATED else "deleted"
            shared.append(f"{event.count} file{'s' * (event.count > 1)} {verb}")
    texts = [f"{title}: {' and '.join(what)}" for title, what in by_title.items()]
    return "; ".join([*texts, *shared])
