"""Clicks, page views, checkouts and consent, from the visitor's browser: any origin may send, nobody may read.

The page's script tells a click when somebody lands, keeps the click id that it is answered with, puts `checkout_params`
into the way to the gateway's checkout, and gives the `event_id` of a page event to the browser's Pixel as well.
Cookies are neither read nor set: the script sends what the Pixel's `_fbp` and `_fbc` hold.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from uuid import uuid4

import psycopg
from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from reference_impl import gateways
from reference_impl.db import page_events, visits
from reference_impl.db.page_events import PageEvent
from reference_impl.db.visits import Click, Consent
from reference_impl.domain.conversion import Buyer, Trail
from reference_impl.domain.event import has_match_keys
from reference_impl.domain.fbc import fbc_for
from reference_impl.domain.hashing import hash_buyer
from reference_impl.domain.matching import Contact
from reference_impl.domain.pages import harmless_campaign, harmless_url
from reference_impl.web import bodies
from reference_impl.web.answers import Clicked, Consented, Seen
from reference_impl.web.database import Database
from reference_impl.web.errors import Refused
from reference_impl.web.openapi import documented, refusals
from reference_impl.web.visitor import Visitor, Visitors

Connection = psycopg.Connection[tuple[Any, ...]]
_REFUSALS = refusals(400, 404, 413, 415, 422, 503)

#: PostgreSQL has no place for a NUL.
_STORABLE = r"^[^\x00]*$"
Short = Annotated[str, StringConstraints(max_length=200, pattern=_STORABLE)]
Long = Annotated[str, StringConstraints(max_length=2000, pattern=_STORABLE)]
#: Short enough to survive Kiwify's cut at about 50 characters.
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]


#: A cookie of the Pixel's.
_OF_PIXEL = r"^fb\.[0-9]+\.[0-9]+\.[A-Za-z0-9_.-]+$"
_ONE_DAY_S = "86400"
Told = TypeVar("Told", bound=BaseModel)


class Visit(BaseModel):
    """What a browser may tell. Unknown fields are ignored: a page's script may be older or newer than we are."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    click_id: Id | None = None
    event_id: Short | None = None
    url: Long | None = None
    fbclid: Annotated[str, StringConstraints(max_length=500, pattern=r"^[A-Za-z0-9_.-]+$")] | None = None
    fbc: Annotated[str, StringConstraints(max_length=600, pattern=_OF_PIXEL)] | None = None
    fbp: Annotated[str, StringConstraints(max_length=100, pattern=_OF_PIXEL)] | None = None
    consent: Consent = "unknown"
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


class ConsentChange(BaseModel):
    """What a visitor says now, of the click that they came by."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    click_id: Id
    consent: Consent


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One request of a visitor's."""

    tenant: str
    at_s: float
    visit: Visit = field(repr=False)
    visitor: Visitor

    @property
    def at(self) -> datetime:
        """As PostgreSQL wants it."""
        return datetime.fromtimestamp(self.at_s, UTC)

    @property
    def fbc(self) -> str | None:
        """Meta's click id as this request alone tells it."""
        return fbc_for(fbclid=self.visit.fbclid, cookie=self.visit.fbc, clicked_at_ms=int(self.at_s * 1000))


def blueprint(
    *, database: Database, visitors: Visitors, wake: Callable[[], None], now_s: Callable[[], float]
) -> Blueprint:
    """The tracking routes over their collaborators; `wake` says that the outbox holds something."""
    routes = Blueprint("tracking", __name__, url_prefix="/api/v1/tracking/<tenant>")
    customers: set[str] = set()
    """Tenants that were there: a page event need not ask again, for its row refers to its tenant's."""

    @routes.after_request
    def _any_origin(answer: Response) -> Response:
        # Without Allow-Credentials: a browser sends no cookie, and no page can act in a visitor's name.
        answer.headers["Access-Control-Allow-Origin"] = "*"
        answer.headers["Access-Control-Allow-Methods"] = "POST, OPTIONS"
        answer.headers["Access-Control-Allow-Headers"] = "Content-Type"
        answer.headers["Access-Control-Max-Age"] = _ONE_DAY_S
        return answer

    @routes.post("/click")
    @documented("A visitor came from an ad", takes=Visit, answers={202: Clicked, **_REFUSALS})
    def click(tenant: str) -> ResponseReturnValue:
        visit = _read(Visit)
        at_s = now_s()
        with database.connection() as connection:
            accounts = _accounts(connection, tenant)
            heard = Heard(tenant=tenant, at_s=at_s, visit=visit, visitor=visitors.of(request, now_s=at_s))
            return _click(connection, heard, accounts)

    @routes.post("/<any(pageview, checkout):kind>")
    @documented("A visitor sees a page, or the checkout", takes=Visit, answers={202: Seen, **_REFUSALS})
    def page(tenant: str, kind: str) -> ResponseReturnValue:
        visit = _read(Visit)
        at_s = now_s()
        with database.connection() as connection:
            if tenant not in customers:
                _accounts(connection, tenant)
                customers.add(tenant)
            heard = Heard(tenant=tenant, at_s=at_s, visit=visit, visitor=visitors.of(request, now_s=at_s))
            try:
                answer = _page(connection, kind, heard)
            except psycopg.errors.ForeignKeyViolation:
                customers.discard(tenant)
                raise _stranger() from None
        wake()
        return answer

    @routes.post("/consent")
    @documented("A visitor agrees, or refuses", takes=ConsentChange, answers={202: Consented, **_REFUSALS})
    def consent(tenant: str) -> ResponseReturnValue:
        told = _read(ConsentChange)
        at = datetime.fromtimestamp(now_s(), UTC)
        with database.connection() as connection:
            _accounts(connection, tenant)
            visits.change_consent(connection, tenant=tenant, click_id=told.click_id, consent=told.consent, at=at)
        return {"click_id": told.click_id, "consent": told.consent}, 202

    return routes


