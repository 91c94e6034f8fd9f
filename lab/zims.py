"""ZIM files, made by the real zimwriterfs of a few pages."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from collections.abc import Mapping
from pathlib import Path

from lab.processes import ChainError

ILLUSTRATION = "illustration.png"


def png(red: int, green: int, blue: int, side: int = 48) -> bytes:
    """A square picture of one colour, which is what a ZIM needs for an illustration."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = (b"\0" + bytes((red, green, blue)) * side) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def zim(
    path: Path,
    *,
    name: str,
    title: str,
    pages: Mapping[str, str | bytes],
    language: str = "eng",
) -> Path:
    """Make a ZIM file of the given pages; kiwix-serve will know it by its file name."""
    folder = path.with_suffix(".html")
    folder.mkdir(parents=True)
    (folder / ILLUSTRATION).write_bytes(png(*zlib.crc32(name.encode()).to_bytes(4, "big")[:3]))
    for page, content in pages.items():
        target = folder / page
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    command = ["zimwriterfs", "--welcome", "index.html", "--illustration", ILLUSTRATION]
    command += ["--language", language, "--title", title, "--description", f"About {title}"]
    command += ["--creator", "Nobody", "--publisher", "Nobody", "--name", name]
    command += ["--threads", "1", str(folder), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode or not path.exists():
        raise ChainError(f"zimwriterfs ended with {done.returncode}: {done.stdout}{done.stderr}")
    shutil.rmtree(folder)
    return path
