"""T-21  Where the Pixel has written an fbc for the click, the server tells the same one.

Given  a click whose page sends the Pixel's _fbc: of this click, or left over from an earlier one
When   the visitor buys
Then   Meta is given the cookie of this click as it is, and of the earlier click nothing
"""

import pytest

from harness.testing import Pipeline

FBCLID = "IwAR2Qx7LmNoPqRsTuVwXyZ0aBcDeFgHiJkLmNoPqRsTuVwXyZ"


@pytest.mark.scenario("T-21", proves=("pipeline/tracking", "pipeline/matching"))
@pytest.mark.any_gateway(like=("stripe",), dialect="vendor", can=("click",))
@pytest.mark.parametrize("cookie", ["of this click", "of an earlier one"])
def test_pixels_own_fbc_is_told(pipeline: Pipeline, cookie: str) -> None:
    # Given
    written_ms = int(pipeline.now_s() * 1000) - 4321
    fbc = f"fb.1.{written_ms}.{FBCLID if cookie == 'of this click' else 'IwAR9earlierClickOfTheSameBrowser'}"
    click = pipeline.click(fbclid=FBCLID, fbc=fbc)
    # When
    order = pipeline.gateway().order(tracking={"click_id": click.click_id})
    order.deliver()
    # Then
    told = pipeline.meta.wait_until_counted(order)["user_data"].get("fbc", "")
    if cookie == "of this click":
        assert told == fbc, f"the Pixel's own fbc must be told unchanged; it was {told!r}"
    else:
        assert told.endswith("." + FBCLID), f"the fbc must be this click's; it was {told!r}"