def _read(model: type[Told]) -> Told:
    kind = (request.mimetype or "").lower()
    # sendBeacon calls a text what it sends while a page is left.
    if kind and kind not in ("application/json", "text/plain") and not kind.endswith("+json"):
        raise Refused(415, "unsupported_media_type", "What a page tells is application/json.")
    try:
        return model.model_validate_json(bodies.raw())
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        if any(one["type"] == "json_invalid" for one in found):
            raise Refused(400, "malformed", "The body is no JSON.") from None
        wrong = ", ".join(sorted({".".join(map(str, one["loc"])) or "the body" for one in found}))
        raise Refused(422, "schema", f"Not as expected: {wrong}.") from None


def _accounts(connection: Connection, tenant: str) -> Mapping[str, str]:
    accounts = visits.gateways_of(connection, tenant)
    if accounts is None:
        raise _stranger()
    return accounts


def _stranger() -> Refused:
    return Refused(404, "unknown_tenant", "There is no such tenant.")


def _click(connection: Connection, heard: Heard, accounts: Mapping[str, str]) -> ResponseReturnValue:
    visit = heard.visit
    click_id = visit.click_id or secrets.token_urlsafe(9)
    new = visits.add_click(
        connection,
        {
            "tenant": heard.tenant,
            "click_id": click_id,
            "at": heard.at,
            "url": harmless_url(visit.url),
            "fbclid": visit.fbclid,
            "fbc": visit.fbc,
            "fbp": visit.fbp,
            "consent": visit.consent,
            "campaign": harmless_campaign(visit.campaign()),
            "client_sealed": heard.visitor.sealed,
            "client_expires_at": heard.visitor.expires_at,
        },
    )
    if not new:
        visits.change_consent(connection, tenant=heard.tenant, click_id=click_id, consent=visit.consent, at=heard.at)
    return {"click_id": click_id, "checkout_params": _checkout_params(click_id, heard, accounts)}, 202


def _checkout_params(click_id: str, heard: Heard, accounts: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    """By gateway of the tenant's; who has refused is followed by no more than the id that their refusal hangs on."""
    trail = Trail(click_id=click_id)
    if heard.visit.consent != "denied":
        trail = Trail(click_id=click_id, fbclid=heard.visit.fbclid, fbp=heard.visit.fbp, fbc=heard.fbc)
    return {
        name: gateways.adapter(name).checkout_params(trail, dialect=dialect)
        for name, dialect in accounts.items()
        if name in gateways.known()
    }


def _page(connection: Connection, kind: str, heard: Heard) -> ResponseReturnValue:
    visit, visitor = heard.visit, heard.visitor
    click = _visitors_click(connection, heard)
    denied = visit.consent == "denied" or (click is not None and click.consent == "denied")
    hashed = hash_buyer(Buyer(email=visit.email, phone=visit.phone, country="BR"))
    if click and not denied and (hashed.em or hashed.ph):
        told = Contact(em=hashed.em, ph=hashed.ph)
        visits.add_contact(connection, tenant=heard.tenant, click_id=click.click_id, told=told)
    contact = {key: [value] for key, value in (("em", hashed.em), ("ph", hashed.ph)) if value}
    user_data = contact | _of_meta(heard, click)
    reachable = has_match_keys(user_data | {"client_ip_address": visitor.sealed})
    event_id = visit.event_id or secrets.token_urlsafe(16)
    page_events.add(
        connection,
        PageEvent(
            id=uuid4(),
            tenant=heard.tenant,
            kind=kind,
            event_id=event_id,
            at=datetime.fromtimestamp(int(heard.at_s), UTC),
            user_data=user_data,
            click_id=visit.click_id,
            source_url=harmless_url(visit.url),
            client_sealed=visitor.sealed,
            client_expires_at=visitor.expires_at,
            suppressed="consent denied" if denied else None if reachable else "no match keys",
        ),
    )
    return {"event_id": event_id}, 202


def _visitors_click(connection: Connection, heard: Heard) -> Click | None:
    """The click that the page names, after what the page says of consent has been noted there."""
    click_id, consent = heard.visit.click_id, heard.visit.consent
    if click_id is None:
        return None
    visits.change_consent(connection, tenant=heard.tenant, click_id=click_id, consent=consent, at=heard.at)
    return visits.click(connection, heard.tenant, click_id)


def _of_meta(heard: Heard, click: Click | None) -> dict[str, str]:
    """Meta's own identifiers: the page's, else the click's; an fbclid that both tell has the time of the click."""
    told = heard.fbc
    if click and (told is None or heard.visit.fbclid == click.fbclid):
        told = click.meta_click or told
    found = {"fbc": told, "fbp": heard.visit.fbp or (click.fbp if click else None)}
    return {name: value for name, value in found.items() if value}
