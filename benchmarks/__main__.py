"""`make bench`: measure ours and the peers, print the table, write docs/performance.md.

python -m benchmarks                        the table with 500,000 lines
python -m benchmarks --only replay start    some groups of rows: printed, and not written
python -m benchmarks --check                compare ratios with the committed ones
python -m benchmarks --dirty                write the table of a changed tree, which then says so
python -m benchmarks --large                5 GB of log, 5 million lines, ten idle minutes

The table is of one commit, and of a tree without changes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Final

from benchmarks import figures, peers, replaying, serving
from benchmarks.measure import load
from benchmarks.table import Row, as_markdown, fallen, ratios_of
from benchmarks.workload import ROOT
from lab.circumstances import CHANGED, commit_of, machine, today

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
        "any-stretch": lambda: figures.any_stretch(runs),
        "start": lambda: serving.start(max(runs, 7)),
        "size": serving.size,
    }


def growth(options: argparse.Namespace) -> str:
    """The tables of how costs grow."""
    factors = (1, 10, 100) if options.large else (1, 10)
    return (
        "## How it grows\n\n### `replay`\n\n"
        + replaying.growth(options.lines, factors, 3)
        + "\n### A minute's save\n\n"
        + figures.save_growth()
        + "\n### The end of an hour\n\n"
        + figures.kpi_growth()
    )


def circumstances(options: argparse.Namespace, loads: list[float], commit: str) -> str:
    """What was measured when and where."""
    return (
        f"Commit {commit}, {today()}; {machine()}. "
        f"A recorded log of {options.lines:,} lines, for speed {replaying.LONGER} times over; "
        f"{options.runs} turns, of which the median counts. "
        f"Processes wanting to run while measuring: {min(loads):.1f} to {max(loads):.1f} on "
        "average; on a quiet machine it would be 0 to 2.\n"
    )


def write_page(text: str) -> None:
    """Put the tables in their place in docs/performance.md; the words around them stay."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def measure(known: dict[str, Callable[[], list[Row]]], loads: list[float]) -> list[Row]:
    """Run groups of rows, and say what they give as they end."""
    rows: list[Row] = []
    for name, group in known.items():
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        found = group()
        rows += found
        loads.append(load())
        for row in found:
            print(f"  {row.what}: {row.ours}; {row.peer}", file=sys.stderr, flush=True)
    return rows


def check(rows: list[Row]) -> int:
    """Compare with the committed ratios: 1 when one fell beyond its spread."""
    falls = fallen(rows, json.loads(RATIOS.read_text(encoding="utf-8"))["ratios"])
    for fall in falls:
        print(f"fell beyond its spread: {fall}", file=sys.stderr)
    return 1 if falls else 0


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--lines", type=int, default=500_000, help="of the recorded log")
    parser.add_argument("--runs", type=int, default=5, help="turns; their median counts")
    parser.add_argument("--only", nargs="+", metavar="GROUP", help="print some groups of rows")
    parser.add_argument("--large", action="store_true", help="the sizes that take long")
    parser.add_argument("--check", action="store_true", help="fail when a ratio fell")
    parser.add_argument("--dirty", action="store_true", help="write although the tree is changed")
    options = parser.parse_args()
    known = groups(options)
    chosen = options.only or (["replay", "live", "start"] if options.check else list(known))
    if wrong := set(chosen) - set(known):
        parser.error(f"no such group: {', '.join(sorted(wrong))}; there are {', '.join(known)}")
    commit, writes = commit_of(), not options.check and not options.only
    if writes and commit.endswith(CHANGED) and not options.dirty:
        parser.error(
            "the tree has changes that are not committed, and the table is of one commit: commit "
            "them, or print rows with --only GROUP, or write the table all the same with --dirty"
        )
    if not peers.take_built():
        parser.error("dist/offspot-metrics is not there: make build")
    loads = [load()]
    rows = measure({name: known[name] for name in known if name in chosen}, loads)
    table = as_markdown(rows)
    print(table)
    if options.check:
        return check(rows)
    if writes:
        more = growth(options)
        if commit_of() != commit:
            commit += CHANGED * (not commit.endswith(CHANGED))
            if not options.dirty:
                print("the tree has changed meanwhile: nothing is written", file=sys.stderr)
                return 1
        write(circumstances(options, loads, commit) + "\n" + table + "\n" + more, rows, commit)
    return 0


def write(text: str, rows: list[Row], commit: str) -> None:
    """Keep the tables and the ratios, with the commit that both are of."""
    write_page(text)
    kept = {"commit": commit, "date": today(), "machine": machine(), "ratios": ratios_of(rows)}
    RATIOS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
