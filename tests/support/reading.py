"""A reader at work over real files, and a ledger of what came of it.

Every line that a reader (`tail`, or `filebeat` with a program) emits and `engine.ledger` counts is
put into a list, so that a line lost or doubled is seen.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from engine.inputs.formats import second_of
from engine.ledger import Positions
from engine.pipeline import Tally
from engine.sources.filebeat.process import Filebeat
from engine.sources.filebeat.source import FilebeatSource
from engine.sources.model import Gone, Look, Lost, Message, Rewound, Setup, Unfinished
from engine.sources.requests import Requests
from engine.sources.tail.folder import LogFolder
from engine.sources.tail.listing import MAX_OPEN
from engine.sources.tail.source import Tail
from lab.processes import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
FILEBEAT = ROOT / "build" / "filebeat"
READERS = ("tail", "filebeat")
CURRENT = "caddy_access_logs.json"
PATTERN = "caddy_access_logs*.json"
START_AT = 1_781_388_000
WAIT_SECONDS = 60.0
"""For what takes a second or two: the machine may be busy with other things."""


def line(number: int, *, at: float | None = None, uri: str = "/") -> bytes:
    """A line of Caddy's shape, unlike any other; each next one is a second later."""
    time = START_AT + number if at is None else at
    return (
        f'{{"level":"info","ts":{time + (number % 999) / 1000:.3f},'
        '"logger":"http.log.access.log0","msg":"handled request","request":'
        f'{{"remote_ip":"10.0.0.2","remote_port":"{number}","proto":"HTTP/1.1","method":"GET",'
        f'"host":"games.box","uri":"{uri}","headers":{{}}}},"user_id":"","duration":0.0012,'
        '"size":1024,"status":200,"resp_headers":{}}\n'
    ).encode()


def lines(numbers: Iterable[int]) -> bytes:
    """Such lines, one after the other."""
    return b"".join(map(line, numbers))


class Ledger:
    """What was applied, and what was said to be lost. It is what outlives a reader."""

    def __init__(self) -> None:
        self.positions = Positions()
        self.applied: list[bytes] = []
        self.rewound = 0
        self.look = Look()
        self.gone: list[bytes] = []
        self.lost_bytes = 0
        self.lost_at_least = False

    def take(self, message: Message) -> None:
        """Apply a message as the product does."""
        if isinstance(message, Lost):
            self.lost_bytes += message.length
            self.lost_at_least |= message.at_least
        elif isinstance(message, Gone):
            self.gone.append(message.log_id)
        elif isinstance(message, Look):
            self.look = message
        elif isinstance(message, Rewound):
            self.rewound += 1
            self.positions.rewind(message)
        else:
            assert message.data.endswith(b"\n")
            log_file = self.positions.get(message.log_id, message.name)
            assert not self.positions.skip_gap(log_file, message), "the reader left a gap"
            self.positions.take(log_file, message, self._count_lines)

    def _count_lines(self, data: bytes, /, *, outside: range | None = None) -> Tally:
        tally = Tally()
        for text in data.split(b"\n")[:-1]:
            at = second_of(text)
            if outside is None or (at or 0) not in outside:
                self.applied.append(text + b"\n")
                tally.saw(at, at)
        return tally

    def has(self, wanted: bytes) -> bool:
        """Whether exactly these lines were applied, each once, in whatever order."""
        return Counter(self.applied) == Counter(_split(wanted))

    def differences(self, wanted: bytes) -> tuple[list[bytes], list[bytes]]:
        """Lines that are missing, and lines that are too many; the first few of each."""
        have, want = Counter(self.applied), Counter(_split(wanted))
        return list((want - have).elements())[:3], list((have - want).elements())[:3]


def _split(data: bytes) -> list[bytes]:
    return [text + b"\n" for text in data.split(b"\n")[:-1]]


class Following:
    """A reader that runs between __enter__ and __exit__."""

    def __init__(
        self,
        folder: Path,
        reader: str,
        *,
        ledger: Ledger | None = None,
        filebeat: Path = FILEBEAT,
        pattern: str = PATTERN,
        emit: Callable[[Message], None] | None = None,
        expected: Iterable[bytes] = (),
    ) -> None:
        self.ledger = ledger or Ledger()
        self.requests = Requests()
        known, unfinished = self.ledger.positions.copy(), Unfinished(frozenset(expected))
        self.folder = LogFolder.of(Setup(folder, pattern, MAX_OPEN, known, unfinished))
        emit = emit or self.ledger.take
        self.reader: Tail = Tail(self.folder, self.requests, emit)
        if reader == "filebeat":
            base = folder.parent / f"run-{reader}"
            self.reader = FilebeatSource(self.folder, self.requests, emit, str(filebeat), base)
        self.thread = threading.Thread(target=self.reader.run, name="reader", daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop, and wait for the end."""
        self.requests.stop()
        self.thread.join(30.0)
        assert not self.thread.is_alive(), "the reader did not stop"

    def wait_for(
        self, condition: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS
    ) -> None:
        """Wait until a condition holds."""
        wait_until(condition, what, seconds)

    def wait_for_lines(self, wanted: bytes) -> None:
        """Wait until as many lines were applied; they must be exactly these."""
        number = wanted.count(b"\n")
        self.wait_for(
            lambda: len(self.ledger.applied) >= number,
            f"{number} lines (there are {len(self.ledger.applied)})",
        )
        assert self.ledger.has(wanted), self.ledger.differences(wanted)

    @property
    def filebeat(self) -> Filebeat | None:
        """The Filebeat that runs now."""
        return self.reader.filebeat if isinstance(self.reader, FilebeatSource) else None

    @property
    def filebeat_pid(self) -> int | None:
        """The process of Filebeat."""
        return self.filebeat.process.pid if self.filebeat else None

    def wait_for_filebeat(self, but: int | None = None) -> int:
        """Wait until Filebeat runs and has a log open; its process."""
        self.wait_for(
            lambda: self.filebeat_pid not in {None, but} and self._reads_a_log(),
            "Filebeat reads",
        )
        assert self.filebeat_pid is not None
        return self.filebeat_pid

    def _reads_a_log(self) -> bool:
        filebeat = self.filebeat
        if filebeat is None:
            return False
        for path in filebeat.open_files():
            try:
                if str(path.readlink()).startswith(str(self.folder.folder.resolve())):
                    return True
            except OSError:
                continue
        return False
