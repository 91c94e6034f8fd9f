"""Why Filebeat ended, and why one cannot be run: named as what it is."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import ReaderUnavailable
from engine.sources.filebeat.process import Filebeat, require_filebeat
from engine.sources.filebeat.stderr import MAX_LINE_BYTES, StderrLines
from tests.reliability.serving import ROOT, Serving
from tests.support.reading import CURRENT, FILEBEAT, Following, lines

TIME = "2026-06-10T08:00:00.123Z"
ERROR = f"{TIME}\tERROR\t[file_watcher]\tfilestream/fswatch.go:310\tno space left on device"
WARNING = f"{TIME}\tWARN\t[cfgwarn]\ttlscommon/config.go:100\tDEPRECATED: it goes away in 8.0.0"
SAID = {
    "an error before warnings": (f"{ERROR}\n{WARNING}\n{WARNING}\n", "no space left on device"),
    "two errors": (f"{ERROR}\n{TIME}\tERROR\tinstance/beat.go:1\tthe second\n", "the second"),
    "how it leaves": (f"{ERROR}\nExiting: no such thing\n", "Exiting: no such thing"),
    "a panic": (
        (
            f"{WARNING}\npanic: runtime error: index out of range\n\ngoroutine 1 [running]:\n"
            "main.main()\n\t/home/x/main.go:12 +0x1d\n"
        ),
        "panic: runtime error: index out of range",
    ),
    "no thread": (
        (
            "runtime: failed to create new OS thread (have 5 already; errno=11)\n"
            "runtime: may need to increase max user processes (ulimit -u)\nfatal error: newosproc\n"
            "\nruntime stack:\nruntime.throw({0x5, 0x9})\n\tpanic.go:1198 +0x71\n"
        ),
        "fatal error: newosproc: no thread to be had (ulimit -u, TasksMax=, pids limit)",
    ),
    "newer ones, as JSON": (
        '{"log.level":"error","message":"it broke"}\n{"log.level":"warn","message":"later"}\n',
        "it broke",
    ),
    "only warnings": (f"{WARNING}\nlast of all\n\n", "last of all"),
    "no end of a line": ("Exiting: at once", "Exiting: at once"),
    "nothing": ("", ""),
    "an error long before": (f"{ERROR}\n" + f"{WARNING}\n" * 5000, "no space left on device"),
    "broken JSON": ("{\n", "{"),
}


@pytest.mark.parametrize("case", SAID)
@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_the_reason_is_the_last_error(case: str, size: int) -> None:
    """Of what came on standard error, in pieces of any size, the last error is the reason; without
    one the last line.
    """
    said, wanted = SAID[case]
    data = said.encode()
    words = StderrLines()
    for place in range(0, len(data), size):
        words.add(data[place : place + size])
    assert words.reason() == wanted


def test_an_endless_line_takes_no_memory() -> None:
    """What has no newline is kept up to a bound."""
    words = StderrLines()
    for _ in range(1000):
        words.add(b"x" * 65536)
    assert len(words._begun) <= MAX_LINE_BYTES
    assert len(words.reason()) <= 300


def test_the_real_one_tells_why(tmp_path: Path) -> None:
    """The real Filebeat with a folder it cannot use for its data: the reason is its own error."""
    (tmp_path / "logs").mkdir()
    filebeat = Filebeat(str(FILEBEAT), tmp_path / "logs", "[a]*", tmp_path / "run")
    (filebeat.run_folder.path / "filebeat.yml").write_text("filebeat.inputs: [}\n")
    while filebeat.read_events() is not None:
        filebeat.process.poll()
    reason = filebeat.last_stderr_line()
    filebeat.stop()
    assert "error loading config file" in reason


@pytest.fixture
def noexec(tmp_path: Path) -> Iterator[Path]:
    mounted = tmp_path / "noexec"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec", "none", mounted], check=True)
    yield mounted
    subprocess.run(["umount", "-l", mounted], check=True)


def test_what_cannot_be_run_is_named(tmp_path: Path, noexec: Path) -> None:
    """Not there, a folder, without the right to run it, on a mount with noexec: each is named."""
    program = tmp_path / "filebeat"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o644)
    copy = noexec / "filebeat"
    shutil.copy(FILEBEAT, copy)
    for path, text in (
        (tmp_path / "none", "is not there"),
        (tmp_path, "is a folder"),
        (program, "may not be run"),
        (copy, "mounted with noexec"),
    ):
        with pytest.raises(ReaderUnavailable, match=text) as raised:
            require_filebeat(str(path))
        assert raised.value.hint


def test_a_mount_that_becomes_noexec(tmp_path: Path, noexec: Path, caplog: object) -> None:
    """A Filebeat that cannot be run when it is its turn: the log says which and why, in a line."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / CURRENT).write_bytes(lines(range(5)))
    copy = noexec / "filebeat"
    shutil.copy(FILEBEAT, copy)
    with Following(tmp_path / "logs", "filebeat", filebeat=copy) as following:
        following.wait_for_lines(lines(range(5)))
        following.wait_for(lambda: following.reader.restarts >= 1, "it was tried")
    said = [text for text in caplog.messages if "Filebeat ended" in text]  # type: ignore[attr-defined]
    assert f"Exiting: {copy} cannot be run: Permission denied" in said[0]


def test_an_empty_environment(tmp_path: Path) -> None:
    """With `env -i` and a program name without a path, Filebeat runs and reads all the same."""
    options = ("--reader", "filebeat", "--filebeat", str(FILEBEAT))
    python = Path(sys.executable)
    program = tmp_path / "without-a-name"
    program.write_text(
        f"import sys; sys.executable = ''; sys.path[:0] = [{str(ROOT)!r}, *{sys.path!r}]\n"
        "from offspot_metrics import main\nsys.exit(main())\n"
    )
    serving = Serving(tmp_path, *options, under=("env", "-i"))
    begin = serving.command.index("-m")
    serving.command[begin - 1 : begin + 2] = [str(python), str(program)]
    with serving:
        serving.add(5)
        serving.wait(serving.counted(5))
        serving.wait(lambda: serving.status()["reader"]["kind"] == "filebeat")
        assert serving.status()["reader"]["restarts"] == 0, serving.text()
        environ = Path(f"/proc/{serving.process.pid}/environ").read_bytes()
        assert b"PATH" not in environ
        assert os.path.exists("/proc/self/exe")  # noqa: PTH110
        assert serving.stop()[0] == 0
