"""Becomes a command to which the kernel refuses system calls, as profiles of containers do.

python refusing.py NAME[,NAME...] ERRNO COMMAND...
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

ALLOW: Final = 0x7FFF0000
REFUSE: Final = 0x00050000
"""With the number of the error added."""


def refuse(names: list[str], code: int) -> None:
    """From now on, for this process and what it starts."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ALLOW)))
    for name in names:
        number = library.seccomp_syscall_resolve_name(name.encode())
        action = ctypes.c_uint32(REFUSE | code)
        assert library.seccomp_rule_add(rules, action, ctypes.c_int(number), 0) == 0, name
    assert library.seccomp_load(rules) == 0


if __name__ == "__main__":
    refuse(sys.argv[1].split(","), int(sys.argv[2]))
    os.execvp(sys.argv[3], sys.argv[3:])  # noqa: S606 (no shell is wanted)
