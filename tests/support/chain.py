"""The real chain: ZIM files, kiwix-serve, Caddy, a browser's requests, our own program.

In come pages, site descriptions and requests; out go running processes on free loopback ports and
their log files. Nothing here imitates a part: each is the program that an offspot runs. No process
outlives its context manager, and nothing but a process started here is ever ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

LOOPBACK = "127.0.0.1"
START_SECONDS = 30.0
"""Long enough for a Raspberry Pi with a busy SD card; a sound start takes well under a second."""
STOP_SECONDS = 20.0
POLL_SECONDS = 0.02
API_POLL_SECONDS = 0.2
ANSWER_SECONDS = 30.0

ILLUSTRATION = "illustration.png"


class ChainError(Exception):
    """A part of the chain did not start, stopped by itself, or did not do as asked in time."""


def missing_programs(*names: str) -> list[str]:
    """Those of the named programs that this machine does not have."""
    return [name for name in names if shutil.which(name) is None]


def free_port() -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(
    condition: Callable[[], bool],
    what: str,
    seconds: float,
    process: subprocess.Popen[bytes] | None = None,
    output: Path | None = None,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Return as soon as `condition` holds; fail when time is up or the process has ended.

    Between two looks the wait is on the process itself, so that a death is noticed at once.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        ended = None
        if process is None:
            _no_process_to_wait_on(poll_seconds)
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                ended = process.wait(timeout=poll_seconds)
        if ended is not None and not condition():
            raise ChainError(f"{what}: the process ended with {ended}\n{_tail(output)}")
        if time.monotonic() > deadline:
            raise ChainError(f"{what}: not within {seconds:g} s\n{_tail(output)}")


def _no_process_to_wait_on(seconds: float) -> None:
    """Give way for a moment where only the state of files can be looked at."""
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            reader.recv(1)


def _tail(output: Path | None) -> str:
    if output is None or not output.exists():
        return ""
    return output.read_text(encoding="utf-8", errors="replace")[-4000:]


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1.0):
        return True
    return False


# --- ZIM files ---------------------------------------------------------------------------------


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
    welcome: str = "index.html",
) -> Path:
    """Make a ZIM file of the given pages; kiwix-serve will know it by its file name."""
    folder = path.with_suffix(".html")
    folder.mkdir(parents=True)
    (folder / ILLUSTRATION).write_bytes(png(*zlib.crc32(name.encode()).to_bytes(4, "big")[:3]))
    for page, content in pages.items():
        target = folder / page
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    command = ["zimwriterfs", "--welcome", welcome, "--illustration", ILLUSTRATION]
    command += ["--language", language, "--title", title, "--description", f"About {title}"]
    command += ["--creator", "Nobody", "--publisher", "Nobody", "--name", name]
    command += ["--threads", "1", str(folder), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode or not path.exists():
        raise ChainError(f"zimwriterfs ended with {done.returncode}: {done.stdout}{done.stderr}")
    shutil.rmtree(folder)
    return path


# --- processes ---------------------------------------------------------------------------------


@dataclass
class _Server:
    """A child process that listens on a free loopback port between __enter__ and __exit__."""

    folder: Path
    port: int = field(default=0, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def _prepare(self) -> list[str]:
        """Write what the process needs for `self.port`; return its command."""
        raise NotImplementedError

    @property
    def output(self) -> Path:
        return self.folder / f"{type(self).__name__.lower()}.out"

    @property
    def address(self) -> tuple[str, int]:
        return LOOPBACK, self.port

    def _environment(self) -> dict[str, str]:
        home = str(self.folder / "home")
        return {**os.environ, "HOME": home, "XDG_DATA_HOME": home, "XDG_CONFIG_HOME": home}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        tries = 3  # another process may take the free port between our look and the start
        for attempt in range(1, tries + 1):
            self.port = free_port()
            command = self._prepare()
            with self.output.open("wb") as output:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=self._environment(),
                )
            try:
                wait_until(
                    lambda: _answers(self.port),
                    f"start of {command[0]}",
                    START_SECONDS,
                    self._process,
                    self.output,
                )
            except ChainError:
                self.stop()
                if attempt == tries:
                    raise
            else:
                break
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class KiwixServe(_Server):
    """Debian's kiwix-serve over some ZIM files; `--nodatealiases` as an offspot runs it."""

    zims: Sequence[Path] = ()
    root: str = "/"
    """What stands before all its paths (`--urlRootLocation`)."""

    def _prepare(self) -> list[str]:
        command = ["kiwix-serve", "--address", LOOPBACK, "--port", str(self.port)]
        command += ["--threads", "2", "--nodatealiases", "--attachToProcess", str(os.getpid())]
        return [*command, "--urlRootLocation", self.root, *map(str, self.zims)]


