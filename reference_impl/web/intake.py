"""What is done with a webhook: signature, meaning, one transaction.

The order is the promise. Nothing is parsed before the sender is known (PerfectPay alone proves itself inside the
body), nothing is stored in plain text, and nothing is answered before it is committed.

A purchase goes by what this process remembers of the tenant's account, and the statement that looks for the sale
compares it with the database: one round trip less, and no purchase is written by what is out of date. Whatever is not a
purchase, and whatever would be refused, reads the account first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

from reference_impl.db import conversions, tenants
from reference_impl.db.conversions import Arrived, Client, Draft, Recorded, Sale
from reference_impl.db.group_commit import GroupCommit
from reference_impl.db.tenants import Account
from reference_impl.domain import client
from reference_impl.domain.conversion import Buyer, Ignored, Meaning, Purchase, Reversal
from reference_impl.domain.door import may_enter
from reference_impl.domain.hashing import hash_buyer
from reference_impl.gateways import (
    Adapter,
    BadSignature,
    MalformedBody,
    RawDelivery,
    SchemaMismatch,
    UnprovenSender,
)
from reference_impl.sealing import Seals
from reference_impl.secrets import GatewaySecrets
from reference_impl.web.addresses import plain
from reference_impl.web.database import Database
from reference_impl.web.errors import Refused

log = logging.getLogger(__name__)

Status = Literal["accepted", "duplicate", "held", "ignored"]

_OFF_RETRY_S = 60
"""When a vendor may ask again whether its gateway is on. Most have a schedule of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the settings say about webhooks.

    Units:
        `window_s`: the attribution window. `client_s`: how long a buyer's address and browser are kept at most.
    """

    window_s: int
    client_s: int


class OutOfDate(Exception):
    """The account was not as it was remembered, and nothing has been written."""


class Intake:
    """Takes webhooks in, for all threads of a process. `wake` is called when the outbox holds something new."""

    def __init__(
        self, *, database: Database, secrets: GatewaySecrets, seals: Seals, wake: Callable[[], None], rules: Rules
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._seals = seals
        self._wake = wake
        self._rules = rules
        self._accounts = Accounts()
        self._desk: GroupCommit[Sale, Recorded] = GroupCommit(self._write)

    def take(
        self, known: Adapter, delivery: RawDelivery, arrived: Arrived, *, caller: Callable[[], str | None]
    ) -> Status:
        """What became of it, when that is committed. `caller`: the sender's address, for who asks it.

        Raises:
            Refused: it is not taken, and why.
        """
        if (remembered := self._accounts.of(arrived)) is not None:
            try:
                meaning = self._understand(known, delivery, remembered, arrived, caller)
                return self._record(arrived, meaning, remembered, read=False)
            except (Refused, OutOfDate):
                log.debug("not by a remembered account: it is read now")
        account = self._read_account(arrived)
        return self._record(arrived, self._understand(known, delivery, account, arrived, caller), account, read=True)

    def _read_account(self, arrived: Arrived) -> Account:
        with self._database.connection() as connection:
            account = tenants.account(connection, arrived.tenant, arrived.gateway)
        self._accounts.remember(arrived, account)
        if account is None:
            raise Refused(404, "unknown_tenant", "There is no such tenant, or it does not use this gateway.")
        return account

    def _understand(
        self,
        known: Adapter,
        delivery: RawDelivery,
        account: Account,
        arrived: Arrived,
        caller: Callable[[], str | None],
    ) -> Meaning:
        _admit(account, caller)
        _prove(known, delivery, account, self._secrets, arrived)
        return _read(known, delivery.body, dialect=account.dialect)

    def _record(self, arrived: Arrived, meaning: Meaning, account: Account, *, read: bool) -> Status:
        if isinstance(meaning, Purchase):
            return self._record_purchase(arrived, meaning, account, read=read)
        if not read and self._read_account(arrived) != account:
            raise OutOfDate
        if isinstance(meaning, Ignored):
            return "ignored"
        with self._database.connection() as connection:
            if isinstance(meaning, Reversal):
                return conversions.record_reversal(connection, arrived, meaning)
            return conversions.record_reinstatement(connection, arrived, meaning)

    def _record_purchase(self, arrived: Arrived, purchase: Purchase, account: Account, *, read: bool) -> Status:
        draft = Draft(
            id=uuid4(),
            purchase=purchase,
            user_data=hash_buyer(purchase.buyer).as_user_data(),
            client=_sealed(purchase.buyer, self._seals),
            hold=account.flag == "hold",
            window_s=self._rules.window_s,
            client_s=self._rules.client_s,
        )
        recorded = self._desk.submit(Sale(arrived=arrived, draft=draft, believed=None if read else account))
        if recorded == "outdated":
            raise OutOfDate
        self._wake()
        return recorded

    def _write(self, sales: Sequence[Sale]) -> Sequence[Recorded]:
        with self._database.connection() as connection:
            return conversions.record_purchases(connection, sales)


class Accounts:
    """What a process remembers of accounts, so that a purchase need not ask first. It is always asked again: whoever
    goes by it compares it with the database before anything is written, refused or ignored."""

    def __init__(self, *, most: int = 10_000) -> None:
        self._most = most
        self._known: dict[tuple[str, str], Account] = {}

    def of(self, arrived: Arrived) -> Account | None:
        """As it was when it was last read."""
        return self._known.get((arrived.tenant, arrived.gateway))

    def remember(self, arrived: Arrived, account: Account | None) -> None:
        """Replace what was known; strangers' tenants take no room."""
        key = (arrived.tenant, arrived.gateway)
        if account is None:
            self._known.pop(key, None)
            return
        if len(self._known) >= self._most and key not in self._known:
            self._known.clear()
        self._known[key] = account


