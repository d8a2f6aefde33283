"""Clicks, page views and checkouts, from the visitor's browser: any origin may send, nobody may read."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Literal

import psycopg
from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from reference_impl.db import tenants, visits
from reference_impl.domain.conversion import Buyer
from reference_impl.domain.hashing import hash_buyer
from reference_impl.web import bodies
from reference_impl.web.answers import Clicked, Seen
from reference_impl.web.database import Database
from reference_impl.web.errors import Refused
from reference_impl.web.openapi import documented, refusals

_REFUSALS = refusals(400, 404, 413, 422, 503)

#: PostgreSQL has no place for a NUL.
_STORABLE = r"^[^\x00]*$"
Short = Annotated[str, StringConstraints(max_length=200, pattern=_STORABLE)]
Long = Annotated[str, StringConstraints(max_length=2000, pattern=_STORABLE)]
#: Short enough to survive Kiwify's cut at about 50 characters.
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]


class Visit(BaseModel):
    """What a browser may tell. Unknown fields are ignored: a page's script may be older or newer than we are."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    click_id: Id | None = None
    event_id: Short | None = None
    url: Long | None = None
    fbclid: Annotated[str, StringConstraints(max_length=500, pattern=r"^[A-Za-z0-9_.-]+$")] | None = None
    fbp: Annotated[str, StringConstraints(max_length=100, pattern=r"^fb\.[0-9]+\.[0-9]+\.[A-Za-z0-9_.-]+$")] | None = (
        None
    )
    consent: Literal["granted", "denied", "unknown"] = "unknown"
    utm_source: Short | None = None
    utm_medium: Short | None = None
    utm_campaign: Short | None = None
    utm_content: Short | None = None
    utm_term: Short | None = None
    email: Short | None = None
    phone: Short | None = None

    def campaign(self) -> dict[str, str]:
        """The UTM parameters that were given."""
        given = self.model_dump(include={"utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"})
        return {name: value for name, value in given.items() if value}


def blueprint(*, database: Database, now_s: Callable[[], float]) -> Blueprint:
    """The three tracking routes over their collaborators."""
    routes = Blueprint("tracking", __name__, url_prefix="/api/v1/tracking/<tenant>")

    @routes.after_request
    def _any_origin(answer: Response) -> Response:
        answer.headers["Access-Control-Allow-Origin"] = "*"
        answer.headers["Access-Control-Allow-Methods"] = "POST, OPTIONS"
        answer.headers["Access-Control-Allow-Headers"] = "Content-Type"
        answer.headers["Access-Control-Max-Age"] = "86400"
        return answer

    @routes.post("/<any(click, pageview, checkout):kind>")
    @documented("A visitor came from an ad", takes=Visit, answers={202: Clicked, **_REFUSALS}, when={"kind": "click"})
    @documented("A visitor sees a page, or the checkout", takes=Visit, answers={202: Seen, **_REFUSALS})
    def track(tenant: str, kind: str) -> ResponseReturnValue:
        visit = _read(bodies.raw())
        at = datetime.fromtimestamp(now_s(), UTC)
        with database.connection() as connection:
            if not tenants.exists(connection, tenant):
                raise Refused(404, "unknown_tenant", "There is no such tenant.")
            if kind == "click":
                return _click(connection, tenant, visit, at)
            return _page(connection, tenant, visit, kind, at)

    return routes


def _read(body: bytes) -> Visit:
    try:
        return Visit.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        if any(one["type"] == "json_invalid" for one in found):
            raise Refused(400, "malformed", "The body is no JSON.") from None
        wrong = ", ".join(sorted({".".join(map(str, one["loc"])) or "the body" for one in found}))
        raise Refused(422, "schema", f"Not as expected: {wrong}.") from None


def _click(
    connection: psycopg.Connection[tuple[object, ...]], tenant: str, visit: Visit, at: datetime
) -> ResponseReturnValue:
    click_id = visit.click_id or secrets.token_urlsafe(9)
    visits.add_click(
        connection,
        {
            "tenant": tenant,
            "click_id": click_id,
            "at": at,
            "url": visit.url,
            "fbclid": visit.fbclid,
            "fbp": visit.fbp,
            "consent": visit.consent,
            "campaign": visit.campaign(),
        },
    )
    return {"click_id": click_id}, 202


def _page(
    connection: psycopg.Connection[tuple[object, ...]], tenant: str, visit: Visit, kind: str, at: datetime
) -> ResponseReturnValue:
    event_id = visit.event_id or secrets.token_urlsafe(16)
    visits.add_visit(connection, tenant=tenant, event_id=event_id, kind=kind, click_id=visit.click_id, at=at)
    if visit.click_id and (visit.email or visit.phone):
        hashed = hash_buyer(Buyer(email=visit.email, phone=visit.phone, country="BR")).as_user_data()
        em, ph = (hashed.get(key) for key in ("em", "ph"))
        visits.add_contact(
            connection, tenant=tenant, click_id=visit.click_id, em=em[0] if em else None, ph=ph[0] if ph else None
        )
    return {"event_id": event_id}, 202