@dataclass
class Caddy(_Server):
    """A real Caddy: one site on a free port, whose directives are given, with a JSON access log."""

    site: str = ""
    """Directives of the one site block; hosts are told apart by matchers."""
    log: Path = Path("caddy_access_logs.json")
    roll_size: str = "1MiB"
    roll_keep: int = 1000
    program: str = "caddy"
    max_header: str = ""
    """The largest header that it takes; its own limit when empty."""

    def _prepare(self) -> list[str]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        config = self.folder / "Caddyfile"
        limits = f"  servers {{\n    max_header_size {self.max_header}\n  }}\n"
        limits = limits if self.max_header else ""
        config.write_text(
            f"{{\n  admin off\n  auto_https off\n{limits}}}\n"
            f"http://:{self.port} {{\n"
            f"  bind {LOOPBACK}\n"
            "  log {\n"
            f"    output file {self.log} {{\n"
            f"      roll_size {self.roll_size}\n"
            f"      roll_keep {self.roll_keep}\n"
            "      roll_uncompressed\n"
            "    }\n"
            "    format json\n"
            "  }\n"
            f"{self.site}\n"
            "}\n",
            encoding="utf-8",
        )
        return [self.program, "run", "--adapter", "caddyfile", "--config", str(config)]


# --- a browser ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What came back: status, headers by lower-case name (the last of each), body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Header = tuple[str, str | bytes]


class Browser:
    """One keep-alive connection that sends exactly the bytes it is told, as any client may."""

    def __init__(
        self, address: tuple[str, int], headers: Iterable[Header] = (), source: str = LOOPBACK
    ) -> None:
        self._address = address
        self._headers = tuple(headers)
        self._source = source
        self.requests = 0
        """How many requests have been answered."""
        self._socket: socket.socket | None = None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def ask(
        self,
        method: str,
        host: str,
        target: str | bytes,
        headers: Iterable[Header] = (),
        body: bytes | None = None,
    ) -> Answer:
        """Send one request with the given Host header and wait for its whole answer.

        Headers given here take the place of the browser's own of the same name.
        """
        lines = [method.encode("ascii") + b" " + _bytes(target) + b" HTTP/1.1"]
        lines.append(b"Host: " + host.encode("utf-8"))
        given = tuple(headers)
        replaced = {name.lower() for name, _ in given}
        usual = (header for header in self._headers if header[0].lower() not in replaced)
        for name, value in (*usual, *given):
            lines.append(name.encode("ascii") + b": " + _bytes(value))
        if body is not None:
            lines.append(b"Content-Length: " + str(len(body)).encode("ascii"))
        if self._socket is None:
            self._socket = socket.create_connection(
                self._address, timeout=ANSWER_SECONDS, source_address=(self._source, 0)
            )
        self._socket.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + (body or b""))
        answer = HTTPResponse(self._socket, method=method)
        answer.begin()
        content = answer.read()
        keep = not answer.will_close
        headers_back = {name.lower(): value for name, value in answer.getheaders()}
        answer.close()
        self.requests += 1
        if not keep:
            self.close()
        return Answer(answer.status, headers_back, content)

    def get(self, host: str, target: str | bytes, headers: Iterable[Header] = ()) -> Answer:
        return self.ask("GET", host, target, headers)

    def follow(self, host: str, target: str, headers: Iterable[Header] = ()) -> list[str]:
        """GET a page and, as a browser does, what it redirects to; every path asked for."""
        asked = [target]
        answer = self.get(host, target, headers)
        while answer.status in (301, 302, 303, 307, 308) and len(asked) < 10:
            asked.append(re.sub(r"^https?://[^/]+", "", answer.headers["location"]))
            answer = self.get(host, asked[-1], headers)
        return asked


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8")


# --- our own program ---------------------------------------------------------------------------

_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/")


class Metrics:
    """`offspot-metrics serve` as a child process, its API, and its orderly end."""

    def __init__(
        self, program: Path, arguments: Sequence[str], folder: Path, zone: str = "UTC"
    ) -> None:
        self._zone = zone
        self._command = [str(program), "serve", "--port", "0", *arguments]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def output(self) -> Path:
        return self._folder / "offspot-metrics.err"

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "HOME": str(self._folder), "TZ": self._zone}
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        try:
            self.wait_for(self._has_address, "address of serve", START_SECONDS)
        except ChainError:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _has_address(self) -> bool:
        found = _ADDRESS.search(self.output.read_text(encoding="utf-8", errors="replace"))
        if found:
            self.port = int(found[1])
        return found is not None

    def api(self, path: str) -> Any:
        """The JSON that a route answers, whatever its status."""
        with Browser((LOOPBACK, self.port)) as browser:
            return json.loads(browser.get(f"{LOOPBACK}:{self.port}", path).body)

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        wait_until(condition, what, seconds, self._process, self.output, API_POLL_SECONDS)

    def stop(self, seconds: float = STOP_SECONDS) -> int | None:
        """SIGTERM, then the exit code; what does not stop in time is killed and answers None."""
        process = self._process
        if process is None:
            return None
        if process.poll() is None:
            process.terminate()
        try:
            return process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None


@contextlib.contextmanager
def appending(path: Path) -> Iterator[IO[bytes]]:
    """A log file to append to, every write at once in the file."""
    with path.open("ab", buffering=0) as stream:
        yield stream
