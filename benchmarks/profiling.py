"""Where the time goes: processor time of `serve` by function under a burst, and of a start by step.

    python -m benchmarks.profiling                    the tables of docs/performance.md
    python -m benchmarks.profiling --root CHECKOUT    of another tree, to compare with

The burst runs from the sources of a tree, the start from its built archive. Every thread of the
program has Python's own profiler, by processor time; the figures of a run with one line are
subtracted from those of the burst. It slows Python down and leaves what runs in C as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import peers, workload
from benchmarks.measure import cpu_seconds, own_cpu_seconds, timed, turn_by_turn
from benchmarks.serving import lines_of, until_healthy, wait
from benchmarks.workload import ROOT

LINES: Final = 100_000
SHOWN_MICROSECONDS: Final = 0.3
"""Functions that take less of a line are added up."""

PLAIN: Final = "import sys; del sys.argv[1]; from offspot_metrics import main; sys.exit(main())"
PROFILED: Final = """
import cProfile, json, pstats, sys, threading, time
out, profiles, run = sys.argv.pop(1), [], threading.Thread.run

def profiled(name, work):
    profile = cProfile.Profile(time.thread_time)
    profiles.append((name, profile))
    profile.enable()
    try:
        return work()
    finally:
        profile.disable()

threading.Thread.run = lambda self: profiled(self.name, lambda: run(self))
from offspot_metrics import main
code = profiled("main", main)
costs = {}
def add(name, function, spent):
    if "/engine/" in function[0]:
        where = f"{name} {function[0].rpartition('/engine/')[2]} {function[2]}"
        costs[where] = costs.get(where, 0) + spent
    else:
        costs["- - -"] = costs.get("- - -", 0) + spent
for name, profile in profiles:
    if name not in ("main", "reader"):
        continue
    for function, (_, _, own, _, callers) in pstats.Stats(profile).stats.items():
        if "/engine/" in function[0] or not callers:
            add(name, function, own)
        else:  # a function of Python, for whoever called it
            for caller, (_, _, spent, _) in callers.items():
                add(name, caller, spent)
with open(out, "w") as file:
    json.dump(costs, file)
sys.exit(code)
"""


def live(reader: str, root: Path) -> None:
    """Print what a line costs each function while a burst is read."""
    data = workload.recorded(LINES).read_bytes()
    count = data.count(b"\n")
    one = data[: data.index(b"\n") + 1]
    base, burst = _run(PROFILED, reader, root, one), _run(PROFILED, reader, root, data)
    plain = _run(PLAIN, reader, root, data).own - _run(PLAIN, reader, root, one).own
    each = Counter({k: (v - base.costs.get(k, 0)) * 1e6 / count for k, v in burst.costs.items()})
    print(f"\n### Live, {reader} reader: microseconds of a line, {count:,} lines\n")
    print("| thread | where | us |\n|---|---|---|")
    rest = 0.0
    for where, spent in each.most_common():
        thread, module, function = where.split(" ", 2)
        if spent < SHOWN_MICROSECONDS or module == "-":
            rest += spent
        else:
            print(f"| {thread} | `{module}` `{function}` | {spent:.2f} |")
    print(f"| | all others | {rest:.2f} |")
    print(f"| | **all** | **{each.total():.2f}** |")
    print(f"| | the same without the profiler | {plain * 1e6 / count:.1f} |")
    if burst.filebeat:
        print(f"| Filebeat | its own process | {burst.filebeat * 1e6 / count:.1f} |")


@dataclass(frozen=True)
class _Run:
    """Processor seconds of a `serve` that read a burst: by function, its own, its Filebeat's."""

    costs: dict[str, float]
    own: float
    filebeat: float


