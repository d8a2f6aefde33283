"""One GET, for SubscribeURLs and certificates: no redirects, no proxy, no cookies, a limit on bytes and on seconds.

Nothing of it runs in a thread, so that a peer that hangs does not keep the process alive.
"""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

import httptools

LIMIT_BYTES = 64 * 1024
LIMIT_S = 10.0


class FetchFailed(Exception):
    """No whole HTTP answer came; the message names no URL, as a SubscribeURL holds a token."""


class _Answer:
    """What httptools calls while it reads."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.complete = False

    def on_body(self, chunk: bytes) -> None:
        self.body += chunk

    def on_message_complete(self) -> None:
        self.complete = True


async def get(url: str, *, host: str = "", within_s: float = LIMIT_S) -> tuple[int, bytes]:
    """HTTP status and body; `host` is sent instead of the URL's own.

    Raises:
        FetchFailed: it cannot be reached, does not end in time or is larger than `LIMIT_BYTES`.
    """
    try:
        async with asyncio.timeout(within_s):
            return await _get(url, host)
    except (OSError, TimeoutError, ValueError, httptools.HttpParserError) as error:
        reason = f"the GET failed: {type(error).__name__}"
        raise FetchFailed(reason) from None


async def _get(url: str, host: str) -> tuple[int, bytes]:
    asked = urlsplit(url)
    tls = asked.scheme == "https"
    reader, writer = await asyncio.open_connection(asked.hostname, asked.port or (443 if tls else 80), ssl=tls or None)
    try:
        target = f"{asked.path or '/'}{'?' + asked.query if asked.query else ''}"
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: {host or asked.netloc}\r\nUser-Agent: golive-fake-pagerduty\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n".encode("ascii")
        )
        answer = _Answer()
        parser = httptools.HttpResponseParser(answer)
        came = 0
        while not answer.complete and (chunk := await reader.read(16 * 1024)):
            came += len(chunk)
            if came > LIMIT_BYTES:
                reason = f"the answer is larger than {LIMIT_BYTES} bytes"
                raise FetchFailed(reason)
            parser.feed_data(chunk)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return _status(parser), bytes(answer.body)


def _status(parser: httptools.HttpResponseParser) -> int:
    """The status; 0 before its line came.

    Raises:
        FetchFailed: nothing came.
    """
    status = int(parser.get_status_code())
    if not status:
        reason = "the connection ended without an answer"
        raise FetchFailed(reason)
    return status
