"""Names of hosts, in the one form in which they are compared: lower case, `xn--` labels.

Those of settings (`read_address`, such as `https://Offspot.lan:8000/`) must be names and lose their
port. Those of logs and packages (`normal_host`) keep it, and may be anything: visitors choose them.
No name is resolved.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import unquote

MAX_NAME_LENGTH: Final = 253
MAX_PORT: Final = 65535
IMPLIED_PORTS: Final = (":80", ":443")
"""Browsers leave these out: of http and of https."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(?=//)", re.I)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_BRACKETED = re.compile(r"\[(?P<address>[^\[\]]*)\](?P<port>:.*)?", re.S)
_MAX_HOST_LENGTH: Final = 300
"""Characters of a name in Unicode with its port; what is longer is no name, and is not encoded."""
_PORT = re.compile(r":[0-9]*\Z")
_ZEROS = re.compile(r":0+(?=[0-9]+\Z)")
_ADDRESS = re.compile(r"\A\[([^\[\]]{2,100})\]")
_HOST = re.compile(r"(?P<name>\[[^\[\]]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")


class Address(NamedTuple):
    """What a text names: `scheme` in lower case and `port` are empty where it has none.

    `host` is a name in its `xn--` form, or an IP address without brackets.
    """

    scheme: str
    host: str
    port: str


def read_address(text: str) -> Address:
    """The host of `HOST`, `HOST:PORT` or `SCHEME://HOST[:PORT][/...]`.

    Raises ValueError, in words, for what names no host.
    """
    found = _SCHEME.match(text)
    scheme = found[1].lower() if found else ""
    rest = text[found.end() :] if found else text
    had_slashes = rest.startswith("//")
    host, path = re.fullmatch(r"([^/?#]*)(.*)", rest.removeprefix("//"), re.S).groups()  # type: ignore[union-attr]
    if path not in ("", "/") and not had_slashes:
        raise ValueError("it has a path: give the name of the host only")
    host, port = _split_port(host)
    return Address(scheme, normal_name(host), port)


def _split_port(text: str) -> tuple[str, str]:
    """Host and port; a colon that belongs to an IPv6 address separates nothing."""
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed:
        host, port = bracketed["address"], bracketed["port"] or ""
        if ":" not in host:
            raise ValueError("only an IPv6 address stands in brackets")
    elif text.count(":") > 1:
        host, port = text, ""
    else:
        host, colon, port = text.partition(":")
        port = colon + port
    port = port[1:]
    if port and not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) <= MAX_PORT):
        raise ValueError(f"{port!r} is no port")
    return host, str(int(port)) if port else ""


def normal_name(host: str) -> str:
    """A name or an address in the form in which hosts are compared. Raises ValueError."""
    if ":" in host:
        try:
            return str(ip_address(host))
        except ValueError as error:
            raise ValueError("it is no IPv6 address") from error
    name = ascii_name(host)
    if not is_name(name):
        raise ValueError("it cannot be the name of a host")
    if name.rpartition(".")[2].isdigit():  # 10.0.0.256, which every browser refuses
        try:
            return str(ip_address(name))
        except ValueError as error:
            raise ValueError("it is no IPv4 address") from error
    return name


def ascii_name(host: str) -> str:
    """A name in lower case, without the dot at its end, in Unicode as browsers encode it.

    Raises ValueError for a name in Unicode that cannot be encoded.
    """
    return (host if host.isascii() else encoded_name(host)).lower().removesuffix(".")


@lru_cache(maxsize=1024)
def encoded_name(name: str) -> str:
    """A name in Unicode as browsers ask for it: mapped by UTS 46, each label in its `xn--` form.

    Raises ValueError for a name that has none.
    """
    import idna  # noqa: PLC0415 (few names need it, and its tables take 20 ms)

    try:
        # Not `idna.encode`: browsers also ask for names that IDNA 2008 does not let anyone
        # register, such as ☕.box, and a name in a home network is not registered.
        labels = idna.uts46_remap(name, std3_rules=False, transitional=False).split(".")
        if any(label.startswith("xn--") and not label.isascii() for label in labels):
            raise ValueError("it cannot be the name of a host (it is encoded twice)")
        return ".".join(
            label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
            for label in labels
        )
    except (idna.IDNAError, UnicodeError) as error:
        raise ValueError(f"it cannot be the name of a host ({error})") from error


def is_name(name: str) -> bool:
    """Whether a normal name can be that of a host: labels of 1 to 63 characters, 253 in all."""
    return len(name) <= MAX_NAME_LENGTH and all(map(_LABEL.fullmatch, name.split(".")))


def is_address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address, without brackets."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def normal_host(host: str) -> str:
    """A host for comparison: lower case, in its `xn--` form, no dot at the end; a port stays.

    An IPv6 address is written as browsers write it.
    """
    if host.startswith("["):
        return _ADDRESS.sub(lambda found: f"[{_short(found[1])}]", host)
    if not host.isascii() and len(host) <= _MAX_HOST_LENGTH:
        host = _encoded(host)
    host = host.lower()
    if host.endswith("."):
        return host[:-1]
    return re.sub(r"\.(:[0-9]*)$", r"\1", host) if ":" in host else host


def _encoded(host: str) -> str:
    port = _PORT.search(host)
    name = host[: port.start()] if port else host
    with suppress(ValueError):
        return encoded_name(name) + (port[0] if port else "")
    return host


def without_port(host: str) -> str:
    """A normal host without its port (an IPv6 address keeps its brackets)."""
    return _PORT.sub("", host) if not host.endswith("]") else host


def _short(address: str) -> str:
    try:
        return str(ip_address(address.lower()))
    except ValueError:
        return address.lower()


def host_of_url(host: str) -> str:
    """The normal host that is written in a URL, where characters may be percent-encoded."""
    host = normal_host(unquote(host) if "%" in host and "[" not in host else host)
    return _ZEROS.sub(":", host)


def why_impossible(host: str) -> str:
    """Why there can be no such host, for a sentence that names it; empty when there can be one."""
    match = _HOST.fullmatch(host)
    if match is None:
        return "no name of a host is written like this"
    if match["port"] and int(match["port"]) > MAX_PORT:
        return "it has an impossible port"
    name = match["name"]
    if name.startswith("[") or name.rpartition(".")[2].isdigit():
        return "" if is_address(name.strip("[]")) else "it is no address"
    if len(name) > MAX_NAME_LENGTH:
        return f"it is longer than {MAX_NAME_LENGTH} characters"
    if not is_name(name):
        return "between dots are 1 to 63 letters, digits and hyphens inside"
    if not all(map(_is_decodable, name.split("."))):
        return "what follows xn-- stands for no name"
    return ""


def _is_decodable(label: str) -> bool:
    try:
        return not label.startswith("xn--") or bool(label[4:].encode("ascii").decode("punycode"))
    except UnicodeError:
        return False
