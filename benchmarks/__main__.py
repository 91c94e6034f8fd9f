"""`make bench`: measure ours and the peers, print the table, write docs/performance.md.

python -m benchmarks                        the table with 500,000 lines
python -m benchmarks --only replay start    some groups of rows, put in the place of theirs
python -m benchmarks --check                compare ratios with the committed ones
python -m benchmarks --large                5 GB of log, 5 million lines, ten idle minutes
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks import figures, peers, replaying, serving
from benchmarks.measure import load
from benchmarks.table import Row, as_markdown, fallen, ratios_of
from benchmarks.workload import ROOT

RATIOS: Final = ROOT / "benchmarks" / "ratios.json"
PAGE: Final = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def groups(options: argparse.Namespace) -> dict[str, Callable[[], list[Row]]]:
    """Groups of rows by name, in the order of the table."""
    lines, runs, large = options.lines, options.runs, options.large
    return {
        "replay": lambda: replaying.speed(lines, runs),
        "memory": lambda: replaying.memory(lines, large=large),
        "live": lambda: serving.live(lines, runs),
        "line": lambda: serving.line_to_figure("tail") + serving.line_to_figure("filebeat"),
        "idle": lambda: serving.idle(600 if large else 60),
        "serve": serving.memory,
        "written": figures.written,
        "requests": lambda: serving.requests(3, runs),
        "figures": lambda: figures.rows(runs),
        "start": lambda: serving.start(max(runs, 7)),
        "size": serving.size,
    }


def growth(options: argparse.Namespace) -> str:
    """The tables of how costs grow."""
    factors = (1, 10, 100) if options.large else (1, 10)
    return (
        "### `replay`\n\n"
        + replaying.growth(options.lines, factors, 3)
        + "\n### A minute's save\n\n"
        + figures.save_growth()
        + "\n### The end of an hour\n\n"
        + figures.kpi_growth()
    )


def circumstances(options: argparse.Namespace, loads: list[float]) -> str:
    """What was measured where."""
    model = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if "model name" in line),
        platform.machine(),
    )
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, check=False
    ).stdout.decode()
    return (
        f"A recorded log of {options.lines:,} lines, for speed {replaying.LONGER} times over; "
        f"median of {options.runs} runs turn by turn; "
        f"{len(_cores())} cores ({model}), Python {platform.python_version()}, "
        f"commit {commit.strip()}. "
        f"Processes wanting to run while measuring: {min(loads):.1f} to {max(loads):.1f} on "
        "average; on a quiet machine it would be 0 to 2.\n"
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def _cores() -> list[str]:
    return [line for line in _lines("/proc/cpuinfo") if line.startswith("processor")]


def write_page(text: str) -> None:
    """Put the tables in their place in docs/performance.md; the words around them stay."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def replace_rows(rows: list[str]) -> None:
    """Put rows in the place of those that tell of the same."""
    page = PAGE.read_text(encoding="utf-8")
    for row in rows:
        what, _, peer = row.split(" | ")[:3]
        same = f"{re.escape(what)} \\| [^|]* \\| {re.escape(peer.partition(':')[0])}[ :]"
        page = re.sub(f"^{same}.*$", row.replace("\\", r"\\"), page, count=1, flags=re.MULTILINE)
    PAGE.write_text(page, encoding="utf-8")


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--lines", type=int, default=500_000, help="of the recorded log")
    parser.add_argument("--runs", type=int, default=5, help="of each side; the median counts")
    parser.add_argument("--only", nargs="+", metavar="GROUP", help="groups of rows")
    parser.add_argument("--large", action="store_true", help="the sizes that take long")
    parser.add_argument("--check", action="store_true", help="fail when a ratio fell by over 15 %%")
    options = parser.parse_args()
    known = groups(options)
    chosen = options.only or (["replay", "live", "start"] if options.check else list(known))
    if wrong := set(chosen) - set(known):
        parser.error(f"no such group: {', '.join(sorted(wrong))}; there are {', '.join(known)}")
    if not peers.take_built():
        parser.error("dist/offspot-metrics is not there: make build")
    rows: list[Row] = []
    loads = [load()]
    for name in known:
        if name in chosen:
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            found = known[name]()
            rows += found
            loads.append(load())
            for row in found:
                print(f"  {row.what}: {row.ours}; {row.peer}", file=sys.stderr, flush=True)
    table = as_markdown(rows)
    print(table)
    if options.check:
        falls = fallen(rows, RATIOS)
        for fall in falls:
            print(f"fell by more than 15 %: {fall}", file=sys.stderr)
        return 1 if falls else 0
    if options.only:
        replace_rows(table.splitlines()[2:])
        ratios = json.loads(RATIOS.read_text(encoding="utf-8")) | ratios_of(rows)
        RATIOS.write_text(json.dumps(ratios, indent=2) + "\n", encoding="utf-8")
    else:
        text = (
            circumstances(options, loads) + "\n" + table + "\n## How it grows\n\n" + growth(options)
        )
        write_page(text)
        RATIOS.write_text(json.dumps(ratios_of(rows), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
