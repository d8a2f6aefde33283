"""The saboteurs as files: their names, stories and claims are read, never imported."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

#: In the place of a scenario's id: the hunt for personal data at a run's end.
HUNT = "HUNT"
#: Where the last whole proof is told, beside the runs.
PROOF = "prove.json"
_CLAIM = "CAUGHT_BY"
_TRAFFIC = "TRAFFIC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saboteur:
    """One way of breaking the reference, and who claims to see it."""

    name: str
    story: str
    caught_by: tuple[str, ...]
    """Keys of scenarios, `G-01[stripe-vendor]`, or HUNT; each must turn red."""
    traffic: tuple[str, ...] = ()
    """Scenarios that only give HUNT something to find."""

    @property
    def scenarios(self) -> tuple[str, ...]:
        """What pytest has to run."""
        return (*(one for one in self.caught_by if one != HUNT), *self.traffic)


def registry(home: Path) -> tuple[Saboteur, ...]:
    """Every saboteur in that folder, by name.

    Raises:
        HarnessError: a file says no story or claims nothing.
    """
    return tuple(_read(path) for path in sorted(home.glob("*.py")) if not path.name.startswith("_"))


def _read(path: Path) -> Saboteur:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    story = (ast.get_docstring(tree) or "").strip().partition("\n")[0]
    caught_by, traffic = _constant(tree, _CLAIM), _constant(tree, _TRAFFIC) or ()
    if not story or not _are_keys(caught_by) or (traffic and not _are_keys(traffic)):
        raise HarnessError(f"{path} is no saboteur: it needs a docstring and {_CLAIM}, a tuple of scenarios' keys.")
    return Saboteur(name=path.stem.replace("_", "-"), story=story, caught_by=caught_by, traffic=traffic)


def _constant(tree: ast.Module, name: str) -> Any:
    """What the file's first line `NAME = literal` says; None where there is none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == [name]:
            try:
                return ast.literal_eval(node.value)
            except ValueError:
                return None
    return None


def _are_keys(value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(one, str) for one in value)


def unknown_claims(saboteurs: Iterable[Saboteur], known: Iterable[str]) -> list[str]:
    """A sentence for each claim on a scenario that there is not."""
    keys = set(known)
    return [
        f"{one.name} claims to be caught by {claim}, and there is no such scenario"
        for one in saboteurs
        for claim in one.scenarios
        if claim not in keys
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of one saboteur."""

    saboteur: Saboteur
    red: tuple[str, ...] = ()
    """Scenarios that failed or raised a concern, and HUNT if it found something."""
    green: tuple[str, ...] = ()
    unobserved: tuple[str, ...] = ()
    """Scenarios that were skipped."""
    why: str = ""
    """The first red scenario's own words."""
    errors: tuple[str, ...] = ()
    """What was the harness's fault, a target process that died included."""
    bites: int = 0
    """Processes in which the broken code ran."""
    seconds: float = 0.0
    any_will_do: bool = False
    """Whether one red scenario is enough: with --full they have not all claimed to see it."""

    @property
    def missed_by(self) -> tuple[str, ...]:
        """Who claimed to catch it, and did not."""
        return tuple(claim for claim in self.saboteur.caught_by if claim not in self.red)

    @property
    def outcome(self) -> str:
        """`caught`, `missed`, `no bite`, or `error`."""
        if self.errors:
            return "error"
        if not self.bites:
            return "no bite"
        if self.any_will_do:
            return "caught" if self.red else "missed"
        return "missed" if self.missed_by else "caught"


def last_proof(path: Path, *, commit: str) -> dict[str, int]:
    """What the last whole `golive prove` of this very commit says: `{"caught", "total"}`; zeros if there was none."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["commit"] == commit and commit != "unknown":
            return {"caught": int(told["caught"]), "total": int(told["total"])}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"caught": 0, "total": 0}


def exit_code(trials: Sequence[Trial]) -> int:
    """0 all caught · 1 one was not · 2 nothing can be said: one did not bite, or the harness failed."""
    outcomes = {one.outcome for one in trials}
    if not trials or outcomes & {"error", "no bite"}:
        return 2
    return 1 if "missed" in outcomes else 0
