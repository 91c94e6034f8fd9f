"""Names of hosts: how two are compared, and which can exist at all."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote

from engine.hosts import MAX_NAME_LENGTH, encoded_name, is_address, is_name

_MAX_HOST_LENGTH: Final = 300
"""Characters of a name in Unicode with its port; what is longer is no name, and costs no look."""

_PORT = re.compile(r":[0-9]*\Z")
IMPLIED_PORTS: Final = (":80", ":443")
"""Browsers leave these out: of http and of https."""
_ZEROS = re.compile(r":0+(?=[0-9]+\Z)")
_ADDRESS = re.compile(r"\A\[([^\[\]]{2,100})\]")
_HOST = re.compile(r"(?P<name>\[[^\[\]]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
_PLACEHOLDER = re.compile(r"\{(?:(?P<name>[a-z0-9]+(?:-[a-z0-9]+)*)-)?fqdn\}", re.I)


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
    if match["port"] and int(match["port"]) > 65535:
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


def needs_fqdn(url: str) -> bool:
    """Whether a URL has a placeholder for the hotspot's own name."""
    return bool(_PLACEHOLDER.search(url))


def fill_in(url: str, fqdn: str) -> str:
    """A URL whose `{fqdn}` is the hotspot's name, and `{browse-fqdn}` is `browse.` and that name.

    This is what the dashboard makes of it.
    """
    return _PLACEHOLDER.sub(lambda found: f"{found['name']}.{fqdn}" if found["name"] else fqdn, url)