def _run(code: str, reader: str, root: Path, data: bytes) -> _Run:
    folder = Path(tempfile.mkdtemp(prefix="profile-", dir=workload.FOLDER))
    (folder / "logs").mkdir()
    log, out, said = folder / "logs" / "caddy_access_logs.json", folder / "costs", folder / "said"
    command = [sys.executable, "-c", code, str(out), "serve", "--port", "0"]
    command += ["--packages", str(workload.packages_file()), "--logs", str(log.parent)]
    command += ["--database", str(folder / "m.db"), "--reader", reader]
    if reader == "filebeat":
        command += ["--filebeat", str(peers.FILEBEAT)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with said.open("w") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=output, stderr=output
        )
    try:
        wait(lambda: "http://" in said.read_text(), 30)
        port = int(said.read_text().partition("http://")[2].partition("/")[0].rpartition(":")[2])
        count = data.count(b"\n")
        log.write_bytes(data)
        wait(lambda: lines_of(port) == count, 120, 0.25)
        own = own_cpu_seconds(process.pid)
        filebeat = cpu_seconds(process.pid) - own
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        costs = json.loads(out.read_text()) if out.exists() else {}
        return _Run(costs, own, filebeat)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def start(root: Path, runs: int = 31) -> None:
    """Print what each step of a start adds, the medians of runs turn by turn."""
    archive = root / "dist" / "offspot-metrics"
    folder = Path(tempfile.mkdtemp(prefix="profile-", dir=workload.FOLDER))
    database = folder / "m.db"
    packages = workload.packages_file()
    program = [peers.bare_python()[0], "-I", str(archive)]
    replay = ["replay", "--packages", str(packages), "--database", str(database)]
    timed([*program, *replay, str(workload.recorded(20_000))])

    def inside(code: str) -> list[str]:
        path = f"import sys, gc; sys.path.insert(0, {str(archive)!r})"
        return [program[0], "-I", "-c", f"{path}; {code}; gc.freeze()"]

    commands = {
        "Python alone": "pass",
        "modules of Python that Typer needs": "import inspect, subprocess, typing, re, "
        "dataclasses, gettext, difflib, platform, importlib.util, uuid, datetime, shutil",
        "Typer from the archive": "import typer",
        "our commands": "import cli.app",
    }
    report = "import cli.app, cli.output, cli.tables, engine.settings, engine.report"
    http = "import cli.app, engine.runtime.serve, engine.api.app, engine.api.assets"
    kpis = ["kpis", "--period", "today", "--format", "json", "--database", str(database)]
    _steps(
        "kpis",
        {name: lambda code=code: timed(inside(code)) for name, code in commands.items()}
        | {
            "SQLite, zones, the report": lambda: timed(inside(report)),
            "`kpis` as a whole": lambda: timed([*program, *kpis]),
        },
        runs,
    )
    if root == ROOT:
        _steps(
            "serve",
            {
                "our commands": lambda: timed(inside("import cli.app")),
                "counting, readers, store": lambda: timed(
                    inside("import cli.app, engine.runtime.serve")
                ),
                "API, Bottle, waitress": lambda: timed(inside(f"{http}, engine.http.server")),
                "`serve` until `/health` is 200": lambda: until_healthy(packages, folder),
            },
            runs,
        )
    shutil.rmtree(folder, ignore_errors=True)


def _steps(command: str, steps: dict[str, Callable[[], float]], runs: int) -> None:
    found = turn_by_turn(steps, runs)
    print(f"\n### Start of `{command}`: milliseconds\n")
    print("| up to and with | ms | added |\n|---|---|---|")
    before = 0.0
    for name, sample in found.items():
        middle = sample.median * 1000
        print(f"| {name} | {middle:.0f} | {middle - before:.0f} |")
        before = middle


def main() -> int:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree to look at")
    parser.add_argument("--only", choices=["tail", "filebeat", "start"], nargs="*")
    options = parser.parse_args()
    root, only = options.root.resolve(), options.only or ["tail", "filebeat", "start"]
    for reader in ("tail", "filebeat"):
        if reader in only:
            live(reader, root)
    if "start" in only:
        start(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
