"""The first thing that the process does: it handles signals, also as process 1.

Before `serve` has its own handlers, SIGTERM ends it with the code of a graceful stop. For process 1
(in a container) the kernel drops signals that have no handler, and makes it the parent of every
orphan: so process 1 only passes signals on and reaps, and a child does the work.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

_FROM_TERMINAL = 0x80  # no `Final` here: `--version` would load typing for it
"""SI_KERNEL: the terminal sent it, to the child as well."""
_WAY_OUT = (
    "try: docker run --init (init: true in a compose file); a profile of the container engine that "
    "refuses a system call is too old: update it, or use security_opt: seccomp=unconfined"
)
_LEFT_ALONE = {
    signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT, signal.SIGTSTP, signal.SIGTTIN,
    signal.SIGTTOU, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP,
}  # fmt: skip


def begin() -> None:
    """Let SIGTERM end `serve` properly from now on; as process 1, return in a child of it."""
    if os.getpid() != 1:
        _handle_signals()
        return
    passed_on = {int(number) for number in signal.valid_signals() - _LEFT_ALONE}
    signal.pthread_sigmask(signal.SIG_BLOCK, passed_on)
    try:
        child = os.fork()
    except OSError:  # no process to be had: then without
        child = 0
    if child:
        from engine.runtime import rights

        rights.give_up_all()
        try:
            code = _wait_for(child, passed_on)
        except OSError as error:
            sys.stderr.write(f"offspot-metrics: process 1 ends: {error.strerror}\n  {_WAY_OUT}\n")
            code = os.EX_SOFTWARE
        os._exit(code)
    _handle_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, passed_on)


def _handle_signals() -> None:
    """Until `serve` has its own handlers there is nothing to save: it leaves, as after a stop.

    The other commands end by the signal, as they always may.
    """
    if "serve" in sys.argv[1:]:
        signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
        # An import may drop the exception that Ctrl-C raises in it.
        signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(130))


def _wait_for(child: int, signals: set[int]) -> int:
    """Pass signals on and reap whatever ends, until the child does. Its exit code."""
    received = _received(signals)
    while True:
        number = next(received)
        if number != signal.SIGCHLD:
            os.kill(child, number)
            continue
        ended = child
        while ended:
            ended, status = os.waitpid(-1, os.WNOHANG)
            if ended == child:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code


def _received(signals: set[int]) -> Iterator[int]:
    """Blocked signals as they come; without those of the terminal, which the child has, too."""
    while True:
        try:
            info = signal.sigwaitinfo(signals)
        except OSError:  # a profile of the container engine refuses the system call
            yield from _handled(signals)
            return
        if info.si_code != _FROM_TERMINAL:
            yield info.si_signo


def _handled(signals: set[int]) -> Iterator[int]:
    """The same by handlers, which are not told who sent a signal."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in signals:
        signal.signal(number, lambda _number, _frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    from_terminal = {signal.SIGINT, signal.SIGQUIT, signal.SIGHUP} if os.isatty(0) else set()
    while True:
        yield from set(os.read(reader, 512)) - from_terminal
