"""Sentences for the fates and reasons of lines: what each means, and what to do about it.

`engine/inputs/reasons.py` finds the reason of a line.
"""

from __future__ import annotations

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
    "counted": "made a figure",
    "unmatched": "of no package, or an answer that does not count",
    "bad-time": "with a time outside of 2000 to 2100",
    "incomplete": "without a field that is needed",
    "not-access-log": "other messages of the proxy, or of another program",
    "not-json": "broken, empty, or of another log format",
    "too-long": "longer than 1 MiB",
}
"""What the lines of each fate are."""


class Words(NamedTuple):
    """A reason in words: `{}` is the detail. No remedy: nothing is wrong."""

    meaning: str
    remedy: str = ""


CADDY_JSON: Final = "let Caddy write it: `log` with `output file ...` and `format json`"

REASONS: Final[dict[Reason, Words]] = {
    Reason.TOO_LONG: Words("a line of {}", "see which visitor sends such requests; limit headers"),
    Reason.EMPTY: Words("an empty line", "nothing but the proxy should write into this file"),
    Reason.COMMON_LOG: Words("another log format", CADDY_JSON),
    Reason.BINARY: Words(
        "bytes that are no text",
        "the file is damaged, or compressed: move it away; new lines are read all the same",
    ),
    Reason.BROKEN: Words(
        "broken JSON",
        "usual where the power was cut, and harmless then; often: does another program "
        "write into the same file?",
    ),
    Reason.NO_OBJECT: Words("not a line of Caddy's access log", CADDY_JSON),
    Reason.ANOTHER_MESSAGE: Words(
        "another message of the proxy: {}",
        "usual for a few lines; when there are no others, the site has no `log` directive: "
        "access logs must be turned on for each site",
    ),
    Reason.FIELD_MISSING: Words(
        "the field {} is missing", "take filters and renamed fields out of Caddy's `log` block"
    ),
    Reason.FIELD_WRONG: Words(
        "the field {} is not in its usual form",
        "take `time_format` and filters out of Caddy's `log` block",
    ),
    Reason.BAD_TIME: Words("the time {} cannot be", "set the hotspot's clock"),
    Reason.TIME_FORMAT: Words(
        "the time is in {}, not in seconds", "take `time_format` out of Caddy's `log` block"
    ),
    Reason.STATUS: Words(
        "answered {}",
        "only answers 200 to 399 count; when all are errors, is the content there, and is "
        "kiwix-serve running?",
    ),
    Reason.HOST: Words(
        "no package at host {}",
        "usual for the hotspot's own pages and for what phones ask by themselves; when your "
        "content is at one of these hosts, change the url of its packages to //HOST/...",
    ),
    Reason.NO_NAME: Words("{}: a page of kiwix-serve itself, of no ZIM"),
    Reason.KIWIX_WORD: Words("/{}: kiwix-serve's own, of no ZIM"),
    Reason.ZIM_UNKNOWN: Words(
        "no package has the ZIM {}",
        "add it to the packages file, as kind zim with the url //HOST/viewer#NAME; what the path "
        "in the log has before /content/ belongs before viewer",
    ),
    Reason.REDIRECT: Words("a redirect to /content/{}, which counts itself"),
    Reason.OTHER: Words("it makes no input", "please report this line"),
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
