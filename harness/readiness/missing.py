"""What is missing for a GO, and who can supply it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.readiness.plan import Plan
from harness.records import PlanRow, RowState

_SETTLED = (RowState.MET, RowState.ATTESTED, RowState.WAIVED, RowState.OUT_OF_SCOPE)

_SHOWN = 3
_SUPPLY = {
    "scenario": "QA, with `golive run` against a target whose file names its probes",
    "load": "QA, with `golive load baseline`",
}


def by_supplier(plan: Plan, judged: Sequence[PlanRow]) -> dict[str, list[PlanRow]]:
    """Who can supply it → the rows that are not settled, in the plan's order.

    Rows that follow from others are left out: they settle themselves, and would ask twice for the same thing.
    """
    found: dict[str, list[PlanRow]] = {}
    for one in judged:
        row = plan.rows[one.id]
        if one.state not in _SETTLED and not row.all_of:
            found.setdefault(row.who or _SUPPLY.get(row.how, "QA"), []).append(one)
    return found


def headline(plan: Plan, judged: Sequence[PlanRow]) -> str:
    """One line for a launch that is not known to be ready, where nothing was seen broken."""
    groups = by_supplier(plan, judged)
    rows = sum(map(len, groups.values()))
    in_scope = sum(one.state is not RowState.OUT_OF_SCOPE for one in judged)
    return f"NO GO: {rows} of {in_scope} rows are not supplied, by {len(groups)} who can; nothing was seen broken"


def _more(rows: Sequence[PlanRow]) -> str:
    return f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""


def steps(plan: Plan, judged: Sequence[PlanRow]) -> tuple[str, ...]:
    """One step for each of those who can supply something; the command lists all of their rows."""
    return tuple(
        f"Ask {who} ({len(rows)}): {', '.join(row.id for row in rows[:_SHOWN])}{_more(rows)}"
        for who, rows in by_supplier(plan, judged).items()
    )
