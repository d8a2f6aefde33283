"""JSON that the target wrote: whatever is wrong with it is the target's, and never a crash of golive."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from harness.errors import PromiseBroken


class TargetObject(dict[str, Any]):
    """A JSON object; a member that it lacks is a broken promise, not a KeyError."""

    def __missing__(self, name: str) -> NoReturn:
        members = ", ".join(sorted(map(str, self))) or "no member"
        raise PromiseBroken(f"{name!r} is missing in what the target wrote, which has {members}")


def target_json(value: Any) -> Any:
    """The same JSON value, whose objects are `TargetObject`, all the way down."""
    if isinstance(value, Mapping):
        return TargetObject({name: target_json(one) for name, one in value.items()})
    return [target_json(one) for one in value] if isinstance(value, list) else value


def read(text: str | bytes) -> Any:
    """What a text says as JSON.

    Raises:
        ValueError: It is none, or is nested too deeply to be read.
    """
    try:
        return target_json(json.loads(text))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
