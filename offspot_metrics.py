"""offspot-metrics: usage figures of an offspot, counted on the device from its proxy's logs."""

from __future__ import annotations

import sys

from engine.version import __version__


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. The exit code; nothing is raised but SystemExit of a command."""
    try:
        if arguments is None:
            arguments = sys.argv[1:]
            from engine.runtime import process

            process.begin()
        if arguments == ["--version"]:  # scripts run it: nothing more is loaded
            return _print_version()
        from cli.main import run

        return run(arguments)
    except KeyboardInterrupt:  # before there was anything to interrupt
        return 130


def _print_version() -> int:
    try:
        print(f"offspot-metrics {__version__}", flush=True)
    except OSError:
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter fails at its end
        return os.EX_IOERR
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
