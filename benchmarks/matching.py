"""`make bench-matching`: precision and recall of the reference's matching in a world where the truth is known.

The rules run are the product's own (`reference_impl.domain.matching`), fed as the database feeds them. docs/matching.md
says what is counted. Beside them, in the same world, stand worse rules: a world in which nothing can go wrong proves
nothing.

Exit 0: precision and recall are met, by the lower bound of their 95 % intervals, and no worse rule meets both. Exit 1:
not so.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from matching_world import WINDOW_S, Click, Contact, Sale, Truth, World, make

from reference_impl.domain import matching
from reference_impl.domain.conversion import Trail
from reference_impl.domain.matching import Candidate, best_match

PRECISION, RECALL = 0.99, 0.95
Rule = Callable[[World], dict[int, str]]
"""A world to the click that each buyer's sale was matched to."""


@dataclass(slots=True)
class Memory:
    """What is known of the clicks so far, found by each identifier as the product's SQL finds it."""

    clicks: dict[str, Candidate] = field(default_factory=dict)
    devices: dict[str, int] = field(default_factory=dict)
    addresses: dict[str, int] = field(default_factory=dict)
    by: dict[tuple[str, object], set[str]] = field(default_factory=dict)

    def see(self, click: Click) -> None:
        """A click came in."""
        self.clicks[click.click_id] = Candidate(
            click_id=click.click_id, clicked_at_s=click.at_s, fbclid=click.fbclid, fbp=f"fb.1.1.{click.device}"
        )
        self.index("fbclid", click.fbclid, click.click_id)
        self.index("device", click.device, click.click_id)
        self.index("address", click.address, click.click_id)

    def index(self, name: str, value: object, click_id: str) -> None:
        """Let a click be found by a value."""
        if value is not None:
            self.by.setdefault((name, value), set()).add(click_id)

    def hear(self, contact: Contact, after: Callable[[matching.Contact, matching.Contact], matching.Contact]) -> None:
        """Somebody left themselves at a click's checkout."""
        known = self.clicks[contact.click_id]
        now = after(matching.Contact(em=known.em, ph=known.ph), matching.Contact(em=contact.email, ph=contact.phone))
        self.clicks[contact.click_id] = Candidate(
            click_id=known.click_id,
            clicked_at_s=known.clicked_at_s,
            fbclid=known.fbclid,
            fbp=known.fbp,
            em=now.em,
            ph=now.ph,
        )
        self.index("em", now.em, contact.click_id)
        self.index("ph", now.ph, contact.click_id)

    def candidates(self, sale: Sale, *more: tuple[str, object]) -> list[Candidate]:
        """Every click that shares an identifier with the sale, newest first, fifty at most."""
        asked = (("fbclid", sale.fbclid), ("em", sale.email), ("ph", sale.phone), *more)
        names = {name for one in asked if one[1] is not None for name in self.by.get(one, ())}
        if sale.click_id in self.clicks:
            names.add(str(sale.click_id))
        found = [self.clicks[name] for name in names]
        # What it was once told and no longer holds is not found any more, as in a table.
        held = [one for one in found if _shares(one, sale) or more]
        return sorted(held, key=lambda one: -one.clicked_at_s)[:50]


def _shares(one: Candidate, sale: Sale) -> bool:
    pairs = ((one.click_id, sale.click_id), (one.fbclid, sale.fbclid), (one.em, sale.email), (one.ph, sale.phone))
    return any(mine is not None and mine == theirs for mine, theirs in pairs)


def play(
    world: World, choose: Callable[[Memory, Sale], str | None], *, after: Callable[..., matching.Contact]
) -> dict[int, str]:
    """Let the world happen, and match every sale in the moment in which it comes."""
    memory, matched = Memory(), dict[int, str]()
    for event in world.events:
        match event:
            case Click():
                memory.see(event)
            case Contact():
                memory.hear(event, after)
            case Sale():
                if found := choose(memory, event):
                    matched[event.buyer] = found
    return matched


def _product(memory: Memory, sale: Sale) -> str | None:
    found = best_match(
        memory.candidates(sale),
        paid_at_s=int(sale.at_s),
        paid_within_s=1,
        window_s=WINDOW_S,
        trail=Trail(click_id=sale.click_id, fbclid=sale.fbclid),
        em=sale.email,
        ph=sale.phone,
    )
    return found.candidate.click_id if found else None


def _inside(candidates: Iterable[Candidate], sale: Sale) -> list[Candidate]:
    return [one for one in candidates if sale.at_s - WINDOW_S <= one.clicked_at_s <= sale.at_s]


def _by_rank(candidates: Sequence[Candidate], sale: Sale, *, first: bool = False) -> str | None:
    """The spec's order of identifiers and nothing else: every cookie is believed."""
    for mine, theirs in (("click_id", sale.click_id), ("fbclid", sale.fbclid), ("em", sale.email), ("ph", sale.phone)):
        same = [one for one in candidates if theirs is not None and getattr(one, mine) == theirs]
        if same:
            return (min if first else max)(same, key=lambda one: one.clicked_at_s).click_id
    return None


def _believing(memory: Memory, sale: Sale) -> str | None:
    return _by_rank(_inside(memory.candidates(sale), sale), sale)


def _first_touch(memory: Memory, sale: Sale) -> str | None:
    own = _inside(memory.candidates(sale), sale)
    start = _by_rank(own, sale)
    devices = {memory.clicks[start].fbp} if start else set()
    same = [one for name in _on(memory, devices) for one in _inside([memory.clicks[name]], sale)]
    return min(same, key=lambda one: one.clicked_at_s).click_id if same else start


