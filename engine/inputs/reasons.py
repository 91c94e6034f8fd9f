"""Why a line counts or not, for a person to read: slower than counting, with the same result.

`explain` gives the fate that parsing and `inputs_of` give a line, and the reason, with the detail
of the line that decided, as far as it may be shown (`masking.py`). Where it finds no reason, that
is `Reason.OTHER`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from engine.inputs import formats, masking
from engine.inputs.model import Input, Reason, Request
from engine.inputs.rules import KIWIX_WORDS, inputs_of, leads_to_content
from engine.packages import Packages

_QUERY = re.compile(r"[?#]")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of one line. `detail` is what of the line decided: a host, a field, a name.

    `visitor` is the address of who made the request, to be hidden wherever it occurs.
    """

    fate: str
    reason: Reason | None = None
    detail: str = ""
    request: Request | None = None
    inputs: tuple[Input, ...] = ()
    visitor: str = ""


def explain(line: bytes, packages: Packages) -> Explanation:
    """The fate of a line, given without its newline, and why."""
    log_format, parsed = formats.read_line(line)
    if isinstance(parsed, Request):
        inputs, visitor = inputs_of(parsed, packages), log_format.visitor_of(line)
        if inputs:
            return Explanation("counted", request=parsed, inputs=inputs, visitor=visitor)
        why = _why_unmatched(parsed, packages, visitor)
        return Explanation("unmatched", *why, request=parsed, visitor=visitor)
    if parsed == "too-long":
        return Explanation(parsed, Reason.TOO_LONG, f"{len(line):,} bytes")
    return Explanation(parsed, *log_format.explain(line, parsed))


def _why_unmatched(request: Request, packages: Packages, visitor: str) -> tuple[Reason, str]:
    if not 200 <= request.status <= 399:
        return Reason.STATUS, str(request.status)
    site = packages.site(request.host)
    if site is None:
        return Reason.HOST, masking.host(request.host, visitor)
    path = unquote(_QUERY.split(request.uri, maxsplit=1)[0])
    near = [library for library in site.libraries if path.startswith(f"{library.prefix}/")]
    below = path[len(near[0].prefix) :] if near else path
    legacy = not below.startswith("/content/")
    name = below[1 if legacy else len("/content/") :].partition("/")[0]
    if not name:
        return Reason.NO_NAME, masking.path(request, packages)
    if legacy and (name in KIWIX_WORDS or name in masking.KIWIX_FILES):
        return Reason.KIWIX_WORD, name
    if not any(library.titles(name) for library in near):
        return Reason.ZIM_UNKNOWN, masking.name(name)
    if legacy and leads_to_content(request, site):
        return Reason.REDIRECT, masking.name(name)
    return Reason.OTHER, ""
