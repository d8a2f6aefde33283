"""What need not be said to `POST /_golive/send`: it is what `golive trigger` would take."""

from __future__ import annotations

import re

from simulators.gateways import known
from simulators.wishes import Maker, Send

SAID = {"event": "approved", "secret": "my-hottok", "to": "http://127.0.0.1:8080/hook"}


def test_without_a_dialect_it_is_the_vendors_and_without_a_seed_a_new_sale() -> None:
    """At every gateway; the seed is spelt as `golive trigger --seed N` spells its first sale's."""
    for name in known():
        wishes = [Send.model_validate({"gateway": name, **SAID}) for _ in range(20)]
        assert {wish.dialect for wish in wishes} == {"vendor"}
        assert len({wish.seed for wish in wishes}) > 1
        assert all(re.fullmatch(r"[0-9]{1,6}/trigger/0", wish.seed) for wish in wishes)
        assert not wishes[0].is_run
        assert Maker(wishes[0], lambda: 1_772_366_400.0).slots
