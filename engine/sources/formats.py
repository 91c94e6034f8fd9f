"""What a file is, by its first bytes: a plain log, gzip, or something that is not read.

`format_of` never looks at a name. What is neither plain nor gzip is refused by name of its kind,
with the command that unpacks it, because its bytes would be parsed as lines that mean nothing.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HEAD_BYTES: Final = 512
"""So much of a file is needed to recognise it: a tar's first header."""


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file that is not read as lines. `unpack` prints its content; FILE is its path."""

    kind: str
    unpack: str
    from_pipe: str = ""
    """The same for what comes through a pipe; empty where its program needs a file."""


def _packer(kind: str, program: str) -> Format:
    return Format(kind, f"{program} -dc FILE", f"{program} -dc")


GZIP: Final = _packer("gzip", "gzip")
TAR: Final = Format("tar", "tar -xOf FILE", "tar -xO")

_MAGICS: Final[tuple[tuple[bytes, Format], ...]] = (
    (rb"\x1f\x8b", GZIP),
    (rb"[\x22-\x28]\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", _packer("zstd", "zstd")),
    (rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", _packer("bzip2", "bzip2")),
    (rb"\xfd7zXZ", _packer("xz", "xz")),
    (rb"\x5d\x00\x00[\x00-\xff]{2}(?:\xff{8}|[\x00-\xff]{5}\x00{3})", _packer("lzma", "xz")),
    (rb"LZIP[\x00\x01]", _packer("lzip", "lzip")),
    (rb"\x89LZO\x00\r\n\x1a\n", _packer("lzop", "lzop")),
    (rb"\x04\x22\x4d\x18|\x02\x21\x4c\x18", _packer("lz4", "lz4")),
    (rb"\x1f[\x1e\x9d\xa0]", _packer("compress", "gzip")),
    (rb"\xff\x06\x00\x00sNaPpY", _packer("snappy", "snzip")),
    (rb"\x78[\x01\x9c\xda]", _packer("zlib", "pigz")),
    (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", Format("zip", "unzip -p FILE", "funzip")),
    (rb"7z\xbc\xaf\x27\x1c", Format("7z", "7z e -so FILE")),
    (rb"Rar!\x1a\x07", Format("rar", "unrar p -inul FILE")),
    (
        rb"07070[12][0-9A-Fa-f]{104}|070707[0-7]{70}|\xc7\x71[\x00-\xff]{24}|\x71\xc7[\x00-\xff]{24}",
        Format("cpio", "cpio -i --to-stdout < FILE", "cpio -i --to-stdout"),
    ),
    (rb"!<arch>\n", Format("ar", "ar p FILE")),
    (rb"MSCF\x00{4}", Format("cab", "cabextract -p FILE")),
)
_KNOWN: Final = tuple((re.compile(pattern).match, kind) for pattern, kind in _MAGICS)


def format_of(head: bytes) -> Format | None:
    """The kind of a file that begins with these bytes; None when it is read as it is."""
    if head[:1] == b"{":  # a line of the proxy, nearly always
        return None
    for match, kind in _KNOWN:
        if match(head):
            return kind
    return TAR if _is_tar(head) else None


def _is_tar(head: bytes) -> bool:
    """Whether a block is the header of a tar's member: of any flavour, by its checksum."""
    if len(head) < HEAD_BYTES or not head[0]:
        return False
    field = head[148:156].strip(b" \0")
    if not field or not re.fullmatch(rb"[0-7]+", field):
        return False
    rest = head[:148] + b" " * 8 + head[156:HEAD_BYTES]
    unsigned = sum(rest)
    signed = unsigned - 256 * sum(byte > 127 for byte in rest)  # as some old ones added it up
    return int(field, 8) in {unsigned, signed}


def kinds_in_words(layers: Sequence[Format]) -> str:
    """What a file is packed with, from the inside out."""
    return " within ".join(layer.kind for layer in reversed(layers))


def command_of(layers: Sequence[Format], path: str = "FILE") -> str:
    """The command that prints what a file holds, through all its layers."""
    outer, inner = layers[0], layers[1:]
    command = outer.unpack.replace("FILE", path)
    if not inner:
        return command
    if inner[0] is TAR and outer is GZIP:
        return TAR.unpack.replace("-xO", "-xOz").replace("FILE", path)
    if inner[0] is GZIP:  # which is read from a pipe as well
        return command
    if inner[0].from_pipe:
        return f"{command} | {inner[0].from_pipe}"
    return f"{command} > UNPACKED && {inner[0].unpack.replace('FILE', 'UNPACKED')}"


SUFFIXES: Final = (
    *(".gz", ".zst", ".zstd", ".bz2", ".xz", ".lzma", ".lz", ".lzo", ".lz4", ".Z", ".sz"),
    *(".zip", ".tar", ".tgz", ".7z", ".rar", ".cpio"),
)
"""What tools put behind the name of a log that they compress."""


def is_log_name(name: str, matches: Callable[[str], object]) -> bool:
    """Whether the pattern takes a name, with or without what a tool put behind it."""
    while not matches(name):
        suffix = next((end for end in SUFFIXES if name.endswith(end)), "")
        if not suffix:
            return False
        name = name.removesuffix(suffix)
    return True


class Formats:
    """What the files of one folder are. A file is looked into again when it has changed."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], tuple[tuple[int, int, int], Format | None]] = {}

    def of(self, path: Path, status: os.stat_result) -> Format | None:
        """The kind of a plain file; the name decides if it cannot be read."""
        key = (status.st_dev, status.st_ino)
        stamp = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        known = self._known.get(key)
        if known is None or known[0] != stamp:
            try:
                found = format_of(_head_of(path))
            except OSError:
                return GZIP if path.name.endswith(".gz") else None
            known = self._known[key] = (stamp, found)
        return known[1]

    def keep(self, keys: Iterable[tuple[int, int]]) -> None:
        """Forget all files but these."""
        kept = set(keys)
        self._known = {key: known for key, known in self._known.items() if key in kept}


def _head_of(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return os.pread(descriptor, HEAD_BYTES, 0)
    finally:
        os.close(descriptor)


def not_read(name: str, layers: Sequence[Format]) -> str:
    """The problem of a log that is compressed in a way that is not read, with the way out."""
    return (
        f"log {name} is packed with {kinds_in_words(layers)}, which is not read; unpack it into "
        f"the log folder: {command_of(layers, shlex.quote(name))} > NAME"
    )


def no_file(path: Path, status: os.stat_result, is_log: Callable[[str], bool]) -> str:
    """The problem of an entry that has the name of a log and is no plain file.

    Empty for a folder, and for a link to a log that is read under its own name.
    """
    if stat.S_ISDIR(status.st_mode):
        return ""
    if not stat.S_ISLNK(status.st_mode):
        return f"log {path.name} is no plain file and is not read; set a pattern that leaves it out"
    try:
        target = path.resolve()
        is_adjacent = target.parent == path.parent.resolve()
        if is_adjacent and is_log(target.name):
            return ""
        is_folder, is_there = target.is_dir(), target.exists()
    except (OSError, RuntimeError):  # a loop of links
        return f"log {path.name} is a symbolic link that leads nowhere; take it away"
    if is_folder:
        return ""
    if not is_there:
        return f"log {path.name} is a symbolic link to {target}, which is not there; take it away"
    if is_adjacent:
        return (
            f"log {path.name} is a symbolic link to {target.name}, and links are not read: "
            f"set a pattern that takes {target.name}"
        )
    return (
        f"log {path.name} is a symbolic link to {target}, and links are not read: name the folder "
        f"of the log itself ({target.parent}), or let the proxy write into this one"
    )
