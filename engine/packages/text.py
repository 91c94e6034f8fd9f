"""Text of the packages file as it is stored and shown."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

MAX_TITLE_LENGTH: Final = 300
"""Characters of a title, and of the hotspot's name; a longer one is cut."""
MAX_TEXT_LENGTH: Final = 10_000
"""Characters of a text of the file that are looked at; none that means something has more."""

_MAX_CLUSTER: Final = 32
"""Characters that a person takes for one, at most; what is longer is a game with marks."""
_JOINER: Final = "\u200d"
_JOINED: Final = re.compile(
    f"[{_JOINER}\u0e33\u0eb3\u1160-\u11ff\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
)
"""Joiner, vowels of Thai and Lao, ends of Korean syllables, skin tones, tags of flags."""
_FLAG_LETTERS: Final = frozenset(map(chr, range(0x1F1E6, 0x1F200)))
_PLANES: Final = range(0, 0x110000, 0x10000)
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANKS = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
# Controls, embeddings and overrides of direction (they reach into the text behind them), the mark
# of byte order, annotations, and what Unicode says is no character.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\ufdd0-\ufdef\ud800-\udfff"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in _PLANES)
    + "]"
)
# Blanks and what Unicode says may be ignored when shown: joiners, fillers, marks of direction.
_INVISIBLE = re.compile(
    "[\\s\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2065\u2800"
    "\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]*"
)


def clean_text(text: str) -> str:
    """A text that can be stored and shown.

    White space at the ends goes, inside it becomes one blank; surrogate pairs are joined; what
    still cannot be printed becomes U+FFFD. Marks of direction and joiners stay.
    """
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _UNPRINTABLE.sub("\ufffd", _BLANKS.sub(" ", text).strip(" "))


def clean_scalar(value: Any) -> str:
    """A YAML scalar as clean text; nothing, a list or a mapping as the empty text."""
    return clean_text(value[:MAX_TEXT_LENGTH]) if isinstance(value, str) else ""


def visible_text(value: Any) -> str:
    """The same for a text that is shown; empty when there would be nothing to see."""
    text = clean_scalar(value)
    return "" if _INVISIBLE.fullmatch(text) else text


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
    if is_mark or _JOINED.fullmatch(after) or text[at - 1] == _JOINER:
        return True
    if after not in _FLAG_LETTERS:
        return False
    before = 0
    while before < at and text[at - 1 - before] in _FLAG_LETTERS:
        before += 1
    return before % 2 == 1
