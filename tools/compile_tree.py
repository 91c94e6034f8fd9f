"""Compiles every .py below a folder to a .pyc next to it, the same bytes each time.

The .pyc files are marked as unchecked. It must be run as a process of its own with
PYTHONHASHSEED=0, one folder a run: what a process compiled before leaves traces in the byte code
that follows (shared strings), though never in what it does.
"""

import py_compile
import sys
from pathlib import Path


def compile_tree(folder: Path) -> None:
    for source in sorted(folder.rglob("*.py")):
        py_compile.compile(
            str(source),
            cfile=str(source.with_suffix(".pyc")),
            dfile=source.relative_to(folder).as_posix(),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


if __name__ == "__main__":
    compile_tree(Path(sys.argv[1]))
