"""Names of files as text that can be stored and shown.

A name on Linux is any bytes but `/` and NUL: newlines, escape sequences, bytes that are no UTF-8.
Inside the program a name is what `os.fsdecode` makes of it, so that the file can be opened by it.
Where it leaves the program (database, log, JSON, terminal) it goes through `displayable`.
"""

from __future__ import annotations

import re
from typing import Final

# Control characters, line separators, direction marks, byte order mark, halves of surrogate pairs.
UNPRINTABLE: Final = (
    "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufff9-\ufffb"
)
_UNPRINTABLE = re.compile(f"[{UNPRINTABLE}]")
_UNPRINTABLE_IN_LINE = re.compile(f"(?!\n)[{UNPRINTABLE}]")


def displayable(text: object, *, lines: bool = False) -> str:
    r"""A text with `\n`, `\x1b`, `\u202e` in place of what cannot be printed.

    `lines` keeps newlines. A byte that was no UTF-8 becomes `\xe9`, as `ls -b` and Python print it.
    """
    return (_UNPRINTABLE_IN_LINE if lines else _UNPRINTABLE).sub(_escape, str(text))


def displayable_json(text: str) -> str:
    """JSON of the same values, with escapes in place of what must not reach a terminal.

    Halves of surrogate pairs, which no reader of JSON must accept, are shown as by `displayable`.
    """
    return _UNPRINTABLE.sub(_escape_in_json, text)


def _escape_in_json(found: re.Match[str]) -> str:
    code = ord(found[0])
    return "\\" + _escape(found) if 0xD800 <= code <= 0xDFFF else f"\\u{code:04x}"


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as `os.fsdecode` reads it
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
