"""YAML within bounds: nothing but text, lists and maps, of bounded depth and size.

Aliases and merge keys are read; what they refer to counts towards the bounds each time, so that a
short file that would expand to a huge one is refused before it is expanded.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

MAX_DEPTH: Final = 20
MAX_NODES: Final = 50_000  # texts, lists and maps: of some two thousand packages, and 50 MiB
MAX_CHARACTERS: Final = 16 * 1024 * 1024  # of all texts, each as often as an alias refers to it

_MERGE: Final = "tag:yaml.org,2002:merge"
_TEXT: Final = "tag:yaml.org,2002:str"
_NULL: Final = "tag:yaml.org,2002:null"

_ENDS: Final = r"\0\r\n\x85\u2028\u2029"
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
# A bounded number of rounds at a time: the matcher keeps something of each. And no possessive
# repeats of groups: up to Python 3.11.3 they keep what a failed round has taken.
_GAP = re.compile(rf"(?: *+(?:#[^{_ENDS}]*+)?(?:\r\n|[\n\r\x85\u2028\u2029])){{1,200}}")
_LAST_GAP = re.compile(rf" *+(?:#[^{_ENDS}]*+)?")


def _words(inside: str) -> re.Pattern[str]:
    """Some of a plain text in its line; a character of `inside` is the end of it."""
    end = f"{_ENDS} \\t{inside.replace('?', '')}"
    colon = f":(?![{end}])"
    blanks = rf" ++(?=[^{_ENDS} \t:#{inside}]|{colon})"
    return re.compile(rf"(?:[^{_ENDS} \t:{inside}]++|{colon}|{blanks}){{1,200}}")


_WORDS = _words("")
_FLOW_WORDS = _words(r",?\[\]{}")


def load_document(content: bytes) -> Any:
    """What a YAML text holds. Raises yaml.YAMLError, ValueError or RecursionError."""
    return yaml.load(content, Loader=_Loader)  # noqa: S506 (a SafeLoader)


class _Size:
    """How much a node holds, with all that is below it."""

    __slots__ = ("characters", "depth", "nodes")

    def __init__(self, nodes: int, characters: int, depth: int) -> None:
        self.nodes = nodes
        self.characters = characters
        self.depth = depth


class _Loader(yaml.SafeLoader):
    """A safe loader that counts what it composes, and keeps scalars as they are written."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self._nodes = 0
        self._characters = 0
        self._depth = 0
        self._deepest = 0
        self._sizes: dict[str, _Size] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # (its stubs)
        anchor = event.anchor
        if isinstance(event, yaml.AliasEvent):
            self._add_alias(anchor, event)
            return super().compose_node(parent, index)
        if anchor is not None:  # given twice, the later one goes on
            self.anchors.pop(anchor, None)
            self._sizes.pop(anchor, None)
        above, nodes, characters = self._deepest, self._nodes, self._characters
        self._depth += 1
        self._deepest = self._depth
        self._add(1, len(event.value) if isinstance(event, yaml.ScalarEvent) else 0, event)
        node = super().compose_node(parent, index)
        if anchor is not None:
            self._sizes[anchor] = _Size(
                self._nodes - nodes, self._characters - characters, self._deepest - self._depth + 1
            )
        self._depth -= 1
        self._deepest = max(above, self._deepest)
        return node

    def _add_alias(self, anchor: str, event: Any) -> None:
        size = self._sizes.get(anchor)
        if size is None:
            known = anchor in self.anchors
            problem = "the alias is inside of what it refers to" if known else "an unknown alias"
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        self._deepest = max(self._deepest, self._depth + size.depth)
        self._add(size.nodes, size.characters, event)

    def _add(self, nodes: int, characters: int, event: Any) -> None:
        self._nodes += nodes
        self._characters += characters
        problem = ""
        if self._deepest > MAX_DEPTH:
            problem = f"more than {MAX_DEPTH} levels deep"
        elif self._nodes > MAX_NODES or self._characters > MAX_CHARACTERS:
            problem = "too much for one file"
        if problem:
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)

    def flatten_mapping(self, node: Any) -> None:
        """Merge what `<<` names, where it names maps; elsewhere `<<` is a key like any other."""
        for key, value in node.value:
            if key.tag == _MERGE and not _is_mergeable(value):
                key.tag = _TEXT
        super().flatten_mapping(node)

    # PyYAML goes from character to character. These three go as far at once as it would go; a
    # file of 8 MiB takes a third of the time. `stream` is bytes, so all of it is in the buffer.

    def forward(self, length: int = 1) -> None:
        """Go on by so many characters, and count lines and columns."""
        end = self.pointer + length
        passed = self.buffer[self.pointer : end]
        self.pointer = end
        self.index += length
        if breaks := _BREAK.findall(passed):
            if passed[-1] == "\r" and self.buffer[end : end + 1] == "\n":
                self.line -= 1  # the end of this line is the next character
            self.line += len(breaks)
            self.column = 0
            passed = passed[max(passed.rfind(mark) + len(mark) for mark in set(breaks)) :]
        self.column += len(passed) - passed.count("\ufeff")

    def scan_to_next_token(self) -> None:
        """Go over blanks, comments and ends of lines."""
        if self.index == 0 and self.buffer.startswith("\ufeff"):
            self.forward()
        line = self.line
        while found := _GAP.match(self.buffer, self.pointer):
            self.forward(len(found[0]))
        self.forward(len(_LAST_GAP.match(self.buffer, self.pointer)[0]))  # type: ignore[index]
        if self.line != line and not self.flow_level:
            self.allow_simple_key = True

    def scan_plain(self) -> Any:
        """A text without quotes: words and blanks of a line at once."""
        words = _FLOW_WORDS if self.flow_level else _WORDS
        chunks: list[str] = []
        start_mark = end_mark = self.get_mark()
        indent = self.indent + 1
        spaces: list[str] = []
        while self.buffer[self.pointer] != "#":
            begin = end = self.pointer
            while found := words.match(self.buffer, end):
                end = found.end()
            if begin == end:
                break
            self.allow_simple_key = False
            chunks += spaces
            chunks.append(self.buffer[begin:end])
            self.forward(end - begin)
            end_mark = self.get_mark()
            spaces = self.scan_plain_spaces(indent, start_mark) or []
            if not spaces or (not self.flow_level and self.column < indent):
                break
        return yaml.ScalarToken("".join(chunks), True, start_mark, end_mark)


def _is_mergeable(value: Any) -> bool:
    if isinstance(value, yaml.SequenceNode):
        return all(isinstance(item, yaml.MappingNode) for item in value.value)
    return isinstance(value, yaml.MappingNode)


# Only nothing stays nothing, and `<<` merges: `title: 1984` and `title: yes` are the texts that
# were written.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in (_MERGE, _NULL)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# Also where a tag asks for a number or a date, which need not be one: `!!int "x"` is the text x.
_Loader.yaml_constructors = yaml.SafeLoader.yaml_constructors | {
    f"tag:yaml.org,2002:{tag}": yaml.SafeLoader.construct_yaml_str
    for tag in ("bool", "int", "float", "timestamp", "binary", "merge")
}
