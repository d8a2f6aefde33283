"""Whether a host, or the one that a URL leads to, is this machine. Pure: no name is looked up."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """`localhost` and addresses of this machine; any other name could resolve to anywhere."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class NotLoopback(ValueError):
    """The address is not on this machine, or not certainly so."""


def check_loopback(url: str) -> None:
    """Return if the URL certainly leads to this machine; else raise NotLoopback.

    What two URL parsers could read differently (user names, backslashes, spaces) is refused as well.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    odd = any(mark in parts.netloc for mark in "@\\ \t\r\n")
    if parts.scheme not in {"http", "https"} or odd or not is_loopback(host):
        raise NotLoopback(f"Webhooks are sent to this machine only, not to {host!r}. Use http://127.0.0.1:PORT/….")


def check_address(url: str, *, allow_host: str | None = None, permit: str = "--allow-host HOST") -> None:
    """Return if webhooks may be sent there: to this machine, or to the host allowed by name.

    `permit` is what the message tells to write, with HOST in the host's place.

    Raises:
        ValueError: not an http or https address.
        NotLoopback: another machine, which nobody has allowed.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"This is no address: {error}.") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("An address begins with http:// or https:// and a host, like http://127.0.0.1:8080/webhooks.")
    if allow_host is not None and host == allow_host.lower() and not re.search(r"[@\\\s]", parts.netloc):
        return
    try:
        check_loopback(url)
    except NotLoopback:
        told = permit.replace("HOST", host)
        raise NotLoopback(
            f"{host!r} is not this machine, and webhooks go to this machine only, but with {told}."
        ) from None
