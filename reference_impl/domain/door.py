"""Who may come in, and what happens to what comes: the rules of the front door, without I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

Flag = Literal["on", "hold", "off"]
"""on: taken and sent. hold: taken and kept. off: not taken; the vendor is asked to come again."""
_STRICTNESS: tuple[Flag, ...] = ("on", "hold", "off")

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def stricter(one: Flag, other: Flag) -> Flag:
    """The flag that counts where two apply: neither a gateway nor a tenant can undo the other's caution."""
    return max(one, other, key=_STRICTNESS.index)


def network(text: str) -> str:
    """An address or CIDR range in its one right spelling, IPv4 where it is IPv4 in IPv6's clothes.

    Raises:
        ValueError: it is neither, or its host bits are set (10.0.0.1/8: which of the two was meant?).
    """
    return str(_network(text.strip()))


def may_enter(address: str | None, allowed: Sequence[str]) -> bool:
    """Whether an address lies in one of the ranges. An empty list is open, also to who has no known address."""
    if not allowed:
        return True
    if address is None:
        return False
    known = ipaddress.ip_address(address)
    return any(known in one for one in _networks(tuple(allowed)))


@lru_cache(maxsize=1024)
def _networks(texts: tuple[str, ...]) -> tuple[_Network, ...]:
    return tuple(_network(text) for text in texts)


def _network(text: str) -> _Network:
    found = ipaddress.ip_network(text)
    if isinstance(found, ipaddress.IPv6Network) and found.prefixlen >= 96:
        mapped = found.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((mapped, found.prefixlen - 96))
    return found
