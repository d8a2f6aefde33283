"""One HTTP call to Meta's Conversions API. It reports what happened and decides nothing.

Source:
    facts/meta_capi.md section 1 (endpoint, transport, auth).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import requests
from requests.exceptions import InvalidHeader
from urllib3.exceptions import HTTPError, MaxRetryError, NameResolutionError, NewConnectionError

from reference_impl.dispatch.classify import Answer, NoAnswer

_CONNECT_S = 1.0
"""Meta's edge answers a SYN in milliseconds, or is not there."""
_BODY_LIMIT_BYTES = 1024 * 1024
"""Meta's answers are a few hundred bytes; no stranger's page may fill our memory."""


class CapiClient:
    """A keep-alive connection for each thread that uses it: requests does not promise that a session can be shared."""

    def __init__(
        self,
        graph_url: str,
        *,
        version: str,
        timeout_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`graph_url` without a path, as `https://graph.facebook.com`; `timeout_s` until the answer begins,
        and again until it is complete."""
        self._graph_url = graph_url.rstrip("/")
        self._version = version
        self._timeout_s = timeout_s
        self._monotonic_s = monotonic_s
        self._here = threading.local()
        self._sessions: list[requests.Session] = []

    def _session(self) -> requests.Session:
        """This thread's."""
        found: requests.Session | None = getattr(self._here, "session", None)
        if found is None:
            found = self._here.session = requests.Session()
            # What the environment says of proxies and certificates is asked once, as requests would before every call;
            # and no .netrc replaces the token, which requests would let it do.
            said = found.merge_environment_settings(self._graph_url, {}, None, None, None)
            found.proxies, found.verify, found.trust_env = said["proxies"], said["verify"], False
            self._sessions.append(found)
        return found

    def send(self, *, pixel_id: str, token: str, events: Sequence[Mapping[str, Any]]) -> Answer | NoAnswer:
        """POST the events (each as Meta's `data` array wants it) and return what came back; never raises for I/O."""
        body = json.dumps({"data": list(events)}, ensure_ascii=False, separators=(",", ":")).encode()
        try:
            with self._session().post(
                f"{self._graph_url}/{self._version}/{pixel_id}/events",
                data=body,
                # The token in a header: in a URL it would end up in access logs.
                headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
                timeout=(_CONNECT_S, self._timeout_s),
                allow_redirects=False,  # nobody but Meta gets the token
                stream=True,
            ) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, headers, self._content(response))
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            return NoAnswer(left=not _never_left(error), reason=type(error).__name__)

    def _content(self, response: requests.Response) -> bytes:
        """The body, within a limit of bytes and of time: a server that drips must not outlast our lease."""
        deadline = self._monotonic_s() + self._timeout_s
        pieces, size = [], 0
        while size < _BODY_LIMIT_BYTES and (piece := response.raw.read1(65_536, decode_content=True)):
            pieces.append(piece)
            size += len(piece)
            if self._monotonic_s() > deadline:
                raise requests.ReadTimeout("the answer came too slowly")
        return b"".join(pieces)

    def close(self) -> None:
        """Close the connections."""
        for one in self._sessions:
            one.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _never_left(error: BaseException) -> bool:
    """Whether no connection came about, so that Meta cannot have seen the request; or the token fits in no header."""
    if isinstance(error, requests.ConnectTimeout | InvalidHeader | UnicodeError):
        return True
    inner = error.args[0] if error.args else None
    cause = inner.reason if isinstance(inner, MaxRetryError) else inner
    return isinstance(cause, NewConnectionError | NameResolutionError)
