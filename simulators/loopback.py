"""Whether a host is this machine. Pure: no name is looked up."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """`localhost` and addresses of this machine; any other name could resolve to anywhere."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
