"""What the tests of the command line share: packages, lines, and two ways to run a command.

In come arguments; out come exit code, standard output and standard error. `invoke` runs in this
process, `Program` runs the built archive in one of its own, with nothing in its environment.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import offspot_metrics
from engine.store import header
from lab.clock import starting_at
from tests.support.golden import full_line
from tools.build_zipapp import plain_python

PACKAGES = """\
packages:
  - {kind: zim, title: Bees, url: "//lib.box/viewer#bees_en"}
  - {kind: zim, title: Ants, url: "//lib.box/viewer#ants_en"}
  - {kind: files, title: Games, url: "//games.box/"}
  - {kind: app, title: Share, url: "//share.box/", ident: file-manager.offspot.kiwix.org}
"""
NOBODY = 65534
VARIABLES = (
    "PACKAGE_CONF_FILE",
    "REVERSE_PROXY_LOGS_LOCATION",
    "REVERSE_PROXY_LOGS_PATTERN",
    "DATABASE_URL",
    "PROCESSING_DISABLED",
    "ALLOWED_ORIGINS",
    "ALLOWED_HOSTS",
    "TRUSTED_PROXIES",
    "UI_LOCATION",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "RETENTION_YEARS",
    "TZ",
    "READER",
    "FILEBEAT",
    "HOST",
    "PORT",
    "SITE_NAME",
)


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def failed(self, code: int, *words: str) -> None:
        """It ended with this code, said each of the words, with a way out, and no traceback."""
        assert self.code == code, self.err or self.out
        for word in words:
            assert word in self.err, f"{word!r} is not in:\n{self.err}"
        assert self.err.startswith("offspot-metrics: ")
        assert "\n  try: " in self.err or "\n  see " in self.err, f"no way out in:\n{self.err}"
        assert "Traceback" not in self.err


def invoke(*arguments: object) -> Result:
    """Run a command in this process, as if it were one of its own."""
    header._checked.clear()  # the number of a file may be that of one of an earlier test
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = offspot_metrics.main([str(argument) for argument in arguments])
    return Result(code, out.getvalue(), err.getvalue())


_NEXT = "\0next\0"
_EACH = f"""
import json, sys
sys.path.insert(0, sys.argv[1])
import offspot_metrics
for command in json.loads(sys.argv[2]):
    print(format(offspot_metrics.main(command), "4"), end={_NEXT!r}, flush=True)
    print(end={_NEXT!r}, file=sys.stderr, flush=True)
