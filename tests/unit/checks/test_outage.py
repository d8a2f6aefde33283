"""Meta was gone for a while: what is said of the breaker and of the backlog."""

from collections.abc import Mapping, Sequence

from harness.checks import load, outage
from tests.rows import each_row

FROM_S, UNTIL_S = 60.0, 120.0
TENANTS = ("t-1", "t-2")


def samples() -> list[load.Sample]:
    """Ten a second for four minutes, answered at once."""
    return [
        load.Sample(
            number=number,
            due_s=number / 10,
            sent_s=number / 10,
            answered_s=number / 10 + 0.01,
            status=202,
            gateway="stripe",
            dialect="vendor",
            tenant=TENANTS[number % 2],
            sale=f"sale-{number}",
        )
        for number in range(2_400)
    ]


def counted(*, drain_s: float = 5.0) -> dict[str, float]:
    """Meta counts half a second after the acceptance; what came while it was gone, so long after it was back."""
    return {
        one.sale: UNTIL_S + drain_s if FROM_S <= one.answered_s <= UNTIL_S else one.answered_s + 0.5
        for one in samples()
    }


def readings(**changes: str) -> list[tuple[float, Mapping[str, str]]]:
    """The breaker once a second: open from five seconds after the beginning until five after the end."""

    def states(at_s: float) -> dict[str, str]:
        now = "open" if FROM_S + 5 <= at_s <= UNTIL_S + 5 else "closed"
        return {one: changes.get(one.replace("-", "_"), now) for one in TENANTS}

    return [(float(at_s), states(at_s)) for at_s in range(240)]


def judged(
    *, drain_s: float = 5.0, held: int = 0, breaker: Sequence[tuple[float, Mapping[str, str]]] | None = None
) -> outage.OutageFindings:
    """The findings; with a breaker that does as it should unless told otherwise."""
    seen = outage.Outage(from_s=FROM_S, until_s=UNTIL_S, breaker=readings() if breaker is None else breaker)
    return outage.judge(seen, samples(), counted(drain_s=drain_s), held=held)


def test_a_target_that_does_as_it_should_is_told_with_its_times() -> None:
    """Nothing is broken, nothing unknown; outage and drain are left out of the dispatch latency."""
    found = judged()
    assert not found.broken
    assert not found.unknown
    assert found.excluded == (FROM_S - load.DISPATCH_S, UNTIL_S + 5.0)
    told = " ".join(found.facts)
    assert "600 sales had to wait; the last of them was counted 5.0 s after Meta was back" in told
    assert "opened for 2 of 2 customers, the last 5 s after Meta had gone" in told
    assert "closed for all 6 s after Meta was back" in told


@each_row(
    ("changes", "said"),
    [
        ({"drain_s": 61.0}, "It took 61.0 s after an outage of 60.0 s"),
        ({"held": 3}, "3 conversions are still held back"),
        ({"breaker": readings(t_1="closed")}, "did not for 1 of 2 customers"),
        ({"breaker": [*readings(), (240.0, {"t-1": "open", "t-2": "closed"})]}, "closes once Meta is back. It did not"),
    ],
)
def test_each_promise_can_be_broken(changes: dict[str, object], said: str) -> None:
    """One thing is wrong, and one sentence says what."""
    found = judged(**changes)  # type: ignore[arg-type]  # the test's own words
    assert len(found.broken) == 1
    assert said in found.broken[0]


def test_what_nobody_could_see_is_unknown_and_no_pass() -> None:
    """No probe for the breaker; or nothing came while Meta was gone."""
    assert "probes.breaker" in judged(breaker=[]).unknown[0]
    seen = outage.Outage(from_s=FROM_S, until_s=UNTIL_S, breaker=readings())
    silent = [one for one in samples() if not FROM_S <= one.due_s <= UNTIL_S]
    found = outage.judge(seen, silent, counted(), held=0)
    assert "Nothing had to wait" in found.unknown[0]


def test_a_sale_that_never_came_does_not_stretch_the_drain() -> None:
    """It is lost, and the ledger names it; the rest is judged as it was."""
    never = {sale: at_s for sale, at_s in counted().items() if sale != "sale-700"}
    seen = outage.Outage(from_s=FROM_S, until_s=UNTIL_S, breaker=readings())
    assert outage.judge(seen, samples(), never, held=0).excluded[1] == UNTIL_S + 5.0


def test_a_half_open_breaker_has_opened() -> None:
    """A look once a second may see nothing else of it."""
    half = [
        (at_s, {one: "half_open" if state == "open" else state for one, state in states.items()})
        for at_s, states in readings()
    ]
    assert not judged(breaker=half).broken
