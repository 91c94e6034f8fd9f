"""Names that anybody can give to files: read, stored and shown safely, wherever a name goes."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.reliability.serving import ROOT, Serving
from tests.reliability.store_support import figures, line
from tests.support.reading import FILEBEAT, READERS

LONG = "caddy_access_logs-"
NAMES = (
    b"-\xe9", b"-\xff\xfe", b"-\xed\xa0\x80", b"-\xc3", b"-a\nb", b"-a\tb", b"-\r",
    b"-\x1b[2J\x1b]0;x\x07", b"-\x01\x7f", b"-\xc2\x9b31m", "-\u202eabc".encode(),
    "-\u2028".encode(), "-\ufeff".encode(), b"-'\"`$(reboot)", b"-${x}", b"-%{[log.offset]}",
    b"-%s%n{0}", b"-\\", b"-[a]*?", b"-{a,b}", b"- ; &", b"--x", b"-<b>&amp;", b"-\n0\tx\t{}\n",
    "-é你😀".encode(),
)  # fmt: skip
UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
AT = 1_781_388_000


def all_names() -> list[bytes]:
    """Names of logs: the odd ones, every byte that a name may have, and the longest."""
    every = [
        bytes(b for b in range(first, first + 51) if b != ord("/")) for first in range(1, 256, 51)
    ]
    odd = [*NAMES, *(b"-" + part for part in every)]
    names = [b"caddy_access_logs" + middle + b".json" for middle in odd]
    longest = b"caddy_access_logs-" + b"\xe9" * (255 - len(LONG) - 5) + b".json"
    return [*names, longest]


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "logs"
    folder.mkdir()
    for number, name in enumerate(all_names()):
        (folder / os.fsdecode(name)).write_bytes(line(AT + number, number))
    yield folder
    shutil.rmtree(os.fsencode(folder), ignore_errors=True)


def run(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "offspot_metrics", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, env=environment, check=False, timeout=60)


def read_lines(database: Path) -> int:
    """Lines in the saved positions."""
    return sum(row[1] + row[2] for row in figures(database)["logs"].values())


def _filebeat(reader: str) -> tuple[str, ...]:
    return ("--filebeat", str(FILEBEAT)) if reader == "filebeat" else ()


def is_safe(*outputs: bytes) -> None:
    """Valid UTF-8, without anything that a terminal obeys."""
    for output in outputs:
        text = output.decode("utf-8")
        assert UNSAFE.search(text) is None, UNSAFE.search(text)
        assert "Traceback" not in text


@pytest.mark.parametrize("reader", READERS)
def test_serve_reads_logs_of_any_name(tmp_path: Path, logs: Path, reader: str) -> None:
    """Every line of every log counts once with either reader, also of one that appears later;
    database, log, status and metrics stay readable, and the next start counts nothing again.
    """
    count = len(all_names())
    options = ("--reader", reader, *_filebeat(reader))
    with Serving(tmp_path, *options) as serving:
        serving.wait(serving.counted(count))
        later = logs / os.fsdecode(b"caddy_access_logs-\xf1\n\x1b[1m.json")
        later.write_bytes(line(AT + count, count))
        serving.wait(serving.counted(count + 1))
        with later.open("ab", buffering=0) as log:
            later.unlink()

            def is_missed() -> bool:
                log.write(line(AT + count, count))
                return b"was deleted" in serving.get("/health")[1]

            serving.wait(is_missed)
        for path in ("/api/v1/status", "/health", "/metrics"):
            is_safe(serving.get(path)[1])
        (reason,) = serving.status()["health"]["reasons"]
        assert "caddy_access_logs-\\xf1\\n\\x1b[1m.json was deleted" in reason
        assert serving.status()["loss"]["bytes"] == 0
        assert serving.stop()[0] == 0
    is_safe(serving.output.read_bytes())
    with closing(sqlite3.connect(serving.database)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM log_file")}
    counted = read_lines(serving.database)
    assert {"caddy_access_logs-\\xe9.json", "caddy_access_logs-a\\nb.json"} <= names
    is_safe(*(name.encode() for name in names))
    with Serving(tmp_path, *options) as serving:
        serving.add(1, at=AT + 900, first=900)
        serving.wait(serving.counted(counted + 1))


def test_replay_reads_logs_of_any_name(tmp_path: Path, logs: Path) -> None:
    """Replay takes them as arguments, counts each line once, tells of them safely, and knows them
    again in its database.
    """
    paths = [logs / os.fsdecode(name) for name in all_names()]
    with (logs / os.fsdecode(b"caddy_access_logs-\xe9.json")).open("ab") as log:
        log.write(b"no end")
    with Serving(tmp_path) as serving:
        packages = serving.command[serving.command.index("--packages") + 1]
        assert serving.stop()[0] == 0
    database = tmp_path / "replayed.db"
    first = run(
        "replay", "--packages", packages, "--database", database, "--format", "json", *paths
    )
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["lines"]["read"] == len(paths)
    assert b"caddy_access_logs-\\xe9.json: its last line has no end" in first.stderr
    again = run("replay", "--packages", packages, "--database", database, *paths)
    missing = run("replay", "--packages", packages, logs / os.fsdecode(b"\xe9\n\x1b[1mnone.json"))
    assert (again.returncode, missing.returncode) == (0, 66)
    assert b"\\xe9\\n\\x1b[1mnone.json" in missing.stderr
    is_safe(first.stdout, first.stderr, again.stdout, again.stderr, missing.stderr)


@pytest.mark.parametrize("form", ["table", "json"])
def test_doctor_shows_logs_of_any_name(tmp_path: Path, logs: Path, form: str) -> None:
    """Doctor names them safely, as table and as JSON, and reads the same lines."""
    with Serving(tmp_path) as serving:
        options = serving.command[serving.command.index("--packages") :]
        serving.wait(serving.counted(len(all_names())))
        options = [option for option in options if option not in {"--reader", "tail"}]
        for path in list(logs.iterdir()):
            os.link(path, logs / f"not-{path.name[-100:]}")
        found = run("doctor", *options, "--lines", "200", "--format", form)
    assert found.returncode == 0, found.stdout + found.stderr
    is_safe(found.stdout, found.stderr)
    if form == "json":
        said = json.loads(found.stdout)
        assert said["linesLookedAt"] == len(all_names())
        assert "caddy_access_logs-\\xe9.json" in {line["file"] for line in said["lines"]}


@pytest.mark.parametrize(
    "name", [b"a\xe9\n\x1b[2J\t?#%41 ${x}", b"\xff" * 100], ids=["controls", "long"]
)
@pytest.mark.parametrize("reader", READERS)
def test_any_path_of_database_packages_and_logs(tmp_path: Path, name: bytes, reader: str) -> None:
    """Folders and files of such names are taken by every option that names one: lines count, a
    backup is made, kpis and doctor read the database, and what is missing is named safely.
    """
    home = tmp_path / os.fsdecode(name)
    home.mkdir()
    options = ("--reader", reader, *_filebeat(reader))
    with Serving(home, *options, database=home / home.name / f"{home.name}.db") as serving:
        packages = Path(serving.command[serving.command.index("--packages") + 1])
        serving.add(5, at=AT)
        serving.wait(serving.counted(5))
        assert serving.stop()[0] == 0
    is_safe(serving.output.read_bytes())
    assert serving.database.stat().st_size > 0
    kpis = run("kpis", "--database", serving.database, "--period", "2026", "--format", "json")
    assert kpis.returncode == 0, kpis.stderr
    found = run(
        "doctor", "--database", serving.database, "--packages", packages, "--logs", serving.logs
    )
    assert found.returncode == 0, found.stdout
    no_packages = run("replay", "--packages", home / "none", serving.log)
    no_database = run("kpis", "--period", "2026", "--database", home / "none.db")
    replayed = run("replay", "--packages", packages, "--database", home / "r.db", serving.log)
    assert (no_database.returncode, no_packages.returncode, replayed.returncode) == (66, 78, 0)
    is_safe(kpis.stdout, found.stdout, no_packages.stderr, no_database.stderr, replayed.stderr)
