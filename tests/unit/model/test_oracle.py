"""What must come of a sale: exactly one state where facts do not race, more where they do."""

from harness.model.oracle import Oracle, Sale, Seen
from tests.rows import each_row


def oracle(**changes: object) -> Oracle:
    one = Oracle()
    one.introduce("s1", Sale(tenant=0, gateway="stripe", **changes))  # type: ignore[arg-type]
    return one


def heard(**changes: object) -> Oracle:
    one = oracle(**changes)
    one.told("s1", answered=True)
    return one


def test_nobody_told_nothing_may_be_there() -> None:
    assert oracle().allowed("s1") == {"absent"}
    assert oracle().judge("s1", Seen(stored="pending", counted=0)).verdict == "wrong"


@each_row(
    ("changes", "state"),
    [({}, "counted"), ({"old": True}, "expired"), ({"poisoned": True}, "dead_lettered")],
)
def test_an_accepted_sale_has_one_end(changes: dict[str, object], state: str) -> None:
    assert heard(**changes).allowed("s1") == {state}


def test_no_answer_promises_nothing_and_forbids_nothing() -> None:
    one = oracle()
    one.told("s1", answered=False)
    assert one.allowed("s1") == {"counted", "absent"}
    one.told("s1", answered=True)
    assert one.allowed("s1") == {"counted"}


def test_a_refund_before_the_purchase_suppresses_it() -> None:
    one = oracle()
    one.stopped("s1", answered=True)
    one.told("s1", answered=True)
    assert one.allowed("s1") == {"suppressed"}


def test_a_refund_that_was_not_answered_may_have_been_taken() -> None:
    one = oracle()
    one.stopped("s1", answered=False)
    one.told("s1", answered=True)
    assert one.allowed("s1") == {"suppressed", "counted"}


def test_a_refund_that_races_the_dispatch_may_come_too_late() -> None:
    one = heard()
    one.stopped("s1", answered=True)
    assert one.allowed("s1") == {"suppressed", "counted"}


@each_row("block", [("relay", ""), ("consumer", ""), ("ill", "0"), ("token", "0"), ("hold", "0/stripe")])
def test_a_refund_while_nothing_gets_through_suppresses(block: tuple[str, str]) -> None:
    one = oracle()
    one.block(*block)  # type: ignore[arg-type]
    one.told("s1", answered=True)
    assert one.allowed("s1") in ({"unsent"}, {"held"})
    one.stopped("s1", answered=True)
    one.unblock(*block)  # type: ignore[arg-type]
    assert one.allowed("s1") == {"suppressed"}


@each_row("block", [("ill", "1"), ("token", "1"), ("hold", "0/kiwify")])
def test_another_tenants_trouble_holds_nothing_back(block: tuple[str, str]) -> None:
    one = oracle()
    one.block(*block)  # type: ignore[arg-type]
    one.told("s1", answered=True)
    assert one.allowed("s1") == {"counted"}


def test_what_is_held_back_stays_so_when_one_trouble_follows_another() -> None:
    one = oracle()
    one.block("relay")
    one.told("s1", answered=True)
    one.block("ill", "0")
    one.unblock("relay")
    one.stopped("s1", answered=True)
    one.unblock("ill", "0")
    assert one.allowed("s1") == {"suppressed"}


def test_trouble_that_began_after_the_sale_may_have_been_too_late() -> None:
    one = heard()
    one.block("ill", "0")
    assert one.allowed("s1") == {"counted", "unsent"}
    one.unblock("ill", "0")
    assert one.allowed("s1") == {"counted"}


def test_a_dead_token_holds_and_a_dead_relay_cannot() -> None:
    one = oracle()
    one.block("token", "0")
    one.told("s1", answered=True)
    assert one.allowed("s1") == {"held"}
    one.block("relay")
    assert one.allowed("s1") == {"unsent"}


def test_an_end_is_the_end() -> None:
    one = heard()
    one.settled("s1", Seen(stored="delivered", counted=1))
    one.stopped("s1", answered=True)
    assert one.allowed("s1") == {"counted"}
    assert one.judge("s1", Seen(stored="suppressed", counted=0)).verdict == "wrong"


@each_row(
    ("seen", "verdict"),
    [
        (Seen(stored="delivered", counted=1), "right"),
        (Seen(stored="queued", counted=1), "wait"),
        (Seen(stored="pending", counted=0), "wait"),
        (Seen(stored="held", counted=0), "wait"),
        (Seen(stored="delivered", counted=0), "wrong"),
        (Seen(stored="delivered", counted=2), "wrong"),
        (Seen(stored=None, counted=0), "wrong"),
        (Seen(stored="dead_lettered", counted=0), "wrong"),
        (Seen(stored="suppressed", counted=0), "wrong"),
    ],
)
def test_a_sale_that_must_be_counted_is_judged(seen: Seen, verdict: str) -> None:
    assert heard().judge("s1", seen).verdict == verdict


def test_a_suppressed_sale_that_meta_counts_is_wrong_at_once() -> None:
    one = oracle()
    one.stopped("s1", answered=True)
    one.told("s1", answered=True)
    judged = one.judge("s1", Seen(stored="delivered", counted=1))
    assert (judged.verdict, judged.why) == ("wrong", "counted by Meta; right is: suppressed")


