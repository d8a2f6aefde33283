"""For `golive up` inside a container: what reaches the container's own address is passed on to its loopback.

`python -m harness.stack.forward ADDRESS PORT…`. A published port arrives at the container's own address, and the fakes
listen on 127.0.0.1 only, there as everywhere. Standard output says `ready` once all ports listen.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable

_PIECE = 65536


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, to its end; the other may go on."""
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def _to(port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            try:
                inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return
            with contextlib.closing(inner_writer):
                await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))

    return connected


async def forward(address: str, ports: list[int]) -> None:
    """Listen until cancelled.

    Raises:
        OSError: a port cannot be had there.
    """
    async with contextlib.AsyncExitStack() as stack:
        for port in ports:
            await stack.enter_async_context(await asyncio.start_server(_to(port), address, port))
        print("ready", flush=True)  # noqa: T201 -- whoever started us waits for it
        await asyncio.Event().wait()


def main() -> int:
    """Forward until a signal."""
    try:
        asyncio.run(forward(sys.argv[1], [int(one) for one in sys.argv[2:]]))
    except OSError as error:
        sys.stderr.write(f"cannot listen on {sys.argv[1]}: {error.strerror}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
