"""The logo of a report, as part of the page: told by its content, and bounded."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Final

from engine.errors import InputMissing, InputUnreadable, UsageError
from engine.regular_file import NotRegularFile, open_regular

MAX_BYTES: Final = 1024 * 1024
_KINDS: Final = (
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/gif", re.compile(rb"GIF8[79]a")),
    ("image/webp", re.compile(rb"RIFF....WEBP", re.S)),
    ("image/svg+xml", re.compile(rb"(?:\xef\xbb\xbf)?\s*<.{0,4000}?\bsvg\b", re.S)),
)
"""What browsers show, and how such a file begins. An image runs no script, also not of an SVG."""
_HINT: Final = "give a PNG, JPEG, GIF, WebP or SVG of at most 1 MiB with --logo"


def data_address(path: Path) -> str:
    """The file as a `data:` address. Raises an error with a way out for what is no such image."""
    try:
        with open_regular(path) as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise InputMissing(f"there is no logo {path}", _HINT) from error
    except NotRegularFile as error:
        raise InputUnreadable(f"logo {path} is not a file", _HINT) from error
    except OSError as error:
        raise InputUnreadable(f"logo {path} cannot be read: {error.strerror}", _HINT) from error
    if len(content) > MAX_BYTES:
        raise UsageError(f"logo {path} has more than 1 MiB", _HINT)
    for kind, beginning in _KINDS:
        if beginning.match(content):
            return f"data:{kind};base64,{base64.b64encode(content).decode()}"
    raise UsageError(f"logo {path} is no image that browsers show", _HINT)
