"""A-01  The dispatch summary counts conversions by gateway and status, and no try twice.

Given  an order that Meta takes only at the second try, one that it takes at once, and one that it never takes
When   all of them have come to their end
Then   v_dispatch_summary holds one `sent` for each of the first two, one `dead_lettered` for the third, and no more
"""

from collections import Counter

import pytest

from harness.testing import Pipeline

SUMMARY = """
SELECT string_agg(line, ', ' ORDER BY line) FROM (
    SELECT gateway || ' ' || status || ' ' || sum(conversions) AS line FROM v_dispatch_summary
    WHERE tenant_id = %(tenant)s GROUP BY gateway, status
) AS lines
"""


@pytest.mark.scenario("A-01", proves=("011.5b/dispatch-summary",))
@pytest.mark.exclusive  # a redrive takes everybody's dead letters
def test_summary_counts_conversions(pipeline: Pipeline) -> None:
    # Given
    retried, plain, poison = (pipeline.gateway(like=name).order() for name in ("stripe", "hotmart", "kiwify"))
    pipeline.meta.arm("brown_out", strikes=1)
    retried.deliver()
    pipeline.meta.wait_until_counted(retried)
    pipeline.meta.disarm()
    pipeline.meta.arm("one_event_refused", strikes=None, order_id=poison.sale_id)
    # When
    for order in (plain, poison):
        order.deliver()
    pipeline.meta.wait_until_counted(plain)
    pipeline.database.wait_for_state(poison, "dead_lettered")
    # Then
    tries = pipeline.database.value("SELECT count(*) FROM dispatch_attempts WHERE tenant_id = %(tenant)s")
    assert tries > 3, f"three orders and a failed try must be more than three attempts; they are {tries}"
    ends = {retried: "sent", plain: "sent", poison: "dead_lettered"}
    counts = Counter(f"{order.gateway.name} {status}" for order, status in ends.items())
    wanted = ", ".join(sorted(f"{which} {count}" for which, count in counts.items()))
    pipeline.database.wait_for_value(SUMMARY, wanted, goal=f"v_dispatch_summary says: {wanted}")
    pipeline.meta.disarm()
    pipeline.target.redrive()
    pipeline.meta.wait_until_counted(poison)
