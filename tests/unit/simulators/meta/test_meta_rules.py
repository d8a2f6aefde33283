"""Why Meta refuses a batch: each rule alone, by code and subcode, and that no sentence quotes a person."""

import math
from hashlib import sha256
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.meta.errors import GraphError
from simulators.meta.rules import ACTION_SOURCES, DAY_S, HASHED_KEYS, first_refusal
from simulators.meta.switches import Switches
from tests.rows import each_row

NOW_S = 1_772_366_400.5
HASH = sha256(b"maria@example.com").hexdigest()
ABSENT = object()
SWITCHES = Switches()


def purchase(**changes: Any) -> dict[str, Any]:
    """A Purchase that may pass, with some members changed; ABSENT removes one."""
    whole: dict[str, Any] = {
        "event_name": "Purchase",
        "event_time": int(NOW_S) - 60,
        "event_id": "hotmart:HP1:purchase",
        "action_source": "website",
        "user_data": {"em": [HASH], "client_user_agent": "curl"},
        "custom_data": {"value": 297.0, "currency": "BRL"},
    }
    return {key: value for key, value in {**whole, **changes}.items() if value is not ABSENT}


def user(**user_data: Any) -> dict[str, Any]:
    return purchase(user_data=user_data)


def sold(**custom_data: Any) -> dict[str, Any]:
    return purchase(custom_data={"value": 297.0, "currency": "BRL", **custom_data})


def refusal(*events: Any, switches: Switches = SWITCHES) -> tuple[int, int | None] | None:
    """Code and subcode of what the batch meets."""
    error = first_refusal(events, NOW_S, switches)
    return None if error is None else (error.code, error.subcode)


@each_row(
    "event",
    [
        purchase(),
        purchase(event_name="PageView", custom_data=ABSENT),
        purchase(event_name="Lead", custom_data=None, event_id=None, action_source=ABSENT),
        purchase(custom_data={"value": "0.00", "currency": "usd", "anything": {"of": ["ours"]}}),
        purchase(custom_data={"value": 0, "currency": "BRL"}),
        sold(contents=[{"id": "p-1", "quantity": 1, "item_price": 2.5}], content_ids="p-1"),
        sold(content_ids=["p-1", 2], num_items=1),
        purchase(data_processing_options=["LDU"], data_processing_options_country=1, opt_out=True),
        purchase(data_processing_options=["LDU"], data_processing_options_state=1014),
        user(em=HASH.upper()),
        user(em=f"{HASH}.AQIAAQMA", ph=f"{HASH}.Ag"),
        user(em=[HASH, HASH], fn=None),
        user(client_ip_address="192.0.2.1", client_user_agent="curl"),
        user(external_id="plain-7"),
        user(external_id=["plain-7", 8]),
        user(lead_id=123456789012345),
        user(fbp="fb.1.1772366400000.42"),
        user(em=HASH, partner_id="tolerated"),
        purchase(action_source="business_messaging", event_source_url=ABSENT),
    ],
)
def test_what_may_pass(event: dict[str, Any]) -> None:
    """A right event is refused by none of the rules, alone or as the last of a batch."""
    assert refusal(event) is None
    assert refusal(purchase(), event) is None


@each_row(
    ("subcode", "event"),
    [
        (2804019, "no object"),
        (2804019, None),
        (2804019, {}),
        (2804019, purchase(event_name=ABSENT)),
        (2804019, purchase(event_name="  ")),
        (2804019, purchase(event_name=7)),
        (2804019, purchase(event_time=ABSENT)),
        (2804019, purchase(event_time=str(int(NOW_S)))),
        (2804019, purchase(event_time=NOW_S)),
        (2804019, purchase(event_time=True)),
        (2804019, purchase(event_id=7)),
        (2804019, purchase(action_source="web")),
        (2804019, purchase(action_source=["website"])),
        (2804019, purchase(user_data=ABSENT)),
        (2804019, purchase(user_data=[])),
        (2804019, purchase(custom_data="{}")),
        (2804019, purchase(opt_out=1)),
        (2804019, purchase(data_processing_options=["LDU", "LDU"])),
        (2804019, purchase(data_processing_options_country=2)),
        (2804019, purchase(data_processing_options_state=1015)),
        (2804019, purchase(advertiser_tracking_enabled=True)),
        (2804019, sold(value=-0.01)),
        (2804019, sold(value="-1")),
        (2804019, sold(value="R$ 297")),
        (2804019, sold(value=True)),
        (2804019, sold(currency=986)),
        (2804019, sold(content_category=["x"])),
        (2804019, sold(contents=["p-1"])),
        (2804019, sold(contents=[{"id": "p-1", "name": "x"}])),
        (2804019, sold(num_items=1.5)),
        (2804019, user(em=HASH, external_id={"a": 1})),
        (2804008, sold(contents=[{"quantity": 1}])),
        (2804014, sold(currency="XXL")),
        (2804016, user(em="maria@example.com")),
        (2804016, user(em=[HASH, "maria@example.com"])),
        (2804016, user(ph=5511987654321)),
        (2804016, user(em=HASH[:32])),
        (2804016, user(em="")),
        (2804016, user(em=f"{HASH}.A")),
        (2804036, user(em=HASH, lead_id=123)),
        (2804050, user()),
        (2804050, user(client_user_agent="curl")),
        (2804050, user(client_user_agent="curl", client_ip_address=None)),
        (2804050, user(ct=HASH, country=HASH, st=HASH, zp=HASH, ge=HASH)),
        (2804050, user(db=HASH, client_user_agent="curl")),
        (2804050, user(fn=HASH, ge=HASH)),
        (2804050, user(ln=HASH, ge=HASH)),
        (2804050, user(partner_id="says nothing")),
        (2804064, purchase(action_source="business_messaging", event_source_url="https://example.com")),
        (2804009, purchase(custom_data={"currency": "BRL"})),
        (2804009, purchase(custom_data=ABSENT)),
        (2804010, purchase(custom_data={"value": 1})),
        (2804010, purchase(custom_data={"value": 1, "currency": ""})),
    ],
)
def test_what_is_refused(subcode: int, event: Any) -> None:
    """One broken event refuses the batch, wherever it stands."""
    assert refusal(event) == (100, subcode)
    assert refusal(purchase(), event, purchase()) == (100, subcode)


