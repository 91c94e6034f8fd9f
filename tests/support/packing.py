"""Compresses and archives a log in every format that the tools of this machine support.

The real tools are used, or Python's own modules.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import Final


def tar_of(
    data: bytes, format_: int = tarfile.PAX_FORMAT, mode: str = "w:", count: int = 6
) -> bytes:
    """An archive of so many logs."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=format_) as archive:  # type: ignore[call-overload]
        for index in range(count):
            member = tarfile.TarInfo(f"logs/caddy-{index}.json")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _tar_v7(data: bytes) -> bytes:
    """A header with nothing but name, mode, owner, size, time and checksum, as in 1979."""
    fields = b"%-100s%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        b"",
        0o644,
        0,
        0,
        len(data),
        1_781_388_000,
    )
    header = b"caddy.json".ljust(100, b"\0") + fields[100:] + b" " * 8 + b"0"
    header = header.ljust(512, b"\0")
    header = header[:148] + b"%06o\0 " % sum(header) + header[156:]
    return header + data.ljust(-(-len(data) // 512) * 512, b"\0") + bytes(1024)


def _zip(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("caddy.json", data)
    return out.getvalue()


def _cpio(data: bytes) -> bytes:
    fields = [0, 0o100644, 0, 0, 1, 1_781_388_000, len(data), 0, 0, 0, 0, len(b"a.json\0"), 0]
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + b"a.json\0"
    return header.ljust(-(-len(header) // 4) * 4, b"\0") + data


def _by(*command: str) -> Callable[[bytes], bytes]:
    def pack(data: bytes) -> bytes:
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout

    return pack


REFUSED: Final[dict[str, tuple[Callable[[bytes], bytes], str, str]]] = {
    "zstd": (_by("zstd", "-c"), "zstd", "zstd -dc"),
    "bzip2": (bz2.compress, "bzip2", "bzip2 -dc"),
    "xz": (lzma.compress, "xz", "xz -dc"),
    "lzma": (lambda data: lzma.compress(data, lzma.FORMAT_ALONE), "lzma", "xz -dc"),
    "lz4": (_by("lz4", "-c"), "lz4", "lz4 -dc"),
    "zlib": (zlib.compress, "zlib", "pigz -dc"),
    "zip": (_zip, "zip", "unzip -p"),
    "cpio": (_cpio, "cpio", "cpio -i"),
    "tar pax": (tar_of, "tar", "tar -xOf"),
    "tar gnu": (lambda data: tar_of(data, tarfile.GNU_FORMAT), "tar", "tar -xOf"),
    "tar ustar": (lambda data: tar_of(data, tarfile.USTAR_FORMAT), "tar", "tar -xOf"),
    "tar v7": (_tar_v7, "tar", "tar -xOf"),
    "tar in gzip": (lambda data: tar_of(data, mode="w:gz"), "tar within gzip", "tar -xOzf"),
    "tar in bzip2": (lambda data: tar_of(data, mode="w:bz2"), "bzip2", "bzip2 -dc"),
    "gzip in gzip": (
        lambda data: gzip.compress(gzip.compress(data)),
        "gzip within gzip",
        "gzip -dc",
    ),
    "xz in gzip": (lambda data: gzip.compress(lzma.compress(data)), "xz within gzip", "xz -dc"),
}
"""Kind -> how it is made, what it is called, and the command that unpacks it."""
