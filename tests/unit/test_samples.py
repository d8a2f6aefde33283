"""Which gateway stands in for a liked one: the rule, and that every scenario's liking holds on the reference."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from harness import samples
from harness.readiness.observable import has, needs_of, of_variant, what_to_add
from harness.target import Target
from simulators import gateways as fakes
from tests.rows import each_row

ROOT = Path(__file__).parents[2]
EVERY = samples.pairs({name: fake.dialects for name, fake in fakes.known().items()})
NODE = samples.pairs({"hotmart": ["plan"], "kiwify": ["plan"]})


def test_the_liked_one_is_taken_where_it_is_spoken_and_no_other() -> None:
    """So the same target is judged with the same bytes as ever."""
    assert samples.choose(EVERY, like=("stripe",), dialect="vendor") == [("stripe", "vendor")]
    assert samples.choose(EVERY, like=("stripe", "hotmart"), dialect="vendor") == [
        ("hotmart", "vendor"),
        ("stripe", "vendor"),
    ]


def test_else_one_other_is_taken() -> None:
    """Once, however many are spoken: it is a sample."""
    assert samples.choose(NODE, like=("stripe",), dialect="vendor") == [("hotmart", "plan")]
    assert samples.choose(NODE, like=("kiwify",), dialect="vendor") == [("kiwify", "plan")], "its other dialect"
    some = samples.pairs({"hotmart": ["plan"], "kiwify": ["plan", "vendor"]})
    assert samples.choose(some, like=("stripe",), dialect="vendor") == [("kiwify", "vendor")], "that dialect"
    assert samples.choose(some, like=("hotmart",), dialect="vendor") == [("hotmart", "plan")], "the gateway comes first"
    assert samples.choose([], like=("stripe",)) == []


def test_who_cannot_tell_what_is_needed_is_not_taken_liked_or_not() -> None:
    assert samples.choose(NODE, like=("kiwify",), can=("payment_time",)) == [("hotmart", "plan")]
    assert samples.choose([("kiwify", "plan")], like=("kiwify",), can=("payment_time",)) == []
    assert samples.choose(NODE, like=("stripe",), can=("dispute_won",)) == []


@each_row(
    ("spoken", "can", "cannot"),
    [
        (("stripe", "vendor"), {"approved", "refunded", "email", "click", "payment_time", "integrity"}, {"address"}),
        (("perfectpay", "vendor"), {"approved", "address", "phone"}, {"integrity"}),
        (("kiwify", "plan"), {"approved", "click", "integrity"}, {"payment_time"}),
        (("hotmart", "plan"), {"approved", "payment_time"}, {"refunded", "address"}),
    ],
)
def test_abilities_are_read_off_what_a_vendor_sends(spoken: samples.Spoken, can: set[str], cannot: set[str]) -> None:
    assert can <= samples.abilities(*spoken)
    assert not cannot & samples.abilities(*spoken)


def test_each_gateway_once_in_the_dialect_that_is_rather_wanted() -> None:
    spoken = {"hotmart": ["plan", "vendor"], "kiwify": ["plan"]}
    assert samples.pairs(spoken, rather="vendor") == [("hotmart", "vendor"), ("kiwify", "plan")]
    assert len(samples.pairs(spoken)) == 3


WORDS = ("gateway", "any_gateway", "each_gateway")


def _asked() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted((ROOT / "scenarios").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in WORDS:
                yield path.name, node


def test_what_scenarios_like_can_do_what_they_need() -> None:
    """Else the reference would silently be judged with another gateway than it is written for."""
    checked = 0
    for where, call in _asked():
        given = {one.arg: one.value for one in call.keywords}
        liked = given.get("like")
        if liked is None or isinstance(liked, ast.Name):
            continue
        names = ast.literal_eval(liked)
        can = ast.literal_eval(given["can"]) if "can" in given else ()
        for name in (names,) if isinstance(names, str) else names:
            assert samples.able([(name, "vendor")], can), f"{where}: {name} cannot tell {can}"
            checked += 1
    assert checked > 80


def test_every_ability_that_is_asked_for_exists() -> None:
    """A slip of the pen would leave a scenario out for every target, as if none could do it."""
    known = set(samples.TOLD).union(*(samples.abilities(*one) for one in EVERY))
    for where, call in _asked():
        for one in call.keywords:
            if one.arg == "can":
                assert set(ast.literal_eval(one.value)) <= known, where


def test_no_scenario_names_a_gateway_where_any_would_do() -> None:
    """`pipeline.gateway("stripe")` shuts out every target that does not speak it."""
    for where, call in _asked():
        named = [one.value for one in call.args if isinstance(one, ast.Constant)]
        assert not named or call.func.attr != "gateway", f"{where}: gateway(like={named[0]!r})"


def _target(**gateways: list[str]) -> Target:
    return Target.model_validate(
        {"name": "t", "base_url": "http://127.0.0.1:1", "tenants": {"provision": ["x"]}, "gateways": gateways}
    )


def test_doctor_knows_what_a_sample_needs() -> None:
    node, one = _target(hotmart=["plan"], kiwify=["plan"]), _target(kiwify=["plan"])
    needs = needs_of(ROOT / "scenarios")
    assert "second." in needs["G-40"]
    assert "variant.payment_time" in needs["D-07"]
    assert "sample.address" in needs["R-78"]
    assert [has(node, need) for need in ("sample.", "second.", "variant.payment_time")] == [True, True, True]
    assert [has(one, need) for need in ("sample.", "second.", "variant.payment_time")] == [True, False, False]
    assert not has(node, "sample.address")
    assert what_to_add("second.") == "a second gateway under [target.gateways], if the target speaks one"
    assert "tells payment time" in what_to_add("variant.payment_time")


def test_what_only_some_variants_look_at_only_those_need() -> None:
    """`pipeline.track(what, ...)`: the variant's name says what."""
    needs = needs_of(ROOT / "scenarios")["T-18"]
    assert of_variant(needs, "T-18[pageview]") == {"paths.pageview"}
    assert of_variant(needs_of(ROOT / "scenarios")["T-10"], "T-10[checkout-InitiateCheckout]") == {"paths.checkout"}
    assert of_variant(frozenset({"paths.click"}), "T-12[stripe-vendor]") == {"paths.click"}
