"""What the routes answer, as the contract describes it. `x-extensible-enum`: readers must expect new words."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

_GROWS: JsonDict = {"x-extensible-enum": True}


class _Answer(BaseModel):
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class Problem(_Answer):
    """Why something was refused."""

    code: str = Field(description="For programs.", examples=["bad_signature"])
    message: str = Field(description="For people. Quotes nothing of what was sent.")


class Refusal(_Answer):
    """The body of every refusal."""

    error: Problem


class Received(_Answer):
    """A webhook was taken: what it was."""

    status: Literal["accepted", "duplicate", "held", "ignored"] = Field(json_schema_extra=_GROWS)


class Clicked(_Answer):
    """A click was taken."""

    click_id: str = Field(description="To be carried through the checkout by the gateway's own tracking field.")


class Seen(_Answer):
    """A page view or a checkout was taken."""

    event_id: str = Field(description="To be given to the browser's Pixel as eventID, so that Meta counts both once.")


class Live(_Answer):
    """The process lives."""

    status: Literal["live"]


class Ready(_Answer):
    """The process can do its work."""

    status: Literal["ready"]


class NotReady(_Answer):
    """Nothing should be sent here."""

    status: Literal["not ready"]
    reason: str
