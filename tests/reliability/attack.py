"""S26: one visitor floods the logs of a real Caddy while others visit; are their visits counted?

For a reader, a rate and limits of the proxy, the `Outcome` has the legitimate visits that got a
response, those that were counted, and the losses that `serve` reported. The attacker sends URLs of
bytes 0xFF, each of which Caddy writes as six, so that one request of 165 kB fills a log of 1 MiB;
two rolls are kept, so a roll is deleted three requests later.

    .venv/bin/python -m tests.reliability.attack --seconds 20 --rate 11 --rate 20 --rate 53
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from lab.browser import Browser
from lab.caddy import Caddy
from tests.reliability.serving import Serving
from tests.support.reading import FILEBEAT

ATTACK_BYTES = 165_000
HONEST_EACH = 4.0
"""Visits a second of each of the honest."""
HONEST = 5
SETTLE_SECONDS = 30.0
READERS = ("filebeat", "tail")


@dataclass
class Outcome:
    """What one attack came to."""

    reader: str
    rate: float
    """Mbit/s that the attacker got through."""
    rolls: int = 0
    answered: int = 0
    """Honest visits that Caddy answered."""
    counted: int = 0
    read: int = 0
    """Lines of all, the attacker's too."""
    loss: dict[str, Any] | None = None
    healthy: bool = True
    said: int = 0
    """Lines of the log that name a loss."""
    restarts: int = 0
    slowest: float = 0.0
    """Seconds from the last answer until all was counted that was going to be."""

    @property
    def lost(self) -> float:
        """The share of the honest visits that is missing."""
        return 1 - self.counted / self.answered if self.answered else 0.0

    def row(self) -> str:
        """As a row of the table."""
        loss = self.loss or {}
        size = f"{'at least ' if loss.get('atLeast') else ''}{loss.get('bytes', 0)} bytes"
        files = f", {loss['logs']} logs" if loss.get("logs") else ""
        return (
            f"| {self.reader} | {self.rate:.0f} | {self.rolls} | {self.answered} | "
            f"{self.answered - self.counted} | {self.lost:.1%} | {size}{files} | "
            f"{'ok' if self.healthy else 'not ok'} | {self.restarts} |"
        )

    def sentence(self) -> str:
        """As one line of the table of faults."""
        return (
            f"{self.reader} at {self.rate:.0f} Mbit/s, {self.rolls:,} rolls: "
            f"{self.answered - self.counted} of {self.answered:,} visits lost, "
            f"{(self.loss or {}).get('logs', 0)} logs said to be lost"
        )


HEAD = (
    "| reader | Mbit/s | rolls | honest visits | lost | | said | health | Filebeat ended |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


class Crowd:
    """The attacker and the honest, each in a thread of its own, until told to stop."""

    def __init__(self, address: tuple[str, int], rate: float, size: int) -> None:
        self.address = address
        self.size = size
        self.done = threading.Event()
        self.attacks = self.answered = 0
        self._lock = threading.Lock()
        attackers = max(1, round(rate / 7))  # one waits for its answer
        pause = size * 8 / 1e6 / rate * attackers if rate else 0.0
        self.threads = [
            threading.Thread(target=self._attack, args=(pause, n / attackers))
            for n in range(attackers if rate else 0)
        ]
        self.threads += [threading.Thread(target=self._visit, args=(n,)) for n in range(HONEST)]

    def run(self, seconds: float) -> float:
        """Let them go on for so long. The seconds it took."""
        begin = time.monotonic()
        for thread in self.threads:
            thread.start()
        self.done.wait(seconds)
        self.done.set()
        took = time.monotonic() - begin
        for thread in self.threads:
            thread.join()
        return took

    def _attack(self, pause: float, share: float) -> None:
        target = b"/" + b"\xff" * self.size
        due = time.monotonic() + share * pause
        browser = Browser(self.address)
        while not self.done.wait(max(0.0, due - time.monotonic())):
            due = max(due + pause, time.monotonic())  # a link does not make up for a pause
            try:
                browser.get("other.box", target)
            except (OSError, HTTPException):  # refused: the proxy has limits
                browser.close()
                browser = Browser(self.address)
            with self._lock:
                self.attacks += 1
        browser.close()

    def _visit(self, number: int) -> None:
        with Browser(self.address) as browser:
            while not self.done.wait(1 / HONEST_EACH):
                if browser.get("games.box", f"/{number}/{browser.requests}").status == 200:
                    with self._lock:
                        self.answered += 1


def attack(
    folder: Path,
    reader: str,
    rate: float,
    seconds: float,
    *,
    keep: int = 2,
    roll_size: str = "1MiB",
    max_header: str = "",
    size: int = ATTACK_BYTES,
) -> Outcome:
    """Run one attack over a real Caddy and a real `serve`."""
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--reader", reader]
    if reader == "filebeat":
        options += ["--filebeat", str(FILEBEAT)]
    with (
        Serving(folder, *options) as serve,
        Caddy(
            folder / "caddy",
            '  respond "ok" 200',
            serve.log,
            roll_size=roll_size,
            roll_keep=keep,
            max_header=max_header,
        ) as caddy,
    ):
        serve.wait(lambda: serve.status()["reader"]["state"] == "running")
        crowd = Crowd(caddy.address, rate, size)
        took = crowd.run(seconds)
        ended = time.monotonic()
        counted, changed = -1, ended
        while time.monotonic() - changed < 5.0 and time.monotonic() - ended < SETTLE_SECONDS:
            status = serve.status()
            if status.get("lines", {}).get("counted", counted) != counted:
                counted, changed = status["lines"]["counted"], time.monotonic()
            if counted >= crowd.answered:
                break
            threading.Event().wait(0.2)
        status = serve.status()
        text = serve.text()
    return Outcome(
        reader,
        crowd.attacks * size * 8 / 1e6 / took,
        rolls=crowd.attacks,
        answered=crowd.answered,
        counted=counted,
        read=status["lines"]["read"],
        loss=status["loss"],
        healthy=status["health"]["ok"],
        said=sum("lost" in line or "read" in line for line in text.splitlines()),
        restarts=status["reader"]["restarts"],
        slowest=changed - ended,
    )


def main() -> int:
    """Run some and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--reader", action="append", choices=READERS)
    parser.add_argument("--rate", action="append", type=float, help="Mbit/s, 0 for nobody")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--keep", type=int, default=2, help="roll_keep of Caddy")
    parser.add_argument("--roll-size", default="1MiB", help="roll_size of Caddy")
    parser.add_argument("--max-header", default="", help="max_header_size of Caddy")
    parser.add_argument("--size", type=int, default=ATTACK_BYTES, help="bytes of one address")
    parser.add_argument("--folder", type=Path, help="keep logs and messages here")
    options = parser.parse_args()
    base = options.folder or Path(tempfile.mkdtemp(prefix="offspot-metrics-attack-"))
    print(HEAD, flush=True)
    for rate in options.rate or (11.0, 20.0, 53.0):
        for reader in options.reader or READERS:
            outcome = attack(
                base / f"{reader}-{rate:g}",
                reader,
                rate,
                options.seconds,
                keep=options.keep,
                roll_size=options.roll_size,
                max_header=options.max_header,
                size=options.size,
            )
            print(outcome.row(), flush=True)
    if not options.folder:
        shutil.rmtree(base)
    return 0


if __name__ == "__main__":
    sys.exit(main())
