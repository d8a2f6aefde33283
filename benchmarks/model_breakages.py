"""The reference, broken at start-up in one way, for benchmarks/model.py: `python model_breakages.py NAME web …`.

Each is a bug that real pipelines had. Nothing of the reference's code is changed: what is patched is patched in this
process. A patch says on standard error that it has struck, so that one that never bit is not taken for one that was not
found.
"""

# ruff: noqa: PLC0415 -- each breakage imports what it breaks
from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
import threading
import uuid
from collections.abc import Callable
from typing import Any

BITTEN: set[str] = set()


def bite(name: str) -> None:
    """Say once that the patch has been executed."""
    if name not in BITTEN:
        BITTEN.add(name)
        print(f"BREAKAGE {name} has bitten", file=sys.stderr, flush=True)


def dedupe_by_payload() -> None:
    """A second webhook of the same sale with other bytes is another sale."""
    from flask import request

    from reference_impl.db import conversions

    genuine, seen = conversions.record_purchase, {}

    def record(connection: Any, arrived: Any, draft: Any) -> Any:
        digest = hashlib.sha256(request.get_data()).hexdigest()[:8]
        first = seen.setdefault((arrived.tenant, arrived.gateway, draft.purchase.sale_id), digest)
        if first != digest:
            bite("dedupe_by_payload")
            sale = dataclasses.replace(draft.purchase, sale_id=f"{draft.purchase.sale_id}-{digest}")
            draft = dataclasses.replace(draft, purchase=sale)
        return genuine(connection, arrived, draft)

    conversions.record_purchase = record


def random_ids() -> None:
    """Each try is told under a new event id, so that Meta cannot know it again."""
    from reference_impl.dispatch import commands

    genuine = commands._to_event

    def to_event(*args: Any) -> Any:
        bite("random_ids")
        return {**genuine(*args), "event_id": uuid.uuid4().hex}

    commands._to_event = to_event


def acknowledged_before_commit() -> None:
    """202 first, and the work in a thread behind it."""
    import psycopg

    from reference_impl.db import conversions

    genuine = conversions.record_purchase

    def record(_: Any, arrived: Any, draft: Any) -> Any:
        bite("acknowledged_before_commit")

        def later() -> None:
            with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
                genuine(connection, arrived, draft)

        threading.Timer(0.25, later).start()
        return "accepted"

    conversions.record_purchase = record


def delete_before_send() -> None:
    """The message is deleted as soon as it is received, and nobody looks for what has none."""
    from reference_impl.dispatch import strays
    from reference_impl.dispatch.queue import Queue

    genuine = Queue.receive

    def receive(self: Any, **options: Any) -> Any:
        messages = genuine(self, **options)
        if messages:
            bite("delete_before_send")
            self.delete(messages)
        return messages

    Queue.receive = receive
    strays.recover = lambda *_, **__: None


def unknown_is_success() -> None:
    """No answer is taken for a good one."""
    from reference_impl.dispatch.classify import Kind

    _reclassify("unknown_is_success", lambda kind: Kind.SENT if kind is Kind.UNKNOWN else kind)


def nothing_is_retried() -> None:
    """Whatever Meta says that is no success is final."""
    from reference_impl.dispatch.classify import Kind

    ill = (Kind.RETRY, Kind.UNKNOWN, Kind.THROTTLED)
    _reclassify("nothing_is_retried", lambda kind: Kind.POISON if kind in ill else kind)


def dead_token_is_final() -> None:
    """What a dead token keeps from being sent goes to the dead letters."""
    from reference_impl.dispatch.classify import Kind

    _reclassify("dead_token_is_final", lambda kind: Kind.POISON if kind is Kind.TOKEN else kind)


def _reclassify(name: str, other: Callable[[Any], Any]) -> None:
    from reference_impl.dispatch import sender

    genuine = sender.classify

    def classify(*args: Any, **options: Any) -> Any:
        outcome = genuine(*args, **options)
        if other(outcome.kind) is not outcome.kind:
            bite(name)
        return dataclasses.replace(outcome, kind=other(outcome.kind))

    sender.classify = classify


def breaker_never_closes() -> None:
    """A life sign changes nothing."""
    from reference_impl.dispatch import breaker_store

    def after_life_sign(breaker: Any, **_: bool) -> Any:
        if breaker.state != "closed":
            bite("breaker_never_closes")
        return breaker

    breaker_store.after_life_sign = after_life_sign


def breaker_never_opens() -> None:
    """Failures are counted and mean nothing."""
    from reference_impl.dispatch import breaker_store

    genuine = breaker_store.after_failure

    def after_failure(*args: Any, **options: Any) -> Any:
        bite("breaker_never_opens")
        return dataclasses.replace(genuine(*args, **options), state="closed")

    breaker_store.after_failure = after_failure


def refund_ignored() -> None:
    """Money that goes back is answered with 202 and forgotten."""
    from reference_impl.db import conversions

    def record(*_: Any) -> Any:
        bite("refund_ignored")
        return "accepted"

    conversions.record_reversal = record


def batch_lost_with_one() -> None:
    """One event that Meta does not take sends its whole batch to the dead letters."""
    from reference_impl.dispatch import sender
    from reference_impl.dispatch.classify import Kind

    genuine = sender._Round._settle

    def settle(self: Any, batch: Any, call: Any, token: Any) -> Any:
        if call.outcome.kind is Kind.POISON and len(batch) > 1:
            bite("batch_lost_with_one")
            self._sender.bury(self._connection, batch, call.outcome.reason, call)
            return token
        return genuine(self, batch, call, token)

    sender._Round._settle = settle


def dedupe_across_tenants() -> None:
    """A sale that another tenant has had already is a duplicate."""
    from reference_impl.db import conversions

    genuine = conversions.record_purchase
    query = (
        "SELECT 1 FROM dedupe_registry WHERE gateway = %s AND sale_id = %s AND kind = 'purchase' AND tenant_id <> %s"
    )

    def record(connection: Any, arrived: Any, draft: Any) -> Any:
        found = connection.execute(query, [arrived.gateway, draft.purchase.sale_id, arrived.tenant]).fetchone()
        if found:
            bite("dedupe_across_tenants")
            return "duplicate"
        return genuine(connection, arrived, draft)

    conversions.record_purchase = record


def consent_ignored() -> None:
    """Who takes their consent back is told to Meta all the same."""
    from reference_impl.db import conversions
    from reference_impl.dispatch import store

    def denied(*_: Any) -> bool:
        bite("consent_ignored")
        return False

    conversions.denied = denied
    genuine = store.claim

    def claim(*args: Any, **options: Any) -> Any:
        return [dataclasses.replace(one, refused=False) for one in genuine(*args, **options)]

    store.claim = claim


BREAKAGES: dict[str, Callable[[], None]] = {
    one.__name__: one
    for one in (
        dedupe_by_payload,
        random_ids,
        acknowledged_before_commit,
        delete_before_send,
        unknown_is_success,
        breaker_never_closes,
        refund_ignored,
        batch_lost_with_one,
        nothing_is_retried,
        dedupe_across_tenants,
        breaker_never_opens,
        dead_token_is_final,
        consent_ignored,
    )
}
"""The first ten are those of the issue's number; the others are told beside them."""


if __name__ == "__main__":
    BREAKAGES[sys.argv[1]]()
    sys.argv = ["reference_impl", *sys.argv[2:]]
    from reference_impl.__main__ import main

    sys.exit(main())
