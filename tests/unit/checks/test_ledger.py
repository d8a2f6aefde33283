"""The ledger accounts for every delivery, and says what it cannot explain."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from harness.checks.ledger import close
from harness.records import Arrival, Conversion, ConversionState, Delivery, Ledger
from tests.rows import each_row

SENT = Delivery(
    scenario="S",
    tenant="t",
    gateway="stripe",
    dialect="vendor",
    event="approved",
    meaning="purchase",
    sale="pi_1",
    buyer_keys=("em1", "ph1"),
    status=202,
    answer_ms=1.0,
    sent_at_s=0.0,
    wire_sha256="",
)
SEEN = Arrival(
    event_id="e1", event_name="Purchase", order_id="pi_1", keys=("em1",), counted=True, refused=False, at_s=1.0
)
STORED = Conversion(sale="pi_1", gateway="stripe", event_id="e1", state="delivered")


def test_a_sale_that_meta_counted_once_is_delivered() -> None:
    """One webhook, one conversion, one event: the ledger closes."""
    closing = close([SENT], [SEEN], [STORED])
    assert closing.findings == ()
    assert closing.ledger == Ledger(deliveries=1, accepted=1, delivered=1)
    assert closing.ledger.closed


def test_a_second_delivery_of_a_sale_is_a_duplicate() -> None:
    """Two accepted webhooks of one sale are one conversion and one duplicate."""
    closing = close([SENT, SENT], [SEEN], [STORED])
    assert (closing.ledger.accepted, closing.ledger.duplicate, closing.ledger.delivered) == (2, 1, 1)


def test_a_twin_on_its_way_is_waited_for() -> None:
    """Two rows of one sale: Meta has counted one, and will be told of the other."""
    closing = close([SENT], [SEEN], [STORED, replace(STORED, state="pending")])
    assert (closing.ledger.delivered, closing.ledger.pending) == (0, 1)
    one_row = close([SENT], [SEEN], [replace(STORED, state="pending")])
    assert one_row.ledger.closed, "the target may be about to write down what Meta has counted"


def test_the_targets_word_is_not_enough() -> None:
    """A conversion that the target calls delivered and Meta never counted is lost."""
    closing = close([SENT], [], [STORED])
    assert closing.ledger.lost == 1
    assert "Meta never counted it" in closing.findings[0]


def test_an_accepted_sale_that_is_nowhere_is_lost() -> None:
    """Acknowledged before commit: a 202, and no row."""
    closing = close([SENT], [], [])
    assert closing.ledger.lost == 1
    assert "nowhere" in closing.findings[0]


def test_a_retry_under_another_event_id_is_counted_twice() -> None:
    """A random event id makes Meta count a retry again."""
    closing = close([SENT], [SEEN, replace(SEEN, event_id="e2")], [STORED])
    assert closing.ledger.doubled == 1
    assert "counted 2 times" in closing.findings[0]


def test_what_meta_called_a_duplicate_is_not_doubled() -> None:
    """Received twice under one event id is one purchase for Meta."""
    closing = close([SENT], [SEEN, replace(SEEN, counted=False)], [STORED])
    assert closing.ledger.doubled == 0
    assert closing.findings == ()


def test_a_refused_webhook_that_reaches_meta_is_reported() -> None:
    """A Purchase that no accepted webhook explains came from somewhere it must not."""
    closing = close([replace(SENT, status=401)], [SEEN], [])
    assert closing.ledger.rejected == 1
    assert "no accepted webhook explains" in closing.findings[0]


def test_an_unanswered_webhook_may_have_been_committed() -> None:
    """A time-out promises nothing, and an arrival after it is no surprise."""
    closing = close([replace(SENT, status=None, answer_ms=None)], [SEEN], [STORED])
    assert closing.ledger == Ledger(deliveries=1, unanswered=1)
    assert closing.findings == ()


def test_an_unanswered_sale_that_meta_counts_twice_is_doubled() -> None:
    """Nothing promised, but twice is still a lie to the auction."""
    closing = close([replace(SENT, status=None)], [SEEN, replace(SEEN, event_id="e2")], [STORED])
    assert closing.ledger.doubled == 1


@each_row("state", ["dead_lettered", "expired", "suppressed", "held"])
def test_every_known_end_closes_the_ledger(state: ConversionState) -> None:
    """A conversion may end elsewhere than at Meta, if the target can say where."""
    closing = close([SENT], [], [replace(STORED, state=state)])
    assert getattr(closing.ledger, state) == 1
    assert closing.ledger.closed


def test_a_pending_sale_keeps_the_ledger_open() -> None:
    """On its way is not there yet."""
    closing = close([SENT], [], [replace(STORED, state="pending")])
    assert closing.ledger.pending == 1
    assert not closing.ledger.closed


def test_two_sales_of_one_buyer_are_told_apart_by_their_ids() -> None:
    """A renewal has the same buyer; each arrival belongs to the sale it names."""
    renewal = replace(SENT, sale="pi_2")
    both = [SEEN, replace(SEEN, order_id="pi_2", event_id="e2")]
    closing = close([SENT, renewal], both, [STORED, replace(STORED, sale="pi_2")])
    assert closing.ledger.delivered == 2
    assert closing.ledger.doubled == 0


def test_two_sales_of_one_buyer_without_ids_share_the_arrivals_fairly() -> None:
    """A target that sends no order id is matched by the buyer: two events for two sales double nothing."""
    renewal = replace(SENT, sale="pi_2")
    both = [replace(SEEN, order_id=None), replace(SEEN, order_id=None, event_id="e2")]
    closing = close([SENT, renewal], both, None)
    assert (closing.ledger.delivered, closing.ledger.doubled, closing.ledger.lost) == (2, 0, 0)


DELIVERIES = st.builds(
    Delivery,
    scenario=st.just("S"),
    tenant=st.just("t"),
    gateway=st.just("stripe"),
    dialect=st.just("vendor"),
    event=st.just("approved"),
    meaning=st.sampled_from(["purchase", "reversal", "ignored"]),
    sale=st.sampled_from(["a", "b", "c"]),
    buyer_keys=st.just(()),
    status=st.sampled_from([202, 401, 503, None]),
    answer_ms=st.just(None),
    sent_at_s=st.just(0.0),
    wire_sha256=st.just(""),
)
ARRIVALS = st.builds(
    Arrival,
    event_id=st.sampled_from(["1", "2"]),
    event_name=st.just("Purchase"),
    order_id=st.sampled_from(["a", "b", "c", "z"]),
    keys=st.just(()),
    counted=st.booleans(),
    refused=st.just(False),
    at_s=st.just(0.0),
)
CONVERSIONS = st.none() | st.lists(
    st.builds(
        Conversion,
        sale=st.sampled_from(["a", "b", "c"]),
        gateway=st.just("stripe"),
        event_id=st.just("1"),
        state=st.sampled_from(["delivered", "dead_lettered", "expired", "suppressed", "held", "pending"]),
    )
)


@given(st.lists(DELIVERIES, max_size=8), st.lists(ARRIVALS, max_size=6), CONVERSIONS)
def test_the_sums_always_hold(
    deliveries: list[Delivery], arrivals: list[Arrival], conversions: list[Conversion] | None
) -> None:
    """Whatever happened, every delivery stands in exactly one place, and red always has a sentence."""
    closing = close(deliveries, arrivals, conversions)
    book = closing.ledger
    assert book.deliveries == book.unanswered + book.rejected + book.accepted
    ends = book.delivered + book.dead_lettered + book.expired + book.suppressed + book.held + book.pending + book.lost
    assert book.conversions == ends
    if not book.closed:
        assert closing.findings
