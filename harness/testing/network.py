"""The network around the target, as a scenario breaks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.faults.network import ArmedToxic, LinkControl, Stream, make
from harness.testing.answers import not_declared

if TYPE_CHECKING:
    from harness.testing.pipeline import Pipeline


class NetworkView:
    """The links of the target: `database`, `aws`, `meta` behind it, `target` before it. For exclusive scenarios only.

    The first look in a run starts the target again behind the proxies; until then nothing stands in its way.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        told = pipeline.info.control.call("network")
        self._why_not: str = told.get("why_not", "")
        self._urls: dict[str, str] = told.get("links", {})
        self._seed = pipeline.info.seed
        self._control = LinkControl(told.get("control_url", ""))

    def arm(
        self,
        link: str,
        toxic: str,
        *,
        stream: Stream = "downstream",
        toxicity: float = 1.0,
        connections: int | None = None,
        lasts_s: float | None = None,
        **attributes: int,
    ) -> ArmedToxic:
        """Break a link with one of Toxiproxy's toxics; as a `with` block it is whole again at the block's end.

        `toxicity` is the share of connections, `connections` how many at most, `lasts_s` how long at most.
        The scenario ends as not observed where the target does not reach that part through a link of ours.
        """
        self.must_have(link)
        return make(toxic, **attributes).on(
            self._control,
            link,
            stream=stream,
            toxicity=toxicity,
            connections=connections,
            lasts_s=lasts_s,
            seed=self._seed,
        )

    def break_next(self, link: str, toxic: str, attributes: Mapping[str, int]) -> ArmedToxic:
        """Break the next connection that is used, and no other."""
        return self.arm(link, toxic, connections=1, stream="downstream", toxicity=1.0, lasts_s=None, **attributes)

    def break_all(self, link: str, toxic: str, attributes: Mapping[str, int]) -> ArmedToxic:
        """Break every connection, as long as the block lasts."""
        return self.arm(link, toxic, stream="downstream", toxicity=1.0, connections=None, lasts_s=None, **attributes)

    def must_have(self, *links: str) -> None:
        """End the scenario as not observed unless these links are there; before anything is done."""
        for link in links:
            if link not in self._urls:
                not_declared(self._why_not or f"the target does not reach its {link} through a link of ours")

    def url(self, link: str) -> str:
        """Where a link is entered: `order.deliver(via=pipeline.network.url("target"))`."""
        self.must_have(link)
        return self._urls[link]

    def seen(self, link: str) -> dict[str, Any]:
        """How many connections (`open`, `accepted`, `refused`) and bytes (`upstream`, `downstream`) it has seen."""
        self.must_have(link)
        told = self._control.link(link)
        return {**told["connections"], **told["bytes"]}

    def close(self) -> None:
        """Whole again, whatever the scenario has left."""
        if self._urls:
            self._control.reset()
        self._control.close()