@each_row("key", sorted(HASHED_KEYS))
def test_every_key_that_must_be_hashed_is_looked_at(key: str) -> None:
    """A plain value is refused, and the answer names the key and not the value."""
    error = first_refusal([user(external_id="x", **{key: "maria silva"})], NOW_S, SWITCHES)
    assert error is not None
    assert error.subcode == 2804016
    assert f" {key} " in str(error.detail)
    assert "maria" not in str(error.envelope("A"))


@each_row(
    ("age_s", "action_source", "subcode"),
    [
        (0, "website", None),
        (7 * DAY_S, "website", None),
        (7 * DAY_S + 1, "website", 2804003),
        (8 * DAY_S, None, 2804003),
        (8 * DAY_S, "physical_store", None),
        (62 * DAY_S, "physical_store", None),
        (62 * DAY_S + 1, "physical_store", 2804003),
        (-60, "website", None),
        (-61, "website", 2804004),
        (-61, "physical_store", 2804004),
        (int(NOW_S) - int(NOW_S) * 1000, "website", 2804004),
    ],
)
def test_time_is_judged_on_the_clock_that_is_passed_in(
    age_s: int, action_source: str | None, subcode: int | None
) -> None:
    """A week is the limit, 62 days for a shop's till, a minute ahead is tolerated; milliseconds are the future."""
    event = purchase(event_time=int(NOW_S) - age_s, action_source=action_source)
    error = first_refusal([event], float(int(NOW_S)), SWITCHES)
    assert (None if error is None else error.subcode) == subcode


def test_the_tolerance_of_the_future_is_a_switch() -> None:
    """Ten minutes ahead pass when the switch says so, and not a second more."""
    ten_minutes = Switches(future_tolerance_s=600)
    assert refusal(purchase(event_time=math.floor(NOW_S) + 600), switches=ten_minutes) is None
    assert refusal(purchase(event_time=math.floor(NOW_S) + 601), switches=ten_minutes) == (100, 2804004)


def test_the_first_failing_event_and_its_first_broken_rule_decide() -> None:
    """Shape before hashing before time before match keys before Purchase; the index says which event."""
    too_old = int(NOW_S) - 9 * DAY_S
    worst = purchase(event_time=too_old, user_data={"em": "plain"}, custom_data={}, odd=1)
    assert refusal(worst) == (100, 2804019)
    del worst["odd"]
    assert refusal(worst) == (100, 2804016)
    worst["user_data"] = {}
    assert refusal(worst) == (100, 2804003)
    worst["event_time"] = int(NOW_S)
    assert refusal(worst) == (100, 2804050)
    worst["user_data"] = {"em": HASH}
    assert refusal(worst) == (100, 2804009)
    error = first_refusal([purchase(), purchase(event_time=too_old), worst], NOW_S, SWITCHES)
    assert error is not None
    assert "$['data'][1]" in str(error.detail)


def test_action_sources_are_those_of_the_documentation() -> None:
    """Each of the nine is accepted; their case matters."""
    assert all(refusal(purchase(action_source=one)) is None for one in ACTION_SOURCES)
    assert len(ACTION_SOURCES) == 9
    assert refusal(purchase(action_source="Website")) == (100, 2804019)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
members = st.sampled_from(sorted({*purchase(), "contents", "opt_out", "odd"}))
keys_of_people = st.sampled_from([*sorted(HASHED_KEYS), "external_id", "lead_id", "client_ip_address"])


@settings(deadline=None, derandomize=True)
@given(changes=st.dictionaries(members, json_values, max_size=4), index=st.integers(0, 2))
def test_any_json_is_judged(changes: dict[str, Any], index: int) -> None:
    """Whatever the members hold, the answer is a pass or code 100, never an accident."""
    batch: list[Any] = [purchase(), purchase(), purchase()]
    batch[index] = purchase(**changes)
    error = first_refusal(batch, NOW_S, SWITCHES)
    assert error is None or (isinstance(error, GraphError) and error.code == 100 and error.status == 400)


@settings(deadline=None, derandomize=True)
@given(user_data=st.dictionaries(keys_of_people, json_values, max_size=4))
def test_any_user_data_is_judged(user_data: dict[str, Any]) -> None:
    """The same for people."""
    assert refusal(purchase(user_data=user_data)) in {
        None,
        (100, 2804019),
        (100, 2804016),
        (100, 2804036),
        (100, 2804050),
    }