"""


@dataclass(frozen=True)
class Program:
    """The built archive, run by a Python that sees no installed package, in an empty HOME."""

    path: Path
    home: Path

    def command(self, *arguments: object, user: int | None = None) -> list[str]:
        drop = []
        if user is not None and os.geteuid() == 0:
            drop = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        return [*drop, plain_python(), "-I", "-S", str(self.path), *map(str, arguments)]

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": "/usr/bin:/bin"}

    def run(
        self,
        *arguments: object,
        stdin: bytes | None = None,
        user: int | None = None,
        at: float | None = None,
        **environment: str,
    ) -> Result:
        """Run a command, with a wall clock that begins at `at` when given."""
        clock = {} if at is None else starting_at(at)
        done = subprocess.run(
            self.command(*arguments, user=user),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env=self.environment | environment | clock,
            cwd=self.home,
            timeout=60,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))

    def run_each(
        self, commands: Sequence[Sequence[object]], *, at: float | None = None, **environment: str
    ) -> list[Result]:
        """Run commands one after another in one process, where each by itself proves no more."""
        clock = {} if at is None else starting_at(at)
        asked = json.dumps([list(map(str, command)) for command in commands])
        done = subprocess.run(
            [plain_python(), "-I", "-S", "-c", _EACH, str(self.path), asked],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=self.environment | environment | clock,
            cwd=self.home,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        out, err = (
            stream.decode("utf-8").split(_NEXT)[:-1] for stream in (done.stdout, done.stderr)
        )
        parts = zip(commands, out, err, strict=True)
        return [Result(int(printed[-4:]), printed[:-4], said) for _, printed, said in parts]

    @contextlib.contextmanager
    def serving(
        self, *arguments: object, user: int | None = None, **environment: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """`serve` on a free port, from the moment that it says where the dashboard is."""
        command = self.command("serve", "--port", "0", "--reader", "tail", *arguments, user=user)
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=self.environment | environment,
            cwd=self.home,
        )
        assert child.stderr is not None
        try:
            said = b""
            while b"Dashboard: " not in said:
                line = child.stderr.readline()
                assert line, f"serve ended: {said.decode()}"
                said += line
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            child.stderr.read()
            child.stderr.close()
            assert child.wait(timeout=30) == 0


def lines(*texts: str) -> bytes:
    """Lines as the golden scenarios write them: `TIME METHOD HOST/PATH STATUS`."""
    return b"".join(full_line(text, "2.11") for text in texts)


def visits(
    begin_minute: int, number: int, *, name: str = "bees_en", day: str = "2026-06-14"
) -> bytes:
    """Visits of a ZIM's home, one a minute, each with a time of its own."""
    texts: list[str] = []
    for minute in range(begin_minute, begin_minute + number):
        hour, rest = divmod(minute, 60)
        second, part = minute * 7 % 60, minute % 997
        time = f"{day}T{hour:02d}:{rest:02d}:{second:02d}.{part:03d}Z"
        texts.append(f"{time} GET lib.box/content/{name}/ 200")
    return lines(*texts)


def kpis_of(period: dict[str, Any]) -> dict[int, Any]:
    """KPI id -> value."""
    return {item["kpiId"]: item["value"] for item in period["kpis"]}


def day_of(result: Result, label: str = "2026-06-14") -> dict[int, Any]:
    """The KPIs of one day of `replay --format json`."""
    found = [p for p in result.json["periods"] if (p["aggKind"], p["aggValue"]) == ("D", label)]
    return kpis_of(found[0])


def visits_counted(result: Result, label: str = "2026-06-14") -> int:
    """The visits of a day of `replay --format json`."""
    return int(day_of(result, label)[2001]["totalVisits"])


def write(folder: Path, **files: bytes | str) -> Sequence[Path]:
    """Write files into a folder; `__` stands for a dot. Their paths."""
    paths = []
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        paths.append(path)
    return paths


@dataclass
class SetUp:
    """A setup that is valid until a test breaks it."""

    place: Path
    packages: Path
    logs: Path
    database: Path

    @property
    def options(self) -> list[object]:
        return [
            *("--packages", self.packages),
            *("--logs", self.logs),
            *("--database", self.database),
        ]

    def log(self, content: bytes, name: str = "caddy_access_logs.json") -> Path:
        path = self.logs / name
        path.write_bytes(content)
        return path

    def examine(self, *more: object) -> tuple[int, dict[str, Any]]:
        """Exit code, and the checks by name."""
        result = invoke("doctor", "--format", "json", *self.options, *more)
        assert result.err == ""
        assert result.json["exitCode"] == result.code
        assert result.json["sound"] == (result.code == 0)
        return result.code, {check["name"]: check for check in result.json["checks"]}

    def files(self) -> dict[str, tuple[int, bytes]]:
        """Every file: time of its last change, and content."""
        paths = [path for path in self.place.rglob("*") if path.is_file()]
        return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in paths}


def says(check: dict[str, Any], state: str, *needed: str) -> None:
    """A check is in this state, says these words, and has a way out unless all is well."""
    assert check["state"] == state, check
    whole = " ".join([check["text"], check["hint"] or "", *check["details"]])
    for word in needed:
        assert word in whole, f"{word!r} is not in {whole!r}"
    if state == "problem":
        assert check["hint"]
