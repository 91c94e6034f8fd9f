"""What the main thread and the reader thread of a running `serve` can both reach.

`watch` starts a thread that waits for a file named `walk`, finds both ends in the memory of the
process, follows their attributes, items, closures and local variables, and writes what both reach
and one of them could change.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import types
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from pathlib import Path, PurePath
from typing import Any

from engine.runtime.collector import Collector
from engine.runtime.inbox import Inbox
from engine.sources.requests import Requests
from engine.sources.tail.source import Tail

CHANNELS = (Inbox, Requests, threading.Thread)
"""What is made to be used by several threads: it is not followed."""
CODE = (type, types.ModuleType, types.CodeType, types.BuiltinFunctionType)
MUTABLE = (dict, list, set, bytearray)


def neighbours(thing: object) -> Iterable[object]:
    """What a thing holds; of a function what it was made with, not the module that it is in."""
    if isinstance(thing, (*CODE, *CHANNELS, PurePath)):
        return ()
    if isinstance(thing, types.FrameType):
        return list(thing.f_locals.values())
    if isinstance(thing, types.FunctionType):
        cells = [cell.cell_contents for cell in thing.__closure__ or () if _is_filled(cell)]
        defaults = [*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values()]
        return [*cells, *defaults]
    return gc.get_referents(thing)


def _is_filled(cell: types.CellType) -> bool:
    try:
        return bool(cell.cell_contents) or True
    except ValueError:
        return False


def reachable(*roots: object) -> dict[int, object]:
    """All that can be reached, by id."""
    found: dict[int, object] = {}
    waiting = list(roots)
    while waiting:
        thing = waiting.pop()
        if id(thing) not in found:
            found[id(thing)] = thing
            waiting += neighbours(thing)
    return found


def can_change(thing: object) -> bool:
    """Whether a thing is a collection, or an object of ours, that can be changed."""
    if isinstance(thing, (*CODE, *CHANNELS, PurePath)):
        return False
    if isinstance(thing, MUTABLE) or type(thing).__module__ == "collections":
        return True
    if not type(thing).__module__.startswith("engine.") or isinstance(thing, tuple):
        return False
    return not _is_frozen(thing) and bool(list(_attributes(thing)))


def _is_frozen(thing: object) -> bool:
    return is_dataclass(thing) and getattr(type(thing), "__dataclass_params__").frozen  # noqa: B009


def _attributes(thing: object) -> Iterator[str]:
    yield from getattr(thing, "__dict__", ())
    for kind in type(thing).__mro__:
        slots = getattr(kind, "__slots__", ())
        yield from (slots,) if isinstance(slots, str) else slots


def shared(left: Iterable[object], right: Iterable[object]) -> tuple[list[str], int, int]:
    """What both can reach and change, and how much that is of each."""
    mine = {key: thing for key, thing in reachable(*left).items() if can_change(thing)}
    theirs = {key: thing for key, thing in reachable(*right).items() if can_change(thing)}
    both = [f"{type(mine[key])}: {mine[key]!r:.300}" for key in mine.keys() & theirs.keys()]
    return sorted(both), len(mine), len(theirs)


def watch(folder: Path) -> None:
    """Walk once there is a file named `walk`; the result is in `walked`."""

    def walk() -> None:
        pause = threading.Event()
        while not (folder / "walk").exists():
            pause.wait(0.05)
        found: dict[str, Any] = {}
        try:
            frames = sys._current_frames()
            reader = next(t for t in threading.enumerate() if t.name == "reader")
            main = threading.main_thread()
            [source] = _instances(Tail)
            [collector] = _instances(Collector)
            assert reader.ident is not None
            assert main.ident is not None
            both, mine, theirs = shared(
                [collector, *_stack(frames[main.ident])], [source, *_stack(frames[reader.ident])]
            )
            found = {"shared": both, "main": mine, "reader": theirs}
            found["kind"] = type(source).__name__
        except BaseException as error:  # noqa: BLE001 (the test shows it)
            found = {"error": f"{type(error).__name__}: {error}"}
        (folder / "walked.new").write_text(json.dumps(found))
        (folder / "walked.new").rename(folder / "walked")

    threading.Thread(target=walk, name="walk", daemon=True).start()


def _instances(kind: type) -> list[object]:
    return [thing for thing in gc.get_objects() if isinstance(thing, kind)]


def _stack(frame: types.FrameType | None) -> Iterator[types.FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
