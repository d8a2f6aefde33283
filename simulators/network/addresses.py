"""Where a proxy listens and where it passes things on: `tcp:HOST:PORT` or `unix:/path`, on this machine only. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from simulators.loopback import is_loopback

#: What the kernel has room for in a Unix socket's address.
UNIX_PATH_LIMIT = 107


class BadAddress(ValueError):
    """Not an address, or not on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One end: a TCP port of this machine, or a Unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        """As it is written on the command line."""
        if self.path:
            return f"unix:{self.path}"
        return f"tcp:[{self.host}]:{self.port}" if ":" in self.host else f"tcp:{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `tcp:HOST:PORT` or `unix:/path`.

        Raises:
            BadAddress: it is neither, or not on this machine.
        """
        kind, _, rest = text.partition(":")
        if kind == "unix":
            if not rest.startswith("/") or "\0" in rest or len(rest.encode()) > UNIX_PATH_LIMIT:
                raise BadAddress(
                    f"unix: wants a whole path of at most {UNIX_PATH_LIMIT} bytes, like unix:/tmp/db.sock."
                )
            return cls(path=rest)
        host, _, port = rest.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if kind != "tcp" or not (port.isascii() and port.isdigit()) or int(port) > 65535:
            raise BadAddress("An address is tcp:HOST:PORT or unix:/path, like tcp:127.0.0.1:5432.")
        if not is_loopback(host):
            raise BadAddress(f"The proxy stays on this machine, and {host!r} is not it. Use tcp:127.0.0.1:PORT.")
        return cls(host=host, port=int(port))
