"""M-01  Whatever happens, in whatever order, each sale ends where it must.

Given  stories that nobody has written: sales of all gateways, twins, refunds, consent taken back, faults of Meta, dead
       tokens, flags, killed processes, drawn from the run's seed, each with tenants of its own
When   each is told to the running pipeline
Then   at every barrier each sale is counted once, or suppressed, held, expired or dead-lettered for its reason; each
       has one event id, the breaker is open while Meta fails and closed when it is well, and the ledger closes
"""

import pytest

from harness.testing import Model


@pytest.mark.scenario("M-01", proves=("011.3/retry", "011.3/breaker"))
@pytest.mark.exclusive
def test_model_keeps_every_promise(model: Model) -> None:
    model.explore()
