"""A program in place of Filebeat that misbehaves in a given mode.

It takes the arguments of Filebeat. The modes in `SPOILT` run the real Filebeat and corrupt its
output; the others print nothing of the logs.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

CHILD = "the child of one that is stubborn"
CHANCE = random.Random(20261123)
BLOCK = b"garbage without an end " * 2800


def drops(line: bytes, number: int) -> Iterator[bytes]:
    """Every tenth event is missing."""
    if number % 10:
        yield line


def repeats(line: bytes, number: int) -> Iterator[bytes]:
    """Every event comes twice, some once more much later."""
    yield line
    yield line
    _kept.append(line)
    if number % 50 == 49:
        yield from _kept[:20]


def moves(line: bytes, number: int) -> Iterator[bytes]:
    """Offsets are wrong; every fifth one is 0, as if a log began there."""
    offset, rest = line.split(b"\t", 1)
    wrong = 0 if number % 5 == 0 else int(offset) + number % 7 * 10
    yield b"%d\t%s" % (wrong, rest)


def swaps(line: bytes, number: int) -> Iterator[bytes]:
    """Each event has the path of another one; some have one of no log at all."""
    offset, path, rest = line.split(b"\t", 2)
    _kept.append(path)
    other = b"/nowhere/caddy_access_logs.json" if number % 9 == 0 else CHANCE.choice(_kept)
    yield b"\t".join((offset, other, rest))


def cuts(line: bytes, number: int) -> Iterator[bytes]:
    """The ends of lines are missing, of some of them most of it."""
    yield line[: -2 - number % 90] + b"\n" if number % 3 == 0 else line


def strays(line: bytes, number: int) -> Iterator[bytes]:
    """Other output lands between and inside of events."""
    middle = CHANCE.randrange(len(line))
    stray = CHANCE.choice([b"fetching V2 controller: 17\n", b"\0\xff\n", b"7\t\n", b"\n"])
    yield line[:middle] + stray + line[middle:] if number % 11 == 0 else line
    if number % 7 == 0:
        yield stray


def invents(line: bytes, number: int) -> Iterator[bytes]:
    """There are events of lines that are in no log, at places where a log could go on."""
    offset, path, rest = line.split(b"\t", 2)
    yield line
    if number % 4 == 0:
        yield b"%d\t%s\tinvented %s" % (int(offset) + len(rest), path, rest)
        yield b"0\t%s\tinvented %s" % (path, rest)


SPOILT: dict[str, Callable[[bytes, int], Iterator[bytes]]] = {
    f.__name__: f for f in (drops, repeats, moves, swaps, cuts, strays, invents)
}
SILENT = ("nothing", "exits0", "exits1", "endless", "garbage", "complains", "closes")
"""Modes that bring no event at all."""
_kept: list[bytes] = []


def main(mode: str, filebeat: str, arguments: list[str]) -> int:
    """Be hostile until ended."""
    if mode.startswith("exits"):
        return int(mode[-1])
    if mode == "stubborn":  # ignores SIGINT, and so does what it starts
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen([sys.executable, __file__, "nothing", "", CHILD])
        mode = "nothing"
    if mode == "closes":
        os.close(1)
        mode = "nothing"
    if mode == "nothing":
        while True:
            signal.pause()
    if mode in {"endless", "garbage", "complains"}:
        block = BLOCK.replace(b"end ", b"end\n") if mode == "garbage" else BLOCK
        while True:
            os.write(2 if mode == "complains" else 1, block)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Filebeat itself ends by it, then we do
    with subprocess.Popen(
        [filebeat, *arguments],
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as child:
        assert child.stdout is not None
        for number, line in enumerate(child.stdout):
            parts = SPOILT[mode](line, number) if line.count(b"\t") >= 2 else [line]
            for part in parts:
                sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
    return child.returncode


def install(folder: Path, mode: str, filebeat: Path) -> Path:
    """A program of one file that is hostile in this way."""
    program = folder / f"filebeat-that-{mode}"
    us = Path(__file__).resolve()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{us}" {mode} "{filebeat}" "$@"\n')
    program.chmod(0o755)
    return program


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
