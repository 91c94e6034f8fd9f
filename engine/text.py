"""Text from outside as it can be stored and shown: names of files, and texts of the packages file.

A name of a file on Linux is any bytes but `/` and NUL: newlines, escape sequences, bytes that are
no UTF-8. Inside the program it is what `os.fsdecode` makes of it, so that the file can be opened by
it; where it leaves the program (database, log, JSON, terminal) it goes through `displayable`, which
shows every byte. Titles go through `clean_text` when they are read, which keeps what people write.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

# Control characters, line separators, direction marks, byte order mark, halves of surrogate pairs.
_CHARACTERS: Final = (
    "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufff9-\ufffb"
)
_UNPRINTABLE = re.compile(f"[{_CHARACTERS}]")
_UNPRINTABLE_IN_LINE = re.compile(f"(?!\n)[{_CHARACTERS}]")

MAX_TITLE_LENGTH: Final = 300
"""Characters of a title, and of the hotspot's name; a longer one is cut."""
MAX_TEXT_LENGTH: Final = 10_000
"""Characters of a text of the file that are read; no meaningful one has more."""

_MAX_CLUSTER: Final = 32
"""Characters that a reader sees as one, at most; a longer one is cut in two."""
_JOINER: Final = "\u200d"
_JOINED: Final = f"[{_JOINER}\u0e33\u0eb3\u1160-\u11ff\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
"""Joiner, vowels of Thai and Lao, ends of Korean syllables, skin tones, tags of flags."""
_FLAG_LETTERS: Final = frozenset(map(chr, range(0x1F1E6, 0x1F200)))
_PLANES: Final = range(0, 0x110000, 0x10000)
# These patterns are compiled at their first use: most commands need none of them.
_SURROGATE: Final = "[\ud800-\udfff]"
_BLANKS: Final = "[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
# Controls, embeddings and overrides of direction (they reach into the text behind them), the mark
# of byte order, annotations, and what Unicode says is no character.
_NOT_IN_TITLES: Final = (
    "[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\ufdd0-\ufdef\ud800-\udfff"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in _PLANES)
    + "]"
)
# Blanks and what Unicode says may be ignored when shown: joiners, fillers, marks of direction.
_INVISIBLE: Final = (
    "[\\s\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2065\u2800"
    "\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]*"
)


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


def clean_text(text: str) -> str:
    """A text that can be stored and shown.

    White space at the ends goes, inside it becomes one blank; surrogate pairs are joined; what
    still cannot be printed becomes U+FFFD. Marks of direction and joiners stay.
    """
    if re.search(_SURROGATE, text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return re.sub(_NOT_IN_TITLES, "\ufffd", re.sub(_BLANKS, " ", text).strip(" "))


def clean_scalar(value: Any) -> str:
    """A YAML scalar as clean text; nothing, a list or a mapping as the empty text."""
    return clean_text(value[:MAX_TEXT_LENGTH]) if isinstance(value, str) else ""


def visible_text(value: Any) -> str:
    """The same for a text that is shown; empty when there would be nothing to see."""
    text = clean_scalar(value)
    return "" if re.fullmatch(_INVISIBLE, text) else text


def cut_text(text: str) -> str:
    """A clean text of at most `MAX_TITLE_LENGTH` characters, with an ellipsis where it was cut.

    A letter with its marks, a family or a flag is not cut in two, unless it is longer than that.
    """
    if len(text) <= MAX_TITLE_LENGTH:
        return text
    end = MAX_TITLE_LENGTH - 1
    begin = end - _MAX_CLUSTER
    while end > begin and _joined(text, end):
        end -= 1
    cut = text[: end if end > begin else MAX_TITLE_LENGTH - 1]
    return cut.rstrip(" \u200d") + "…"


def _joined(text: str, at: int) -> bool:
    """Whether a person takes the characters before and after a place for one."""
    after = text[at]
    is_mark = unicodedata.category(after).startswith("M")
    if is_mark or re.fullmatch(_JOINED, after) or text[at - 1] == _JOINER:
        return True
    if after not in _FLAG_LETTERS:
        return False
    before = 0
    while before < at and text[at - 1 - before] in _FLAG_LETTERS:
        before += 1
    return before % 2 == 1


def duration(seconds: int) -> str:
    """A stretch of time in words, to the two largest units."""
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    for index, (unit, size) in enumerate(units):
        if seconds >= size or size == 1:
            text = f"{seconds // size} {unit}"
            if index < len(units) - 1 and seconds % size >= units[index + 1][1]:
                smaller, smaller_size = units[index + 1]
                text += f" {seconds % size // smaller_size} {smaller}"
            return text
    return ""


def rounded_duration(seconds: int) -> str:
    """The same of what a clock measured, either way, from an hour on to the nearest minute: a clock
    that is set by 200 days is found a second before or after that.
    """
    seconds = abs(seconds)
    return duration(seconds if seconds < 3600 else rounded_minutes(seconds) * 60)


def rounded_minutes(seconds: int) -> int:
    """The nearest number of minutes to a stretch of time, either way."""
    return (abs(seconds) + 30) // 60


def clock_step(seconds: int) -> str:
    """How a clock was set, in words."""
    return f"{'forward' if seconds > 0 else 'back'} by {rounded_duration(seconds)}"
