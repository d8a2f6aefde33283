"""Who is calling: the address that can be believed, given how many proxies of our own stand in front."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence


def client_address(remote_addr: str | None, forwarded_for: Sequence[str], *, trusted_hops: int) -> str | None:
    """The caller's address in its shortest spelling; None where it cannot be known.

    Every proxy writes the address that it was called from behind what it was given (`X-Forwarded-For`), so only the
    last `trusted_hops` entries are our own proxies' words, and the one that the outermost of them wrote is the
    caller. Everything left of it is the caller's own invention. With no proxy the header is not looked at.

    `forwarded_for`: the values of all `X-Forwarded-For` headers in their order, each perhaps a list with commas.
    A request that came through fewer proxies than it must has no address: it went round one of them.
    """
    if trusted_hops == 0:
        return plain(remote_addr)
    entries = [entry for value in forwarded_for for entry in value.split(",")]
    return plain(entries[-trusted_hops]) if len(entries) >= trusted_hops else None


def plain(text: str | None) -> str | None:
    """An address without port, brackets and zone, IPv4 where it is IPv4 in IPv6's clothes; None for anything else."""
    if text is None:
        return None
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
