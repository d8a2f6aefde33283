"""P-10  Whatever is wrong with a webhook, the answer names no buyer, and no log does.

Given  genuine webhooks in which one thing of the buyer's is a text that databases and encoders choke on
When   each is delivered
Then   each is answered with a 2xx or a 4xx, never a 5xx; no answer repeats the buyer, and at the run's end no log does
"""

import pytest

from harness.testing import Pipeline

POISONS = {
    "a NUL": "a\x00b",
    "format directives": "%s%n{0}{email}",
    "SQL": "'; DROP TABLE conversions; --",
    "marks that turn text round": "\u202e\u0007\uffff",
    "5,000 letters": "a" * 5000,
    "the last code point": "\U0010ffff",
    "nothing": "",
}
FIELDS = ("email", "phone_e164", "first_name", "full_name", "city", "state", "zip_code", "user_agent")


@pytest.mark.scenario("P-10", proves=("constraint/lgpd", "011.1/waf-malformed"))
@pytest.mark.each_gateway
@pytest.mark.parametrize("field", FIELDS)
def test_what_fails_tells_nothing(pipeline: Pipeline, field: str) -> None:
    for name, poison in POISONS.items():
        # Given
        # With the field's name, so that what Meta may be told of one is not taken for a leak of another.
        order = pipeline.gateway().order(buyer={field: poison and f"{field} {poison}"})
        # When
        answer = order.deliver()
        # Then
        assert answer.accepted or answer.refused, f"{name} in {field}: it was answered with {answer.status}"
        for canary in order.canaries():
            assert not canary.stands_in(answer.text), f"the answer {answer.status} repeats the buyer's {canary.kind}"
