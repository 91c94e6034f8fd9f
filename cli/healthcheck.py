"""`offspot-metrics healthcheck`: asks a running `serve` how it is, without a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from engine.settings import Config

SECONDS: Final = 3.0
"""How long an answer may take, from the first byte asked to the last one got."""
MAX_BYTES: Final = 64 * 1024
_ANY: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}  # noqa: S104 (asks, binds nothing)
"""Where to ask when the server listens on all addresses."""


def healthcheck(config: Config) -> None:
    """Ask a running serve whether it is healthy.

    The exit code is 0 when it is, else 1. Give it the options or the environment of serve. It is
    made for a container engine, and needs no shell and no other program.
    """
    from cli.messages import print_message
    from engine.errors import UsageError

    if not config.port:
        raise UsageError("port 0 is any free one", "give the port of serve: --port, PORT")
    try:
        reasons = _reasons(_ask(_ANY.get(config.host, config.host), config))
    except OSError as error:
        late = f"no whole answer in {SECONDS:.0f} seconds"
        what = late if isinstance(error, TimeoutError) else error.strerror or error
        reasons = [f"{config.host} port {config.port}: {what}"]
    if reasons:
        print_message("\n".join(reasons))
        raise typer.Exit(1)


def _ask(host: str, config: Config) -> bytes:
    """What is answered, head and body. Raises OSError."""
    import socket

    from engine.runtime.clock import monotonic

    until = monotonic() + SECONDS
    request = f"GET /health/{config.probe} HTTP/1.0\r\nHost: localhost\r\n\r\n"
    with socket.create_connection((host.strip("[]"), config.port), SECONDS) as connection:
        connection.sendall(request.encode())
        answer = b""
        while len(answer) < MAX_BYTES:
            if (left := until - monotonic()) <= 0:
                raise TimeoutError
            connection.settimeout(left)
            data = connection.recv(MAX_BYTES)
            if not data:
                break
            answer += data
    return answer


def _reasons(answer: bytes) -> list[str]:
    """Why it is not well, by its answer; empty when it is."""
    import json

    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    found: Any = None
    if status in ([b"200"], [b"503"]):
        try:
            found = json.loads(body)["reasons"]
        except (ValueError, TypeError, KeyError, RecursionError):
            found = None
    if not isinstance(found, list) or (status == [b"503"] and not found):
        return ["another program answers there, or another version of this one"]
    return [str(reason) for reason in found]