def _on(memory: Memory, devices: Iterable[str | None]) -> Iterable[str]:
    return [name for fbp in devices if fbp for name in memory.by.get(("device", int(fbp.rpartition(".")[2])), ())]


def _by_address(memory: Memory, sale: Sale) -> str | None:
    found = _product(memory, sale)
    if found:
        return found
    near = _inside((memory.clicks[name] for name in memory.by.get(("address", sale.address), ())), sale)
    return max(near, key=lambda one: one.clicked_at_s).click_id if near else None


def _no_window(memory: Memory, sale: Sale) -> str | None:
    return _by_rank([one for one in memory.candidates(sale) if one.clicked_at_s <= sale.at_s], sale)


def _any_time(memory: Memory, sale: Sale) -> str | None:
    return _by_rank(memory.candidates(sale), sale)


def _ids_only(memory: Memory, sale: Sale) -> str | None:
    return sale.click_id if sale.click_id in memory.clicks else None


def _last_word(known: matching.Contact, told: matching.Contact) -> matching.Contact:
    return matching.Contact(em=told.em or known.em, ph=told.ph or known.ph)


def _afterwards(world: World) -> dict[int, str]:
    """Matched at the end of the world, and with clicks after the payment: what a nightly job would do."""
    memory = Memory()
    sales: list[Sale] = []
    for event in world.events:
        if isinstance(event, Click):
            memory.see(event)
        elif isinstance(event, Contact):
            memory.hear(event, _last_word)
        else:
            sales.append(event)
    return {one.buyer: found for one in sales if (found := _any_time(memory, one))}


RULES: dict[str, Rule] = {
    "the product's": lambda world: play(world, _product, after=matching.contact_after),
    "every cookie believed": lambda world: play(world, _believing, after=_last_word),
    "first touch": lambda world: play(world, _first_touch, after=matching.contact_after),
    "by address where nothing else fits": lambda world: play(world, _by_address, after=matching.contact_after),
    "without a window": lambda world: play(world, _no_window, after=_last_word),
    "clicks after the payment too": _afterwards,
    "click ids only": lambda world: play(world, _ids_only, after=matching.contact_after),
}


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, with its 95 % interval (Wilson)."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """Between 0 and 1."""
        return self.hits / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound."""
        if not self.of:
            return (0.0, 1.0)
        z, n, p = 1.959964, self.of, self.value
        middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return ((middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n))

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:7.2%} [{low:.2%}, {high:.2%}] of {self.of:,}"


@dataclass(frozen=True, slots=True)
class Score:
    """How a rule did in a world."""

    precision: Share
    """Of its matches, those that are the last of the buyer's own clicks to which an identifier still led."""
    recall: Share
    """Of the buyers who have such a click, those who were matched to it."""
    very_last: Share
    """Of its matches, those that are the buyer's very last click, though nothing may lead to that; for comparison."""

    @property
    def met(self) -> bool:
        """Both, by their lower bounds."""
        return self.precision.interval[0] >= PRECISION and self.recall.interval[0] >= RECALL


def score(truths: Sequence[Truth], matched: dict[int, str]) -> Score:
    """Count."""
    findable = [one for one in truths if one.findable]
    right = sum(matched.get(one.sale.buyer) == one.findable for one in findable)
    last = sum(one.last is not None and matched.get(one.sale.buyer) == one.last for one in truths)
    return Score(Share(right, len(matched)), Share(right, len(findable)), Share(last, len(matched)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description="Precision and recall of the matching, in a world of known truth.")
    parser.add_argument("--buyers", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of the table")
    asked = parser.parse_args(arguments)
    world = make(asked.seed, buyers=asked.buyers)
    truths = list(world.truths())
    began = time.perf_counter()
    scores = {name: score(truths, rule(world)) for name, rule in RULES.items()}
    took_s = time.perf_counter() - began
    product, worse = scores["the product's"], {name: one for name, one in scores.items() if name != "the product's"}
    good = product.met and not any(one.met for one in worse.values())
    if asked.json:
        print(json.dumps(_as_json(asked, scores, good)))
        return 0 if good else 1
    print(f"{asked.buyers:,} buyers, seed {asked.seed}, {len(world.events):,} events, {took_s:.1f} s")
    print(f"{'rule':36}  {'precision (target 99 %)':38}  {'recall (target 95 %)':38}  very last click")
    for name, one in scores.items():
        print(f"{name:36}  {one.precision!s:38}  {one.recall!s:38}  {one.very_last.value:.2%}")
    below = sum(not one.met for one in worse.values())
    print("met" if product.met else "NOT met", f"by the product's rule; {below} of {len(worse)} worse rules are not")
    return 0 if good else 1


def _as_json(asked: argparse.Namespace, scores: dict[str, Score], good: bool) -> dict[str, object]:
    def figures(share: Share) -> dict[str, object]:
        return {"value": share.value, "ci95": list(share.interval), "hits": share.hits, "of": share.of}

    rules = {
        name: {"precision": figures(one.precision), "recall": figures(one.recall), "very_last": figures(one.very_last)}
        for name, one in scores.items()
    }
    return {"buyers": asked.buyers, "seed": asked.seed, "good": good, "rules": rules}


if __name__ == "__main__":
    sys.exit(main())
