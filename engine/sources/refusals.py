"""Why a log, or a folder of logs, may not be read by this user, and what would let it."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path
from typing import Final, NamedTuple

from engine.regular_file import open_regular

_ALL_FILES: Final = (
    "let this user read every file (a container: cap_add DAC_READ_SEARCH; "
    "the Debian package: its example read-root-logs.conf)"
)


class Refusal(NamedTuple):
    """What stands in the way, and what to do about it."""

    reason: str
    remedy: str


def refusal(path: Path) -> Refusal | None:
    """Why this user may not read a file, or list and enter a folder; None where it may."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            with os.scandir(path):
                os.stat(f"{path}/.")  # noqa: PTH116 (pathlib drops the dot)
        elif stat.S_ISREG(mode):
            open_regular(path).close()
    except PermissionError:
        return _explained(path)
    except OSError:
        return None
    return None


def _explained(path: Path) -> Refusal:
    """By the first folder on the way that may not be entered, or the file or folder itself."""
    barrier, found = Path(path.anchor), os.stat(path.anchor or ".")  # noqa: PTH116
    for step in (*reversed(path.parents), path):
        try:
            barrier, found = step, step.stat()
        except OSError:
            break
    is_folder = stat.S_ISDIR(found.st_mode)
    needed = 1 if barrier != path else 5 if is_folder else 4
    user, group = _user(os.geteuid()), _group(found.st_gid)
    mode = stat.S_IMODE(found.st_mode)
    reason = f"{barrier} is of {_user(found.st_uid)}:{group}, mode {mode:04o}; this is user {user}"
    joins = found.st_gid and os.geteuid() and found.st_gid not in os.getgroups()
    if joins and mode >> 3 & needed == needed:
        remedy = f"add this user to the group: usermod -aG {group} {user}, and start it again"
        return Refusal(reason, f"{remedy} (a container: group_add {found.st_gid})")
    other = "set `mode 0644` in the `output file` block of Caddy's log"
    return Refusal(reason, f"{_ALL_FILES}, or {f'chmod a+rx {barrier}' if is_folder else other}")


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
