"""Faults of the network: one class for each of Toxiproxy's toxics, armed on a named link, reverted by themselves.

    with Latency(latency=200, jitter=50).on(links, "database"):
        …                                   # every answer of the database is 150 to 250 ms late

    links   database, aws, meta: between the target and what it needs · target: between the vendors and the target
    units   Toxiproxy's: milliseconds (the slicer's delay: microseconds), KB of 1000 bytes per second

What each does in detail stands in `docs/network.md`.
"""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, ClassVar, Literal, Self

import requests

from harness.errors import HarnessError

Stream = Literal["upstream", "downstream"]

#: The names of all links.
LINKS = ("database", "aws", "meta", "target")

_CALL_LIMIT_S = 5


class LinkControl:
    """The asking side of the proxies' control routes."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = requests.Session()
        self._http.trust_env = False

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One control call.

        Raises:
            HarnessError: the proxy is gone, or refuses.
        """
        try:
            answer = self._http.request(method, f"{self._url}/_golive/{path}", json=body, timeout=_CALL_LIMIT_S)
        except requests.RequestException as error:
            raise HarnessError(f"the network proxy does not answer: {type(error).__name__}") from None
        if not answer.ok:
            raise HarnessError(f"the network proxy refuses {path}: {answer.status_code} {answer.text[:300]}")
        told: dict[str, Any] = answer.json()
        return told

    def link(self, name: str) -> dict[str, Any]:
        """What a link is, what acts on it, how many connections and bytes it has seen."""
        return self.call("GET", f"proxies/{name}")

    def reset(self) -> None:
        """Take every toxic away from every link."""
        self.call("POST", "reset")

    def close(self) -> None:
        """Let the connection go."""
        self._http.close()


class ArmedToxic:
    """A toxic at work; leaving the block takes it away, if it has not gone by itself."""

    def __init__(self, control: LinkControl, link: str, name: str) -> None:
        self._control = control
        self.link = link
        self.name = name

    def acting(self) -> bool:
        """Whether it is still there."""
        return any(one["name"] == self.name for one in self._control.link(self.link)["toxics"])

    def struck(self) -> int:
        """On how many connections it has acted; 0 once it is gone."""
        toxics = self._control.link(self.link)["toxics"]
        return next((int(one["claims"]) for one in toxics if one["name"] == self.name), 0)

    def revert(self) -> None:
        """Take it away; safe to call twice."""
        if self.acting():
            try:
                self._control.call("DELETE", f"proxies/{self.link}/toxics/{self.name}")
            except HarnessError:
                if self.acting():  # else it went by itself between the look and the call
                    raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.revert()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFault:
    """What all toxics have in common; the fields of each are its attributes."""

    toxic: ClassVar[str]

    def on(
        self,
        control: LinkControl,
        link: str,
        *,
        stream: Stream = "downstream",
        toxicity: float = 1.0,
        connections: int | None = None,
        lasts_s: float | None = None,
        seed: int = 0,
    ) -> ArmedToxic:
        """Arm it: on a share of the connections (drawn from the seed), on so many at most, for so long at most.

        Raises:
            HarnessError: there is no such link, or the proxy refuses.
        """
        if link not in LINKS:
            raise HarnessError(f"there is no link {link!r}; there are {', '.join(LINKS)}")
        wish = {
            "type": self.toxic,
            "stream": stream,
            "toxicity": toxicity,
            "attributes": asdict(self),
            "connections": connections,
            "lasts_s": lasts_s,
            "seed": seed,
        }
        return ArmedToxic(control, link, str(control.call("POST", f"proxies/{link}/toxics", wish)["name"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency(NetworkFault):
    """Everything arrives `latency` ± `jitter` ms late."""

    toxic = "latency"
    latency: int = 0
    jitter: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bandwidth(NetworkFault):
    """At most `rate` KB per second."""

    toxic = "bandwidth"
    rate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowClose(NetworkFault):
    """The end of a connection is told `delay` ms late."""

    toxic = "slow_close"
    delay: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetPeer(NetworkFault):
    """The first bytes are swallowed, and `timeout` ms later the connection is reset."""

    toxic = "reset_peer"
    timeout: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout(NetworkFault):
    """Nothing gets through; closed `timeout` ms after it came (0: when it is taken away)."""

    toxic = "timeout"
    timeout: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitData(NetworkFault):
    """Closed after exactly `bytes` bytes."""

    toxic = "limit_data"
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slicer(NetworkFault):
    """Cut into pieces of `average_size` ± `size_variation` bytes, `delay` µs apart."""

    toxic = "slicer"
    average_size: int
    size_variation: int = 0
    delay: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Down(NetworkFault):
    """Nobody is there: open connections are reset, new ones refused."""

    toxic = "down"


#: Every toxic by its name.
FAULTS: dict[str, type[NetworkFault]] = {
    kind.toxic: kind for kind in (Latency, Bandwidth, SlowClose, ResetPeer, Timeout, LimitData, Slicer, Down)
}


def make(toxic: str, **attributes: int) -> NetworkFault:
    """A fault from its name and attributes.

    Raises:
        HarnessError: there is none of that name, or it has other attributes.
    """
    if toxic not in FAULTS:
        close = difflib.get_close_matches(toxic, FAULTS, n=1)
        guess = f" Did you mean {close[0]}?" if close else ""
        raise HarnessError(f"there is no toxic {toxic!r}.{guess} There are {', '.join(FAULTS)}.")
    try:
        return FAULTS[toxic](**attributes)
    except TypeError as error:
        raise HarnessError(f"the toxic {toxic} cannot be made so: {str(error).partition('() ')[2]}") from None
