"""A line of Caddy's access log, as Caddy 2.11 writes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Final

_AGENTS: Final = (
    "Mozilla/5.0 (Linux; Android 13; TECNO BG6) AppleWebKit/537.36 Chrome/124.0.0.0 Mobile",
    "Mozilla/5.0 (Linux; Android 11; itel A60) AppleWebKit/537.36 Chrome/119.0.6045.66 Mobile",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:115.0) Gecko/20100101 Firefox/115.0",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1",
)
_LANGUAGES: Final = ("en-GB,en;q=0.9", "fr-FR,fr;q=0.8", "fr", "en-US,en;q=0.5", "ar,fr;q=0.7")


@dataclass(frozen=True)
class Visitor:
    """A device: only its log line shows it, nothing of it is counted."""

    address: str
    agent: str
    language: str

    @classmethod
    def any(cls, chance: Random) -> Visitor:
        """One of those that may be there."""
        address = f"192.168.2.{chance.randrange(100, 240)}"
        return cls(address, chance.choice(_AGENTS), chance.choice(_LANGUAGES))


@dataclass(frozen=True)
class Exchange:
    """A request and the response to it, `pause` seconds after the one before."""

    pause: int
    host: str
    uri: str
    method: str = "GET"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/html; charset=utf-8"),)


def caddy_line(at: float, exchange: Exchange, visitor: Visitor, chance: Random) -> bytes:
    """The line, with its newline."""
    request = {
        "remote_ip": visitor.address,
        "remote_port": str(chance.randrange(32768, 61000)),
        "client_ip": visitor.address,
        "proto": "HTTP/1.1",
        "method": exchange.method,
        "host": exchange.host,
        "uri": exchange.uri,
        "headers": {
            "User-Agent": [visitor.agent],
            "Accept-Language": [visitor.language],
            "Accept-Encoding": ["gzip, deflate"],
        },
    }
    line = {
        "level": "info",
        "ts": round(at, 6),
        "logger": "http.log.access.log0",
        "msg": "handled request",
        "request": request,
        "bytes_read": 0,
        "user_id": "",
        "duration": round(chance.uniform(0.0004, 0.02), 9),
        "size": chance.randrange(200, 40_000),
        "status": exchange.status,
        "resp_headers": {"Server": ["Caddy"]} | {name: [text] for name, text in exchange.headers},
    }
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