def _admit(account: Account, caller: Callable[[], str | None]) -> None:
    """Only from where the tenant or the gateway allows, and only while it is not switched off."""
    if account.allowed and not may_enter(caller(), account.allowed):
        raise Refused(403, "address_not_allowed", "Webhooks of this gateway are not taken from this address.")
    if account.flag == "off":
        raise Refused(
            503,
            "gateway_off",
            "This gateway is switched off. Please deliver again later.",
            retry_after_s=_OFF_RETRY_S,
        )


def _prove(known: Adapter, delivery: RawDelivery, account: Account, secrets: GatewaySecrets, arrived: Arrived) -> None:
    """Return if the sender is genuine. A proof that fits no secret that we know is held against the store's once."""

    def verify(values: Sequence[str]) -> None:
        known.verify(delivery, dialect=account.dialect, secrets=values, now_s=arrived.at_s)

    values = secrets.of(arrived.tenant, arrived.gateway, version=account.secrets_version)
    try:
        try:
            verify(values)
        except UnprovenSender:
            newer = secrets.newer(arrived.tenant, arrived.gateway, than=values)
            if not newer:
                raise
            verify(newer)
    except BadSignature as error:
        log.warning("webhook %s/%s refused: %s", arrived.gateway, arrived.tenant, error)
        raise Refused(401, "bad_signature", str(error)) from None
    except MalformedBody as error:
        raise Refused(400, "malformed", str(error)) from None


def _read(known: Adapter, body: bytes, *, dialect: str) -> Meaning:
    try:
        return known.read(body, dialect=dialect)
    except MalformedBody as error:
        raise Refused(400, "malformed", str(error), proven=True) from None
    except SchemaMismatch as error:
        raise Refused(422, "schema", str(error), proven=True) from None


def _sealed(buyer: Buyer, seals: Seals) -> Client | None:
    """The buyer's address and browser, which Meta wants as they are, closed until the dispatch."""
    ip, ua = plain(buyer.ip_address), buyer.user_agent
    text = client.to_text(ip=ip, ua=ua)
    return None if text is None else Client(sealed=seals.seal(text), keys=client.keys(ip=ip, ua=ua))
