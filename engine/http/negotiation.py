"""Evaluates `Accept-Encoding` and `If-None-Match`; no header value raises an error."""

from __future__ import annotations

import re
from functools import lru_cache

_MAX_REMEMBERED_LENGTH = 120
"""Characters: real browsers send about 20; longer values are judged each time, not remembered."""

_ENTITY_TAG = re.compile(r'"([^"]*)"')
_QUALITY = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def accepts_gzip(header: str) -> bool:
    """True when `gzip` (or `*`) is in `Accept-Encoding` with a quality above zero.

    No header means no compression: such clients are scripts, and text is what they expect.
    """
    if not header:
        return False
    if len(header) > _MAX_REMEMBERED_LENGTH:
        return _accepts_gzip(header)
    return _remembered_accepts_gzip(header)


def etag_matches(header: str, etag: str) -> bool:
    """True when `If-None-Match` names `etag` (opaque part, no quotes) or is `*`.

    Weak tags (`W/"..."`) and strong ones compare alike, as RFC 9110 requires for this header.
    """
    if header.strip() == "*":
        return True
    return any(found == etag for found in _ENTITY_TAG.findall(header))


def _accepts_gzip(header: str) -> bool:
    any_coding = False
    for item in header.lower().split(","):
        coding, *parameters = (part.strip() for part in item.split(";"))
        wanted = all(_positive_quality(parameter) for parameter in parameters)
        if coding in ("gzip", "x-gzip"):
            return wanted
        if coding == "*":
            any_coding = wanted
    return any_coding


_remembered_accepts_gzip = lru_cache(maxsize=256)(_accepts_gzip)


def _positive_quality(parameter: str) -> bool:
    """False for `q=0` in all its spellings, and for a quality that is none."""
    if not parameter.startswith("q"):
        return True
    match = _QUALITY.fullmatch(parameter.replace(" ", ""))
    return match is not None and float(match[1]) > 0