def test_counted_with_the_sender_dead_is_right_whatever_the_target_says_yet() -> None:
    one = heard()
    one.block("consumer")
    assert one.judge("s1", Seen(stored="queued", counted=1)).verdict == "right"


def test_only_ill_meta_alone_must_open_the_breaker() -> None:
    one = oracle()
    one.block("ill", "0")
    one.told("s1", answered=True)
    assert one.waits_for_meta(0)
    one.block("relay")
    assert not one.waits_for_meta(0)


def test_a_new_sale_is_blocked_by_what_concerns_its_tenant() -> None:
    one = Oracle()
    assert not one.is_blocked(0)
    one.block("ill", "1")
    assert not one.is_blocked(0)
    assert one.is_blocked(1)
    one.block("hold", "1/kiwify")
    assert one.is_blocked(0)


def test_what_was_held_back_is_counted_once_it_gets_through() -> None:
    one = oracle()
    one.block("relay")
    one.told("s1", answered=True)
    one.unblock("relay")
    assert one.allowed("s1") == {"counted"}


def test_a_flag_on_hold_holds_what_comes_under_it_whatever_else_is_wrong() -> None:
    one = oracle()
    one.block("hold", "0/stripe")
    one.block("relay")
    one.told("s1", answered=True)
    assert one.allowed("s1") == {"held"}


@each_row("later", [("hold", "0/stripe"), ("ill", "1")])
def test_what_begins_while_a_sale_is_held_back_and_does_not_concern_it_holds_nothing(later: tuple[str, str]) -> None:
    one = oracle()
    one.block("relay")
    one.told("s1", answered=True)
    one.block(*later)  # type: ignore[arg-type]
    one.unblock("relay")
    assert one.allowed("s1") == {"counted"}


def test_what_may_have_been_taken_before_the_trouble_may_have_been_sent() -> None:
    one = oracle()
    one.told("s1", answered=False)
    one.block("relay")
    one.told("s1", answered=True)
    assert one.allowed("s1") == {"counted", "unsent"}


def test_a_repetition_brings_back_nothing_that_was_stopped_for_certain() -> None:
    one = oracle()
    one.block("relay")
    one.told("s1", answered=True)
    one.stopped("s1", answered=True)
    one.told("s1", answered=True)
    assert one.allowed("s1") == {"suppressed"}, "while the relay is dead, too: nothing of it waits"
    one.unblock("relay")
    assert one.allowed("s1") == {"suppressed"}


def test_a_refund_that_was_not_answered_stops_nothing_for_certain() -> None:
    one = oracle()
    one.block("relay")
    one.told("s1", answered=True)
    one.stopped("s1", answered=False)
    one.unblock("relay")
    assert one.allowed("s1") == {"counted", "suppressed"}


def test_a_refund_of_what_may_not_have_been_taken_stops_nothing_for_certain() -> None:
    one = oracle()
    one.block("relay")
    one.told("s1", answered=False)
    one.stopped("s1", answered=True)
    one.unblock("relay")
    assert one.allowed("s1") == {"absent", "counted", "suppressed"}


@each_row("told_in_vain", [False, True])
def test_a_refund_that_was_taken_first_counts_whatever_follows(*, told_in_vain: bool) -> None:
    one = oracle()
    one.stopped("s1", answered=True)
    if told_in_vain:
        one.told("s1", answered=False)
    one.stopped("s1", answered=False)
    one.told("s1", answered=True)
    assert one.allowed("s1") == {"suppressed"}


def test_an_old_sale_that_was_refunded_before_anybody_knows_has_two_ends() -> None:
    one = oracle(old=True)
    one.told("s1", answered=False)
    one.stopped("s1", answered=True)
    one.told("s1", answered=True)
    assert one.allowed("s1") == {"expired", "suppressed"}


def test_a_refund_that_came_too_late_may_be_the_targets_last_word() -> None:
    one = heard()
    one.stopped("s1", answered=True)
    assert one.judge("s1", Seen(stored="suppressed", counted=1)).verdict == "right"


def test_after_the_end_a_refund_unsays_no_delivery() -> None:
    one = heard()
    one.settled("s1", Seen(stored="delivered", counted=1))
    one.stopped("s1", answered=True)
    assert one.judge("s1", Seen(stored="suppressed", counted=1)).verdict == "wait"


def test_counted_and_not_yet_written_down_is_no_end() -> None:
    one = heard()
    one.block("consumer")
    one.settled("s1", Seen(stored="queued", counted=1))
    one.stopped("s1", answered=True)
    one.unblock("consumer")
    assert one.judge("s1", Seen(stored="suppressed", counted=1)).verdict == "right"


def test_what_must_wait_may_be_called_held() -> None:
    one = oracle()
    one.block("ill", "0")
    one.told("s1", answered=True)
    assert one.judge("s1", Seen(stored="held", counted=0)).verdict == "right"


def test_what_was_stopped_does_not_wait_for_meta() -> None:
    for answered in (True, False):
        one = oracle()
        one.block("ill", "0")
        one.told("s1", answered=True)
        one.stopped("s1", answered=answered)
        one.settled("s1", Seen(stored="suppressed", counted=0) if not answered else Seen(stored="pending", counted=0))
        assert not one.waits_for_meta(0), f"stopped, answered: {answered}"
