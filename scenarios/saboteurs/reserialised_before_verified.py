"""The signature is computed over JSON that was parsed and written again, because the framework had no raw body."""

import json
from contextlib import suppress
from typing import Any

from reference_impl.gateways import _signatures
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-04[kiwify-plan]",)


def patch() -> None:
    """Sign what the parser has understood."""

    def make(old: Any) -> Any:
        def check_plan(header: str | None, body: bytes, secrets: Any) -> None:
            bite()
            with suppress(ValueError):
                body = json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode()
            old(header, body, secrets)

        return check_plan

    swap(_signatures, "check_plan", make)
