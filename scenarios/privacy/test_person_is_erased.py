"""P-04  A person who asks is erased at that tenant, wholly, and nobody else is.

Given  a buyer who came by a click and bought twice, somebody else at the same tenant, and the same buyer at another one
When   the tenant's operator erases the buyer, twice
Then   no table knows the buyer at that tenant any more, the others are untouched, the counts say what was done, and the
       second time there is nothing left to do
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("P-04", proves=("constraint/lgpd",), tenants=2)
def test_person_is_erased(pipeline: Pipeline) -> None:
    # Given
    pipeline.target.must_be_able_to("erase_person", "export_person")
    gateway = pipeline.gateway(like="perfectpay", can=("click", "email", "phone"))
    click = pipeline.click()
    first = gateway.order(click=click)
    second = pipeline.gateway(like="hotmart", can=("email",)).order(buyer=first.order.buyer)
    somebody = gateway.order()
    theirs = first.at(pipeline.gateway(gateway.name, tenant=pipeline.other_tenant))
    for order in (first, second, somebody, theirs):
        order.deliver()
    for order in (first, second, somebody):
        pipeline.meta.wait_until_counted(order)
    pipeline.meta_of(pipeline.other_tenant).wait_until_counted(theirs)
    buyer = first.order.buyer
    person = {"email": buyer.email, "phone": buyer.phone_e164}
    mine, other = ({"tenant": one.tenant, **person} for one in pipeline.tenants)
    pipeline.settle()  # a sale that Meta has counted may still be on its way in the target's own tables
    before = pipeline.target.act("export_person", **other)
    # When
    done = pipeline.target.act("erase_person", **mine)["erased"]
    again = pipeline.target.act("erase_person", **mine)["erased"]
    # Then
    assert done["conversions"] == 2, f"two purchases of the buyer's were stored; erased were {done}"
    assert done["clicks"] == 1, f"the buyer's click was stored; erased were {done}"
    assert not any(again.values()), f"the second time there was nothing left; it said {again}"
    left = pipeline.target.act("export_person", **mine)
    rows = {name: found for name, found in left.items() if name != "tenant" and found}
    assert not rows, f"after the erasure the tenant still knows the buyer, in {', '.join(rows)}"
    assert pipeline.target.act("export_person", **other) == before, "another tenant's data must not be touched"
    assert pipeline.database.knows(somebody), "somebody else at the same tenant must not be touched"
    pipeline.target.act("erase_person", **other)
    places = pipeline.database.knows(first) + pipeline.database.shows(click.click_id, click.fbclid, click.fbp)
    assert not places, f"erased at both tenants, the buyer is still known in {', '.join(places)}"
