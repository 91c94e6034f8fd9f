"""python -m tests.install.roots: makes the clean Debians of the tests, which takes minutes each."""

from __future__ import annotations

from tests.install import emulated, machine

if __name__ == "__main__":
    for suite in ("bookworm", "trixie"):
        machine.clean_root(suite)
    emulated.clean_root()
